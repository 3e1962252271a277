"""A study file among the arguments of a command stands for the options that it says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["with_study"]

_OF_SCORING = ("cargo", "kind", "unit", "format", "columns", "sheet", "id_column")
"""What scoring takes of a study: its samples are not those of the sheet."""

_MEANT = {("follow", "subject"): "--subject-column"}
"""Options that are called otherwise than the study's key; --subject of follow is a person."""


def with_study(command: Any, name: str, arguments: Sequence[str]) -> list[str]:
    """Write the options of a study file out, where its path stands alone among a command's arguments.

    Parameters
    ----------
    command : click's command
        Says which options it has, and which of them take a value.

    Returns
    -------
    list of str
        Options that were given override those of the file; keys for which the command has no option are left out.
    """
    if name in ("run", "init"):
        return list(arguments)
    by_flag = {flag: option for option in command.params for flag in option.opts if flag.startswith("-")}
    found = [i for i, text in enumerate(arguments) if text.endswith(".toml") and not _is_value(arguments, i, by_flag)]
    if not found:
        return list(arguments)
    from exoclassify.data.study import Study

    study = Study.read(Path(arguments[found[0]]))
    rest = [text for i, text in enumerate(arguments) if i != found[0]]
    given = {text.partition("=")[0] for text in rest if text.startswith("--")}
    written: list[str] = []
    if study.layers and "--layer" in by_flag and not given & {"--layer", "--cargo"}:
        for layer in study.layers:
            stated = "" if name == "score" else f":{layer.kind}:{layer.unit}"
            written += ["--layer", f"{layer.name}={layer.cargo}{stated}"]
    for key, value in vars(study).items():
        flag = _MEANT.get((name, key), f"--{key.replace('_', '-')}")
        named = by_flag[flag].opts if flag in by_flag else ()
        skipped = not named or not given.isdisjoint(named) or value in (None, (), "") or key == "layers"
        if skipped or (name == "score" and key not in _OF_SCORING):
            continue
        written += [flag, ",".join(value) if isinstance(value, tuple) else str(value)]
    return [*rest, *written]


def _is_value(arguments: Sequence[str], i: int, by_flag: dict[str, Any]) -> bool:
    """Whether an argument is the value of the option before it, as of ``--recipe my.toml``."""
    before = by_flag.get(arguments[i - 1]) if i else None
    return arguments[i].startswith("-") or (before is not None and not before.is_flag)
