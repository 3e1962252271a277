"""How the versions of a model came into use: the champion, one line of JSON replaced in one step, and those before it."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from exoclassify.errors import ModelError
from exoclassify.tables.writing import write_text_atomically

__all__ = ["VERSION", "Promotion", "in_use_before", "now_in_use", "promotions", "put"]

VERSION = re.compile(r"\d+\.\d+\.\d+")


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


def now_in_use(folder: Path) -> Promotion | None:
    """Read how a model's champion came to be; None where it has none."""
    path = folder / "champion"
    try:
        return _read(path, path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{path}: cannot be read ({error}); restore it, and give this user the right to read it"
        ) from error


def promotions(folder: Path) -> tuple[Promotion, ...]:
    """Read all promotions of a model, the first one first, the champion's own last."""
    now, path = now_in_use(folder), folder / "history.jsonl"
    if now is None:
        return ()
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); restore it") from error
    # The champion's own line stands here too when a process was stopped between the two files.
    past = [_read(path, line) for line in lines]
    return (*(promotion for promotion in past if promotion.number < now.number), now)


def put(folder: Path, version: str, who: str, why: str, source: str | None, *, back: bool = False) -> Promotion:
    """Write that a version is in use from now on, unless it is already."""
    now = now_in_use(folder)
    if now is not None and now.version == version:
        return now
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    number, previous = (1, None) if now is None else (now.number + 1, now.version)
    new = Promotion(number, version, previous, when, who, why, source, back)
    if now is not None:
        _write(folder / "history.jsonl", promotions(folder))
    _write(folder / "champion", [new])
    return new


def in_use_before(history: Iterable[Promotion]) -> list[str]:
    """Give the versions that a rollback returns to, the next one last."""
    stack: list[str] = []
    for promotion in history:
        if promotion.back:
            stack.pop()
        else:
            stack.append(promotion.version)
    return stack[:-1]


def _write(path: Path, listed: Iterable[Promotion]) -> None:
    write_text_atomically(path, "".join(f"{json.dumps(asdict(each))}\n" for each in listed))


def _read(path: Path, line: str) -> Promotion:
    fix = "restore it, or remove it and promote again"
    try:
        promotion = Promotion(**json.loads(line))
        whole = isinstance(promotion.number, int) and VERSION.fullmatch(promotion.version)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); {fix}") from error
    except TypeError:
        whole = None
    if not whole:
        raise ModelError(f"{path}: is not the record of a promotion; {fix}")
    return promotion
