"""API keys: several, named, kept as hashes, compared in constant time.

``python -m service.keys NAME`` makes one: the key goes to whoever calls, the line with its hash into the file of keys.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from service.settings import Settings, SettingsError

__all__ = ["Keys", "new_key"]

_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63})[\s:]+([0-9a-fA-F]{64})")


@dataclass(frozen=True)
class Keys:
    """Who may call: name and sha256 of each key; none when nobody needs one."""

    digests: tuple[tuple[str, bytes], ...] = ()

    @classmethod
    def read(cls, settings: Settings) -> Keys:
        """Read the file of keys and the keys given in the environment."""
        lines = [("EXOCLASSIFY_API_KEYS", i, line) for i, line in enumerate(settings.api_keys.split(","), 1)]
        if settings.keys_file is not None:
            lines += _lines(settings.keys_file)
        digests: dict[str, bytes] = {}
        for source, number, line in lines:
            text = line.partition("#")[0].strip()
            if not text:
                continue
            found = _LINE.fullmatch(text)
            if found is None:
                raise SettingsError(
                    f"{source}: entry {number} is not a name and the sha256 of a key; make one with "
                    "`python -m service.keys NAME`"
                )
            name, digest = found.groups()
            if name in digests:
                raise SettingsError(f"{source}: the name {name} comes twice; name every key once")
            digests[name] = bytes.fromhex(digest)
        if settings.keys_file is not None and not digests:
            raise SettingsError(f"{settings.keys_file.name}: holds no key; make one with `python -m service.keys NAME`")
        return cls(tuple(digests.items()))

    def name_of(self, key: str) -> str | None:
        """Say whose key it is; every digest is compared, each in constant time."""
        digest = hashlib.sha256(key.encode()).digest()
        found = None
        for name, known in self.digests:
            if hmac.compare_digest(digest, known):
                found = name
        return found


def _lines(path: Path) -> list[tuple[str, int, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: the file of API keys cannot be read ({error})") from error
    return [(path.name, i, line) for i, line in enumerate(text.splitlines(), 1)]


def new_key(name: str) -> tuple[str, str]:
    """Make a key, random and long so that a plain sha256 of it is enough, and its line in the file of keys."""
    key = "exo_" + secrets.token_urlsafe(32)
    line = f"{name} {hashlib.sha256(key.encode()).hexdigest()}"
    if not _LINE.fullmatch(line):
        raise SettingsError(f"{name!r}: use letters, digits, dots and dashes in the name of a key, up to 64")
    return key, line


def _main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m service.keys NAME")
    try:
        key, line = new_key(sys.argv[1])
    except SettingsError as error:
        sys.exit(f"error: {error}")
    print(f"key, for the caller, shown this once:  {key}", file=sys.stderr)
    print(line)


if __name__ == "__main__":
    _main()
