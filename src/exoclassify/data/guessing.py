"""What a table and a sheet look like: a study file guessed, with reasons."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from exoclassify.data.orientation import refuse_unnamed, samples_in_rows
from exoclassify.data.samples import SampleSheet
from exoclassify.data.study import Study
from exoclassify.data.units import UNITS, Cells
from exoclassify.errors import InputError
from exoclassify.tables.asked import AS_WRITTEN, Reading
from exoclassify.tables.reading import WideTable, read_wide
from exoclassify.tables.wide import plain_name

__all__ = ["LABELS", "guessed"]

# Names of columns and states without what stands between words; in English, German, French, Spanish and Italian.
LABELS = (
    "label", "state", "painstate", "group", "diagnosis", "condition", "disease", "diseasestate", "status", "class",
    "phenotype", "gruppe", "diagnose", "zustand", "groupe", "diagnostic", "état", "grupo", "diagnóstico", "estado",
    "gruppo", "diagnosi",
)  # fmt: skip
_SUBJECTS = (
    "subject", "subjectid", "patient", "patientid", "person", "personid", "participant", "participantid", "donor",
    "donorid", "individual", "usubjid", "proband", "probandid", "patientennummer", "sujet", "sujeto", "paciente",
    "participante", "paziente",
)  # fmt: skip
_BATCHES = (
    "batch", "batchid", "plate", "plateid", "run", "centre", "center", "site", "cohort", "sequencingrun", "charge",
    "platte", "lauf", "zentrum", "lot", "plaque", "lote", "placa", "centro",
)  # fmt: skip
_TIMES = (
    "visit", "time", "timepoint", "day", "week", "zeit", "zeitpunkt", "visite", "temps", "jour", "visita", "tiempo",
    "día",
)  # fmt: skip
_COVARIATES = (
    "age", "sex", "gender", "bmi", "alter", "geschlecht", "âge", "sexe", "edad", "sexo", "età", "sesso",
)  # fmt: skip
_REFERENCES = (
    "control", "controls", "healthy", "healthycontrol", "none", "nopain", "hc", "normal", "ctrl", "no", "kontrolle",
    "kontrollen", "gesund", "keine", "témoin", "sain", "aucune", "sano", "sana", "ninguno", "controllo",
)  # fmt: skip
_MIRNA = re.compile(r"(?:[a-z]{3,4}-)?(?:mir|let)-?\d|MIMAT\d{7}", re.IGNORECASE)
_PROTEIN = re.compile(r"(?:(?:sp|tr)\|)?[OPQ]\d[A-Z0-9]{3}\d|[A-NR-Z]\d[A-Z][A-Z0-9]{2}\d|\S+_HUMAN")
_TRANSCRIPT = re.compile(r"ENS[GT]\d{11}|[A-Z][A-Z0-9-]{1,12}$")
_MOST_STATES = 8
_CT_LEAST, _CT_MOST = 8.0, 50.0


def guessed(
    cargo: Path, samples: Path, given: dict[str, str | None], reading: Reading = AS_WRITTEN
) -> tuple[Study, dict[str, str]]:
    """Look at a table and a sheet, and say what they seem to be.

    Parameters
    ----------
    given : dict of str to (str or None)
        What the user said, by key of `Study`; None for what is to be guessed.
    """
    sheet = SampleSheet.read(samples, sample_id=reading.id_column or "sample_id")
    refuse_unnamed(cargo, "other", sheet.sample_ids, None, reading)
    wide = samples_in_rows(read_wide(cargo, reading), "other", sheet.sample_ids, None)
    frame, said = sheet.frame, {key: value for key, value in given.items() if value is not None}
    reasons = dict.fromkeys(said, "given")
    found: dict[str, str] = {}
    for key, guess in (("kind", _kind(wide)), ("unit", _unit(wide)), ("label", _label(frame, samples.name, said))):
        if key not in said:
            found[key], reasons[key] = guess
    for key, names in (("subject", _SUBJECTS), ("batch", _BATCHES), ("time", _TIMES)):
        column = _called(frame, names, {*found.values(), *said.values()})
        if key not in said and column:
            found[key], reasons[key] = column, "by its name"
    label = said.get("label") or found["label"]
    if "reference" not in said and label in frame.columns:
        for state in frame[label].dropna().unique():
            if plain_name(str(state)) in _REFERENCES:
                found["reference"], reasons["reference"] = str(state), "by its name"
    covariates = tuple(name for name in frame.columns if plain_name(name) in _COVARIATES)
    return Study(str(cargo), str(samples), covariates=covariates, **{**found, **said}), reasons  # type: ignore[arg-type]


def _kind(wide: WideTable) -> tuple[str, str]:
    shares = {
        kind: sum(known.match(name) is not None for name in wide.columns) / max(1, len(wide.columns))
        for kind, known in (("mirna", _MIRNA), ("protein", _PROTEIN), ("mrna", _TRANSCRIPT))
    }
    kind = next((kind for kind, share in shares.items() if share > 0.5), "other")
    if kind == "other":
        return kind, "its names are of no known form"
    return kind, f"{shares[kind]:.0%} of the names are such"


def _unit(wide: WideTable) -> tuple[str, str]:
    if len(wide.units) == 1:
        return wide.units[0], wide.notes[0]
    values = wide.cells[np.isfinite(wide.cells)]
    if not len(values):
        raise InputError(f"{wide.source}: holds no number; name the unit with --unit")
    look = f"numbers from {values.min():g} to {values.max():g}"
    whole = bool((values == np.floor(values)).all())
    marks = any(text.lower() in ("undetermined", "no ct", "no cq", "nd") for _, _, text in wide.texts)
    if marks or (not whole and values.min() >= _CT_LEAST and values.max() <= _CT_MOST and np.median(values) > 20):
        return "ct", look
    if whole and values.min() >= 0:
        return ("intensity", look) if np.median(values) > 1e5 else ("counts", f"whole {look}")
    for unit in ("cpm", "log2_intensity", "intensity"):
        try:
            Cells(wide.cells, wide.row_ids, wide.columns, wide.source).check(unit)
        except InputError:
            continue
        sums = np.nansum(wide.cells, axis=1)
        if unit != "cpm" or (np.abs(sums - 1e6) < 1e5).all():
            return unit, "every sample sums to a million" if unit == "cpm" else look
    raise InputError(f"{wide.source}: holds {look}, which fit no unit ({', '.join(UNITS)}); name it with --unit")


def _called(frame: pd.DataFrame, names: tuple[str, ...], taken: set[str]) -> str:
    by_name = {plain_name(str(column)): str(column) for column in frame.columns if column not in taken}
    return next((by_name[name] for name in names if name in by_name), "")


def _label(frame: pd.DataFrame, source: str, said: dict[str, str]) -> tuple[str, str]:
    named = _called(frame, LABELS, set(said.values()))
    if named and 1 < frame[named].nunique() <= _MOST_STATES:
        return named, f"by its name; {_states(frame[named])}"
    others = (*_SUBJECTS, *_BATCHES, *_TIMES, *_COVARIATES)
    for column in frame.columns:
        groups = frame[column].value_counts()
        if plain_name(str(column)) not in others and 1 < len(groups) <= _MOST_STATES and groups.min() > 1:
            return str(column), f"the first column with a few groups; {_states(frame[column])}"
    if "label" in said:
        return said["label"], "given"
    raise InputError(
        f"{source}: no column looks like a label (2 to {_MOST_STATES} states of 2 samples or more); its columns are "
        f"{', '.join(map(str, frame.columns))}; name it with --label"
    )


def _states(column: pd.Series) -> str:
    return ", ".join(f"{n} {state}" for state, n in column.value_counts().items())
