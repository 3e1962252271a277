"""The study file: a cohort's paths and columns, said once in ``cohort.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from exoclassify.data.layers import LayerFile
from exoclassify.errors import FileError, InputError
from exoclassify.tables.asked import Reading
from exoclassify.tables.opening import check_file

__all__ = ["Study"]

_PATHS = ("cargo", "samples")


@dataclass(frozen=True)
class Study:
    """What every command needs to know of a cohort.

    Parameters
    ----------
    cargo, samples : str
        Paths of the table and of the sample sheet; in the file relative to it.
    kind, unit : str
        What the table holds.
    label : str
        Column of the states.
    subject, batch, time : str, optional
        Columns of persons, of batches, and of visits.
    reference : str, optional
        State to compare with.
    covariates : tuple of str
        Columns to hold against the state.
    not_detected : float, optional
        For Ct, as in `exoclassify.data.cargo.CargoTable`.
    format, columns, sheet, id_column : str, optional
        As in `exoclassify.tables.asked.Reading`.
    layers : tuple of LayerFile
        In the file as tables ``[layers.NAME]``; then there is no cargo, kind and unit for all.
    """

    cargo: str
    samples: str
    kind: str
    unit: str
    label: str
    subject: str | None = None
    batch: str | None = None
    time: str | None = None
    reference: str | None = None
    covariates: tuple[str, ...] = ()
    not_detected: float | None = None
    format: str | None = None
    columns: str | None = None
    sheet: str | None = None
    id_column: str | None = None
    layers: tuple[LayerFile, ...] = ()

    @classmethod
    def read(cls, path: str | Path) -> Study:
        """Read a study file."""
        path = Path(path)
        check_file(path)
        try:
            said = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise FileError(f"{path}: is no TOML ({error}); write it with exoclassify init") from error
        known = {field.name for field in fields(cls)}
        unknown = [key for key in said if key not in known]
        if unknown:
            raise InputError(f"{path.name}: there is no key {unknown[0]}; expected are {', '.join(sorted(known))}")
        needed = ("samples", "label") if "layers" in said else ("cargo", "samples", "kind", "unit", "label")
        lacking = [key for key in needed if key not in said]
        if lacking:
            raise InputError(f"{path.name}: lacks {', '.join(lacking)}; every study names them")
        layers = _layers(said.pop("layers", {}), said, path)
        known_values = {key: _checked(key, value, path) for key, value in said.items()}
        return cls(**{"cargo": "", "kind": "", "unit": "", **known_values}, layers=layers)

    def write_text(self, reasons: dict[str, str]) -> str:
        """Give the file's text."""
        lines = ["# What exoclassify is to know of this cohort; every command reads it, and its options override it."]
        for key, value in asdict(self).items():
            if value in (None, (), "") or key == "layers":
                continue
            why = f"  # {reasons[key]}" if key in reasons else ""
            lines.append(f"{key} = {_toml(value)}{why}")
        for layer in self.layers:
            lines += ["", f"[layers.{layer.name}]"]
            lines += [f"{key} = {_toml(getattr(layer, key))}" for key in ("cargo", "kind", "unit")]
        return "\n".join(lines) + "\n"

    def overridden(self, **given: object) -> Study:
        """Give the study with other values where one is given."""
        return replace(self, **{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type]


_OF_LAYER = ("cargo", "kind", "unit")


def _layers(said: object, whole: dict[str, Any], path: Path) -> tuple[LayerFile, ...]:
    """Read the tables ``[layers.NAME]``; what one of them does not say holds as said for all."""
    if not isinstance(said, dict) or not all(isinstance(one, dict) for one in said.values()):
        raise InputError(f"{path.name}: layers are tables; write [layers.protein] and below it cargo, kind and unit")
    reading = Reading(whole.get("format"), whole.get("columns"), whole.get("sheet"), whole.get("id_column"))
    found = []
    for name, own in said.items():
        unknown = [key for key in own if key not in _OF_LAYER]
        if unknown or "cargo" not in own:
            what = f"there is no key layers.{name}.{unknown[0]}" if unknown else f"layers.{name} lacks cargo"
            raise InputError(f"{path.name}: {what}; a layer has {', '.join(_OF_LAYER)}")
        value = {key: _checked(key, text, path) for key, text in own.items()}
        layer = replace(LayerFile.parse(f"{name}={value.pop('cargo')}", reading), **value)
        found.append(layer.stated(whole.get("kind"), whole.get("unit"), whole.get("not_detected")))
    return tuple(found)


def _checked(key: str, value: object, path: Path) -> Any:
    if key == "covariates":
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise InputError(f"{path.name}: covariates is {value!r}; write a list of columns, as in ['age', 'sex']")
        return tuple(value)
    if key == "not_detected":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"{path.name}: not_detected is {value!r}; write a number of cycles")
        return float(value)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{path.name}: {key} is {value!r}; write a text in quotes")
    return str(path.parent / value) if key in _PATHS else value


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
