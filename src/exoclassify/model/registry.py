"""The models of one place: their versions, the one in use, and how it came to be.

::

    ROOT/NAME/
      1.0.0/                  a model's folder, written whole and never changed
      1.0.0.decision.json     what the gate found, and what was decided (where there was one)
      1.0.0.signature.json    sha256 of its files, signed (where it was)
      champion                the version in use: one line of JSON, replaced in one step
      history.jsonl           the champions before, one line each
"""

from __future__ import annotations

import datetime
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from exoclassify.errors import FileError, ModelError, check_type, first_three
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.folder import copy_folder
from exoclassify.model.signature import check_signature
from exoclassify.model.version import free_version, order
from exoclassify.tables.writing import write_atomically

__all__ = ["Promotion", "Registry"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_PATIENCE = 60.0
"""Seconds that a change waits for another one of the same model."""


@dataclass(frozen=True)
class Promotion:
    """How one version came into use.

    Parameters
    ----------
    number : int
        1 for the first promotion of a name, and so on.
    version : str
        Put into use.
    previous : str or None
        In use before.
    when : str
        ISO 8601, UTC.
    who, why : str
        Of the person or scheduler that asked.
    source : str or None
        From what: the run, ticket or data that it rests on.
    back : bool
        It was a return to what was in use before.
    """

    number: int
    version: str
    previous: str | None
    when: str
    who: str
    why: str
    source: str | None = None
    back: bool = False


class Registry:
    """Names, versions and champions below one folder.

    Parameters
    ----------
    root : str or Path
        The folder; it need not exist before something is added.

    Notes
    -----
    Readers take no lock: a version is there whole or not at all, and the champion is one file that is replaced in one
    step. Changes of one name wait for each other.
    """

    def __init__(self, root: str | Path) -> None:
        check_type(root, (str, Path), "Registry: root", "the path of a folder, such as models")
        self.root = Path(root)

    def names(self) -> tuple[str, ...]:
        """Names that have a version, sorted.

        Raises
        ------
        FileError
            If a folder cannot be read.
        """
        if not self.root.is_dir():
            return ()
        try:
            found = [entry.name for entry in self.root.iterdir() if _NAME.fullmatch(entry.name)]
            return tuple(sorted(name for name in found if self.versions(name)))
        except OSError as error:
            raise FileError(
                f"{error.filename}: cannot be read ({error.strerror}); give this user the right to read it"
            ) from error

    def versions(self, name: str) -> tuple[str, ...]:
        """Versions of a name, oldest number first; empty when there is none.

        Parameters
        ----------
        name : str
            Of the model.

        Returns
        -------
        tuple of str

        Raises
        ------
        ModelError
            If it is no name.
        """
        folder = self._folder(name)
        if not folder.is_dir():
            return ()
        found = [entry.name for entry in folder.iterdir() if _VERSION.fullmatch(entry.name)]
        return tuple(sorted((v for v in found if (folder / v / "bundle.json").is_file()), key=order))

    def champion(self, name: str) -> str:
        """Version in use.

        Parameters
        ----------
        name : str
            Of the model.

        Returns
        -------
        str

        Raises
        ------
        ModelError
            If none was promoted, or the pointer cannot be read.
        """
        return self.promotion(name).version

    def promotion(self, name: str) -> Promotion:
        """How the version in use came to be; arguments and errors as `champion`."""
        found = self._pointer(name)
        if found is None:
            versions = self.versions(name)
            mend = f"promote one of {first_three(reversed(versions))}" if versions else self._known()
            raise ModelError(f"{name}: no version is in use; {mend}")
        return found

    def path(self, name: str, version: str | None = None) -> Path:
        """Folder of a version.

        Parameters
        ----------
        name : str
            Of the model.
        version : str, optional
            The champion if omitted.

        Returns
        -------
        Path

        Raises
        ------
        ModelError
            If there is no such version.
        """
        version = self.champion(name) if version is None else version
        versions = self.versions(name)
        if version not in versions:
            known = f"it has {first_three(reversed(versions))}" if versions else self._known()
            raise ModelError(f"{name}: there is no version {version}; {known}")
        return self._folder(name) / version

    def load(
        self,
        name: str,
        version: str | None = None,
        *,
        verify: bool = False,
        require_signature: str | Path | None = None,
    ) -> ModelBundle:
        """Read a version.

        Parameters
        ----------
        name : str
            Of the model.
        version : str, optional
            The champion if omitted.
        verify : bool
            Also demand its golden answers.
        require_signature : path, optional
            A public key; the version must be signed by its owner.

        Returns
        -------
        ModelBundle

        Raises
        ------
        ModelError
            If there is no such version, it was changed, is not what its place says, does not give its own answers, or
            is not signed.
        FileError
            If the key cannot be read.
        """
        folder = self.path(name, version)
        if require_signature is not None:
            check_signature(folder, require_signature)
        bundle = ModelBundle.load(folder, verify=verify)
        if (bundle.name, bundle.version) != (name, folder.name):
            raise ModelError(
                f"{name}/{folder.name}: holds {bundle.name} {bundle.version}; it was copied by hand: import it instead"
            )
        return bundle

    def copy(self, name: str, version: str, to: Path) -> Registry:
        """Copy a version, with its signature, into a registry of its own that nobody else changes.

        Parameters
        ----------
        name, version : str
            Of the model.
        to : Path
            A folder that only this user can reach.

        Returns
        -------
        Registry
            With this version and no champion.

        Raises
        ------
        ModelError
            If there is no such version.
        FileError
            If it cannot be copied.
        """
        folder = self.path(name, version)
        try:
            copy_folder(folder, to / name / version)
            signed = folder.with_name(f"{version}.signature.json")
            if signed.is_file():
                shutil.copyfile(signed, to / name / signed.name)
        except OSError as error:
            raise FileError(f"{name} {version}: cannot be copied ({error.strerror})") from error
        return Registry(to)

    def add(
        self,
        bundle: ModelBundle,
        *,
        decision: dict[str, Any] | None = None,
        renumber: Callable[[ModelBundle, str], ModelBundle] | None = None,
    ) -> Path:
        """Keep a new version; it is not in use before it is promoted.

        Parameters
        ----------
        bundle : ModelBundle
            With its name and version.
        decision : dict, optional
            Plain values, kept beside the version.
        renumber : callable, optional
            Where its number is taken, take the next one with the same meaning; this writes it into the model.

        Returns
        -------
        Path
            Its folder.

        Raises
        ------
        FileError
            If the version is there already, or the system refuses to write.
        """
        folder = self._folder(bundle.name)
        with self._lock(bundle.name, create=True):
            taken = self.versions(bundle.name)
            if renumber is not None and bundle.version in taken:
                bundle = renumber(bundle, free_version(bundle.version, taken))
            if (folder / bundle.version).exists():
                raise FileError(
                    f"{bundle.name}: version {bundle.version} is there already, and a version is never changed; "
                    "give the new model another version"
                )
            if decision is not None:
                text = json.dumps(decision, indent=1, allow_nan=False) + "\n"
                _write_text(folder / f"{bundle.version}.decision.json", text)
            bundle.save(folder / bundle.version)
        return folder / bundle.version

    def decision(self, name: str, version: str) -> dict[str, Any] | None:
        """Read what was decided of a version, and why; None where no gate was asked.

        Parameters
        ----------
        name, version : str
            Of the model.

        Returns
        -------
        dict or None

        Raises
        ------
        ModelError
            If the file cannot be read.
        """
        path = self._folder(name) / f"{version}.decision.json"
        if not path.exists():
            return None
        found = _read_json(path, path.read_text)
        if not isinstance(found, dict):
            raise ModelError(f"{path}: is not the record of a decision; restore it, or remove it")
        return found

    def promote(
        self,
        name: str,
        version: str,
        *,
        who: str,
        why: str,
        source: str | None = None,
        instead_of: str | None = None,
        require_signature: str | Path | None = None,
    ) -> Promotion:
        """Put a version into use, after it gave its golden answers; the champion of now stays when it is that one already.

        Parameters
        ----------
        name, version : str
            Of the model.
        who, why : str
            Kept in the history.
        source : str, optional
            From what, kept there too.
        instead_of : str, optional
            The version it was compared with; refuse when another one is in use by now.
        require_signature : path, optional
            As in `load`.

        Returns
        -------
        Promotion

        Raises
        ------
        ModelError
            If the version is not there, cannot be trusted, who and why are not said, or another version is in use.
        FileError
            If the system refuses to write.
        """
        if not who.strip() or not why.strip():
            raise ModelError(f"{name} {version}: a promotion needs who and why; both are kept in the history")
        with self._lock(name):
            if instead_of is not None and self.champion(name) != instead_of:
                raise ModelError(
                    f"{name}: {version} was compared with {instead_of}, and {self.champion(name)} is in use by now; "
                    "compare it with that one"
                )
            self.load(name, version, verify=True, require_signature=require_signature)
            return self._put(name, version, who, why, source)

    def rollback(self, name: str, *, who: str, why: str, require_signature: str | Path | None = None) -> Promotion:
        """Return to the version that was in use before; once more, to the one before that.

        Parameters
        ----------
        name : str
            Of the model.
        who, why : str
            Kept in the history.
        require_signature : path, optional
            As in `load`.

        Returns
        -------
        Promotion

        Raises
        ------
        ModelError
            If nothing was in use before, or that version cannot be trusted.
        FileError
            If the system refuses to write.
        """
        with self._lock(name):
            before = in_use_before(self.history(name))
            if not before:
                raise ModelError(
                    f"{name}: no version was in use before {self.champion(name)}; promote one by its number"
                )
            self.load(name, before[-1], verify=True, require_signature=require_signature)
            return self._put(name, before[-1], who, why, None, back=True)

    def history(self, name: str) -> tuple[Promotion, ...]:
        """All promotions of a name, the first one first, the champion's own last.

        Parameters
        ----------
        name : str
            Of the model.

        Returns
        -------
        tuple of Promotion

        Raises
        ------
        ModelError
            If the history cannot be read.
        """
        now = self._pointer(name)
        if now is None:
            return ()
        path = self._folder(name) / "history.jsonl"
        try:
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"{path}: cannot be read ({error}); restore it") from error
        # The champion's own line stands here too when a process was stopped between the two files.
        past = [_promotion(path, line) for line in lines]
        return (*(promotion for promotion in past if promotion.number < now.number), now)

    def prune(self, name: str, *, keep: int, dry_run: bool = False) -> tuple[str, ...]:
        """Remove old versions; never the champion, nor the one that a rollback would return to.

        Parameters
        ----------
        name : str
            Of the model.
        keep : int
            How many of the newest versions stay besides.
        dry_run : bool
            Only say which.

        Returns
        -------
        tuple of str
            The versions removed; decisions and history stay.

        Raises
        ------
        ModelError
            If there is no such model, or no version is in use.
        FileError
            If the system refuses.
        """
        with self._lock(name):
            needed = {self.champion(name), *in_use_before(self.history(name))[-1:]}
            versions = self.versions(name)
            old = tuple(v for v in versions[: max(len(versions) - keep, 0)] if v not in needed)
            for version in () if dry_run else old:
                self._remove(name, version)
            return old

    def _put(self, name: str, version: str, who: str, why: str, source: str | None, *, back: bool = False) -> Promotion:
        now, folder = self._pointer(name), self._folder(name)
        if now is not None and now.version == version:
            return now
        when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        number, previous = (1, None) if now is None else (now.number + 1, now.version)
        new = Promotion(number, version, previous, when, who, why, source, back)
        if now is not None:
            lines = "".join(f"{json.dumps(asdict(past))}\n" for past in self.history(name))
            _write_text(folder / "history.jsonl", lines)
        _write_text(folder / "champion", json.dumps(asdict(new)) + "\n")
        return new

    def _pointer(self, name: str) -> Promotion | None:
        path = self._folder(name) / "champion"
        try:
            return _promotion(path, path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(
                f"{path}: cannot be read ({error}); restore it, and give this user the right to read it"
            ) from error

    def _remove(self, name: str, version: str) -> None:
        folder = self._folder(name)
        aside = folder / f".{version}.old-{secrets.token_hex(4)}"
        try:
            os.replace(folder / version, aside)  # gone in one step for whoever reads now
            (folder / f"{version}.signature.json").unlink(missing_ok=True)
        except OSError as error:
            raise FileError(
                f"{folder / version}: cannot be removed ({error.strerror}); use a folder that is yours"
            ) from error
        shutil.rmtree(aside, ignore_errors=True)

    def _folder(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ModelError(f"{name!r} is no name of a model; use letters, digits, -, _ and .")
        return self.root / name

    def _known(self) -> str:
        names = self.names()
        return f"{self.root} holds {', '.join(names)}" if names else f"{self.root} holds no model; give --registry"

    @contextmanager
    def _lock(self, name: str, *, create: bool = False) -> Iterator[None]:
        folder = self._folder(name)
        if not create and not self.versions(name):
            raise ModelError(f"{name}: there is no such model; {self._known()}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / ".lock", timeout=_PATIENCE):
                yield
        except Timeout as error:
            raise FileError(
                f"{folder}: another process has been changing it for {_PATIENCE:.0f} s; try again when it is done"
            ) from error
        except OSError as error:
            raise FileError(
                f"{folder}: cannot be changed ({error.strerror}); use a registry on a disk that is yours and has space"
            ) from error
        finally:
            if create:
                with suppress(OSError):  # what came to nothing leaves no empty folder behind
                    _remove_if_only_locked(folder)


def in_use_before(history: tuple[Promotion, ...]) -> list[str]:
    """Versions that a rollback returns to, the next one last."""
    stack: list[str] = []
    for promotion in history:
        if promotion.back:
            stack.pop()
        else:
            stack.append(promotion.version)
    return stack[:-1]


def _promotion(path: Path, line: str) -> Promotion:
    found = _read_json(path, lambda: line)
    try:
        promotion = Promotion(**found)
        whole = isinstance(promotion.number, int) and _VERSION.fullmatch(promotion.version)
    except TypeError:
        whole = None
    if not whole:
        raise ModelError(f"{path}: is not the record of a promotion; restore it, or remove it and promote again")
    return promotion


def _read_json(path: Path, read: Any) -> Any:
    try:
        return json.loads(read())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); restore it, or remove it and promote again") from error


def _write_text(path: Path, text: str) -> None:
    write_atomically(path, lambda partial: _fill(partial, text), force=True)


def _fill(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _remove_if_only_locked(folder: Path) -> None:
    if {entry.name for entry in folder.iterdir()} == {".lock"}:
        (folder / ".lock").unlink()
        folder.rmdir()
