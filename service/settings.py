"""What can be set from outside, all of it by environment variables that begin with EXOCLASSIFY_."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exoclassify.errors import ExoclassifyError

__all__ = ["ROOT", "Settings", "SettingsError"]

ROOT = Path(__file__).resolve().parents[1]
"""The checkout, or what was built from it."""

_MEGABYTE = 2**20


class SettingsError(ExoclassifyError):
    """A setting, or a file that a setting names, cannot be used."""


@dataclass(frozen=True)
class Settings:
    """How the service runs; every default is safe on one machine.

    Parameters
    ----------
    models : Path
        Folder of models (``NAME/VERSION/`` and ``NAME/champion``).
    model : tuple of str
        Names of the models to serve; all of the folder when empty.
    signed_by : Path or None
        Public key; a model is served only when its owner signed it.
    workers : int
        Worker processes under ``bentoml serve``.
    keys_file : Path or None
        File of API keys, one ``name sha256`` a line.
    api_keys : str
        The same with commas between.
    open : bool
        Told to answer other machines without keys.
    rate : float
        Requests a second that one key may ask of one worker, with bursts of twice as many; 0 for any number.
    max_json, max_file : int
        Largest bodies, in bytes.
    body_seconds : float
        How long a client may take to send a body.
    body_rate : float
        Bytes a second that a body must bring on average, after 5 seconds; 0 for any.
    max_bodies : int
        Bytes of all bodies together that one worker holds.
    file_seconds : float
        How long one file may take.
    file_memory : int
        Address space, in bytes, of the process that reads a file.
    drain_seconds : float
        How long a worker goes on answering 503 after SIGTERM.
    poll_seconds : float
        How often a worker looks for a new champion.
    lag_seconds : float
        Delay of the event loop from which work is refused with 429.
    database : str
        URL of the database of records, ``sqlite:///FILE`` or ``postgresql://…``; none are kept when empty.
    spool : Path
        Folder for records that the database does not have yet; on a disk that outlives the service.
    records_required : bool
        Refuse to answer when an answer cannot be recorded.
    record_cargo : bool
        Keep the values sent too.
    studies : bool
        Audit and train from files on the page: for one's own machine, one study at a time.
    log : str
        ``requests``, or ``errors`` for nothing but what failed.
    """

    models: Path = ROOT / "models"
    model: tuple[str, ...] = ()
    signed_by: Path | None = None
    workers: int = 1
    keys_file: Path | None = None
    api_keys: str = ""
    open: bool = False
    rate: float = 0.0
    max_json: int = 32 * _MEGABYTE
    max_file: int = 256 * _MEGABYTE
    body_seconds: float = 20.0
    body_rate: float = 8192.0
    max_bodies: int = 1024 * _MEGABYTE
    file_seconds: float = 300.0
    file_memory: int = 4096 * _MEGABYTE
    drain_seconds: float = 5.0
    poll_seconds: float = 2.0
    lag_seconds: float = 0.25
    database: str = ""
    spool: Path = Path("records-spool")
    records_required: bool = False
    record_cargo: bool = False
    studies: bool = False
    log: str = "requests"

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Read them; a variable that is empty counts as not set."""
        values: dict[str, Any] = {}
        for variable, text in environment.items():
            if not variable.startswith("EXOCLASSIFY_") or not text:
                continue
            name = variable.removeprefix("EXOCLASSIFY_")
            if name in _OF_OTHERS:
                continue
            if name not in _READERS:
                known = ", ".join(f"EXOCLASSIFY_{each}" for each in _READERS)
                raise SettingsError(f"{variable} is no setting; the settings are {known}")
            field, read = _READERS[name]
            try:
                values[field] = read(text)
            except ValueError as error:
                raise SettingsError(f"{variable}={text}: {error}") from error
        settings = cls(**values)
        if settings.studies and settings.workers > 1:
            raise SettingsError(
                "EXOCLASSIFY_STUDIES=1 needs EXOCLASSIFY_WORKERS=1: a study is known to one worker alone"
            )
        return settings


def _number(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise ValueError("give a number from 0 on")
    return value


def _megabytes(text: str) -> int:
    if _number(text) == 0:
        raise ValueError("give megabytes, above 0")
    return int(_number(text) * _MEGABYTE)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError("give a whole number from 1 on")
    return int(text)


def _yes(text: str) -> bool:
    if text.lower() not in ("1", "true", "yes", "0", "false", "no"):
        raise ValueError("give 1 or 0")
    return text.lower() in ("1", "true", "yes")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _folder(text: str) -> Path:
    if "://" in text:
        raise ValueError("give a folder; a service watches it, so copy what is behind a URL into one")
    return Path(text)


def _required(text: str) -> bool:
    if text not in ("required", "best-effort"):
        raise ValueError("give required or best-effort")
    return text == "required"


def _log(text: str) -> str:
    if text not in ("requests", "errors"):
        raise ValueError("give requests or errors")
    return text


_READERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "REGISTRY": ("models", _folder),
    "MODEL": ("model", _names),
    "REQUIRE_SIGNATURE": ("signed_by", Path),
    "WORKERS": ("workers", _count),
    "KEYS_FILE": ("keys_file", Path),
    "API_KEYS": ("api_keys", str),
    "OPEN": ("open", _yes),
    "RATE": ("rate", _number),
    "MAX_JSON_MB": ("max_json", _megabytes),
    "MAX_FILE_MB": ("max_file", _megabytes),
    "BODY_SECONDS": ("body_seconds", _number),
    "BODY_RATE_KB": ("body_rate", lambda text: 1024 * _number(text)),
    "MAX_BODIES_MB": ("max_bodies", _megabytes),
    "FILE_SECONDS": ("file_seconds", _number),
    "FILE_MEMORY_MB": ("file_memory", _megabytes),
    "DRAIN_SECONDS": ("drain_seconds", _number),
    "POLL_SECONDS": ("poll_seconds", _number),
    "LAG_SECONDS": ("lag_seconds", _number),
    "DATABASE": ("database", str),
    "SPOOL": ("spool", Path),
    "RECORDS": ("records_required", _required),
    "RECORD_CARGO": ("record_cargo", _yes),
    "STUDIES": ("studies", _yes),
    "LOG": ("log", _log),
}
"""Each variable, without EXOCLASSIFY_: the field, and how its text is read."""

_OF_OTHERS = ("CACHE",)
"""Variables that the command line alone reads, and a service may find set."""
