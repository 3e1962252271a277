"""How samples were taken and prepared: the columns of a sample sheet that MISEV and its companions ask for."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exoclassify.data.samples import SampleSheet
from exoclassify.errors import first_three

__all__ = [
    "MIXED_NEEDS_BATCH",
    "Preanalytics",
    "WrongCells",
    "absent_fields",
    "fields_asked",
    "mixtures",
    "wrong_cells",
]

_M18 = "MISEV2018, doi 10.1080/20013078.2018.1535750"
_BLOOD = "blood collection recommendations, PMC10196222"
_MARKERS = "MISEV2018 checklist, PMC9465297"
_TRACK = "EV-TRACK, doi 10.1038/nmeth.4185"
_STUDY = "what a reader needs to judge the comparison"

MIXED_NEEDS_BATCH = (
    "biofluid",
    "anticoagulant",
    "isolation_method",
    "cargo_assay",
    "library_kit",
    "collection_tube_make",
)
"""Fields of which a cohort should hold one value, or name a batch column."""


def _asked(need: Literal["mandatory", "encouraged"], source: str) -> Any:
    """Declare a field that may be absent, with how much it is asked for and by whom."""
    return Field(default=None, json_schema_extra={"need": need, "source": source})


Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Tested = Literal["present", "absent", "not_tested"]


class Preanalytics(BaseModel):
    """One row of a sample sheet, as far as it says how the sample was taken, prepared and measured.

    Every field is a column of that name; columns of other names are left alone. A blank cell is a value not known.

    Parameters
    ----------
    species, sex, age_years, pain_duration_months, control_type
        Of the person; a control says what kind of control it is.
    biofluid, anticoagulant, collection_tube_make, blood_processing_interval_min, platelet_depletion, haemolysis
        What was taken, into what, how many minutes until it was spun, and how platelets were removed.
    storage_temp_c, freeze_thaw_cycles, input_volume_ml
        How it was kept, and how much went in.
    isolation_method, nuclease_or_protease_treatment
        How vesicles were made from it.
    particle_concentration_per_ml, particle_method, protein_ug_per_ml, mean_size_nm
        How many, how large, and against how much protein.
    marker_transmembrane, marker_cytosolic, negative_contaminant_markers, imaging
        What shows that they are vesicles; for each kind of marker whether it was present, absent or not tested.
    cargo_assay, library_kit, spike_in, run_order, run_date, ev_track_id
        How the cargo was measured, and when.

    Notes
    -----
    Fields are those that MISEV2018's checklist, the blood collection recommendations and EV-TRACK ask for. The lists of
    allowed values are this project's.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    species: Literal["human", "mouse", "rat", "other"] | None = _asked("encouraged", _STUDY)
    sex: Literal["female", "male", "unknown"] | None = _asked("encouraged", _STUDY)
    age_years: Annotated[float, Field(ge=0, le=130)] | None = _asked("encouraged", _STUDY)
    pain_duration_months: Amount | None = _asked("encouraged", _STUDY)
    control_type: Literal["healthy", "pain_free_surgical", "disease_control", "sham", "naive"] | None = _asked(
        "encouraged", _STUDY
    )
    biofluid: (
        Literal[
            "plasma", "serum", "CSF", "urine", "post_massage_urine", "saliva", "synovial_fluid", "peritoneal_fluid",
            "uterine_fluid", "conditioned_medium", "tissue",
        ]
        | None
    ) = _asked("mandatory", _M18)  # fmt: skip
    anticoagulant: (
        Literal[
            "EDTA", "ACD-A", "citrate", "heparin", "CTAD", "none_serum", "preservation_tube", "other"
        ]
        | None
    ) = _asked("mandatory", _BLOOD)  # fmt: skip
    collection_tube_make: str | None = _asked("mandatory", _BLOOD)
    blood_processing_interval_min: Amount | None = _asked("mandatory", _BLOOD)
    platelet_depletion: Literal["none", "single_spin", "double_spin", "filtered"] | None = _asked("mandatory", _BLOOD)
    haemolysis: Literal["none", "slight", "marked"] | None = _asked("encouraged", _BLOOD)
    storage_temp_c: Annotated[float, Field(ge=-200, le=40)] | None = _asked("encouraged", _STUDY)
    freeze_thaw_cycles: Annotated[int, Field(ge=0)] | None = _asked("encouraged", _STUDY)
    input_volume_ml: Annotated[float, Field(gt=0)] | None = _asked("mandatory", _M18)
    isolation_method: (
        Literal[
            "UC", "density_gradient", "SEC", "precipitation", "immunocapture", "membrane_affinity", "ultrafiltration",
            "microfluidic", "magnetic_beads", "combined", "none",
        ]
        | None
    ) = _asked("mandatory", _TRACK)  # fmt: skip
    nuclease_or_protease_treatment: Literal["none", "RNase", "RNase+protease", "trypsin"] | None = _asked(
        "encouraged", _M18
    )
    particle_concentration_per_ml: Amount | None = _asked("mandatory", _M18)
    particle_method: Literal["NTA", "TRPS", "NanoFCM", "flow", "SP-IRIS", "DLS"] | None = _asked("mandatory", _M18)
    protein_ug_per_ml: Amount | None = _asked("mandatory", _M18)
    mean_size_nm: Amount | None = _asked("mandatory", _M18)
    marker_transmembrane: Tested | None = _asked("mandatory", _MARKERS)
    marker_cytosolic: Tested | None = _asked("mandatory", _MARKERS)
    negative_contaminant_markers: Tested | None = _asked("mandatory", _MARKERS)
    imaging: Literal["TEM", "cryoEM", "AFM", "SEM", "super_resolution", "none"] | None = _asked("mandatory", _MARKERS)
    cargo_assay: (
        Literal[
            "small_RNA_seq", "RNA_seq", "microarray", "TLDA", "RT-qPCR", "NanoString", "LC-MS/MS", "ELISA", "multiplex",
            "flow", "lipidomics",
        ]
        | None
    ) = _asked("encouraged", _STUDY)  # fmt: skip
    library_kit: str | None = _asked("encouraged", _STUDY)
    run_order: Amount | None = _asked("encouraged", _STUDY)
    run_date: str | None = _asked("encouraged", _STUDY)
    spike_in: Literal["none", "cel-miR-39", "UniSp6", "other"] | None = _asked("encouraged", _STUDY)
    ev_track_id: Annotated[str, Field(pattern=r"^EV\d{6}$")] | None = _asked("encouraged", _TRACK)


class WrongCells(BaseModel):
    """Cells of one column that the schema does not allow.

    Parameters
    ----------
    column : str
        Its name.
    count : int
        How many samples.
    shown : str
        The first three, with their samples.
    expected : str
        What is allowed.
    """

    column: str
    count: int
    shown: str
    expected: str


def fields_asked(need: str) -> list[str]:
    """Give the fields that are asked for this much."""
    return [name for name, field in Preanalytics.model_fields.items() if _need(field.json_schema_extra) == need]


def _need(extra: Any) -> str:
    return str(dict(extra or {}).get("need"))


def absent_fields(sheet: SampleSheet, need: str) -> list[str]:
    """Give the fields that the sheet has no column for, or only blank cells."""
    columns = _columns(sheet)
    return [name for name in fields_asked(need) if name not in columns or bool(sheet.frame[columns[name]].isna().all())]


def _columns(sheet: SampleSheet) -> dict[str, str]:
    """Columns of the sheet by field."""
    by_case = {str(column).lower(): str(column) for column in sheet.frame.columns}
    return {name: by_case[name.lower()] for name in Preanalytics.model_fields if name.lower() in by_case}


def wrong_cells(sheet: SampleSheet) -> list[WrongCells]:
    """Hold the sheet's cells against the schema; case does not matter."""
    found = []
    for name, column in _columns(sheet).items():
        spelled = {choice.lower(): choice for choice in _choices(name)}
        wrong = []
        for sample, cell in sheet.frame[column].items():
            if pd.isna(cell):
                continue
            try:
                Preanalytics.model_validate({name: spelled.get(str(cell).lower(), cell)})
            except ValidationError:
                wrong.append(f"{sample}: {cell}")
        if wrong:
            expected = ", ".join(_choices(name)) or "a number in range, or a text of the form in the schema"
            found.append(WrongCells(column=column, count=len(wrong), shown=first_three(wrong), expected=expected))
    return found


def _choices(name: str) -> tuple[str, ...]:
    """Give the allowed texts of a field; empty when it is a number or free text."""
    for part in get_args(Preanalytics.model_fields[name].annotation):
        if choices := [choice for choice in get_args(part) if isinstance(choice, str)]:
            return tuple(choices)
    return ()


def mixtures(sheet: SampleSheet) -> dict[str, dict[str, int]]:
    """Give the handling fields of which the cohort holds several values, with counts."""
    found = {}
    for name, column in _columns(sheet).items():
        if name in MIXED_NEEDS_BATCH:
            counts = sheet.frame[column].dropna().value_counts()
            if len(counts) > 1:
                found[column] = {str(value): int(count) for value, count in counts.items()}
    return found
