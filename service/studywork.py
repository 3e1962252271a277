"""A study in a process of its own: what its files seem to be, an audit, or a model that is trained and judged.

``python -m service.studywork`` is the process; `service.studies` gives it its orders.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exoclassify.auditing.audit import audit
from exoclassify.data.cohort import Cohort
from exoclassify.data.guessing import guessed
from exoclassify.data.layers import LayerFile
from exoclassify.data.samples import SampleSheet
from exoclassify.data.study import Study
from exoclassify.errors import ExoclassifyError, InputError
from exoclassify.learning.recipe import Recipe
from exoclassify.lifecycle.finish import finish
from exoclassify.lifecycle.own import write_own
from exoclassify.model.child import carry_out
from exoclassify.report.external import audit_report
from exoclassify.report.saving import save
from exoclassify.report.verdict import verdict_of_audit, verdict_of_model

__all__ = ["carried_out"]

_MOST_LEVELS = 12
"""Levels of a column that are named, for a person to choose by."""


def carried_out(order: dict[str, Any]) -> dict[str, Any]:
    """Carry out an order of the service.

    Parameters
    ----------
    order : dict
        folder, tables and samples (files in it), called (their names on the user's disk), do: ``look``, ``audit`` or ``train``;
        for the last two also kind and unit, or layers where there are several tables, label, subject, batch, covariates, name.

    Returns
    -------
    dict
        What was found, or ``error``: one line that names the fix.
    """
    folder = Path(order["folder"])
    work: dict[str, Callable[[Path, dict[str, Any]], dict[str, Any]]] = {
        "look": _look,
        "audit": _audit,
        "train": _train,
    }
    try:
        return work[order["do"]](folder, order)
    except MemoryError:
        return {
            "error": "the study takes more memory than it may; send fewer molecules, or train with exoclassify train"
        }
    except ExoclassifyError as error:
        said = " ".join(str(error).replace(f"{folder}{os.sep}", "").split())
        files = "|".join(map(re.escape, order["called"]))
        return {"error": re.sub(files, lambda found: order["called"][found[0]], said)}


def _look(folder: Path, order: dict[str, Any]) -> dict[str, Any]:
    looked = [guessed(folder / table, folder / order["samples"], {}) for table in order["tables"]]
    study, reasons = looked[0]
    frame = SampleSheet.read(folder / order["samples"]).frame
    columns = [
        {"name": str(name), "levels": [str(level) for level in frame[name].dropna().unique()[:_MOST_LEVELS]]}
        for name in frame.columns
    ]
    tables = [
        {"called": order["called"][table], "name": name, "kind": one.kind, "unit": one.unit}
        for table, name, (one, _) in zip(order["tables"], _names(order, looked), looked, strict=True)
    ]
    seems = {key: getattr(study, key) for key in ("kind", "unit", "label", "subject", "batch")}
    return {"seems": seems, "reasons": reasons, "columns": columns, "samples": len(frame), "tables": tables}


def _names(order: dict[str, Any], looked: list[tuple[Study, dict[str, str]]]) -> list[str]:
    """Name layers by what was measured; by their files where two hold the same."""
    kinds = [one.kind for one, _ in looked]
    if len(set(kinds)) == len(kinds):
        return kinds
    stems = [
        re.sub(r"[^A-Za-z0-9_-]+", "-", Path(order["called"][table]).stem).strip("-_") for table in order["tables"]
    ]
    return [stem or f"layer{i}" for i, stem in enumerate(stems, start=1)]


def _cohort(folder: Path, order: dict[str, Any]) -> Cohort:
    tables, layers = order["tables"], order["layers"]
    subject, batch = order["subject"] or None, order["batch"] or None
    if len(tables) == 1:
        return Cohort.read(
            folder / tables[0], kind=order["kind"], unit=order["unit"], samples=folder / order["samples"], label=order["label"],
            subject=subject, batch=batch,
        )  # fmt: skip
    if len(layers) != len(tables):
        raise InputError(f"there are {len(tables)} tables; say name, kind and unit of each in layers, in their order")
    files = [
        LayerFile(one["name"], str(folder / table), one["kind"], one["unit"])
        for table, one in zip(tables, layers, strict=True)
    ]
    return Cohort.read_layers(
        files, samples=folder / order["samples"], label=order["label"], subject=subject, batch=batch
    )


def _progress(folder: Path) -> Callable[[int, int], None]:
    """Give a callback that leaves how far the work is where the service looks."""

    def saw(done: int, total: int) -> None:
        partial = folder / "progress.partial"
        partial.write_text(json.dumps([done, total]))
        os.replace(partial, folder / "progress")

    return saw


def _audit(folder: Path, order: dict[str, Any]) -> dict[str, Any]:
    cohort = _cohort(folder, order)
    found = audit(cohort, covariates=order["covariates"], progress=_progress(folder)).to_dict()
    samples = {state: int((cohort.y == state).sum()) for state in cohort.states}
    save(
        audit_report(found, source=" and ".join(order["called"][table] for table in order["tables"]), samples=samples),
        folder / "report.html",
    )
    shutil.make_archive(str(folder / "report-files"), "zip", folder / "report-files")
    tone, verdict = verdict_of_audit(found)
    return {"tone": tone, "verdict": verdict, "notes": list(cohort.notes), "model": None}


def _train(folder: Path, order: dict[str, Any]) -> dict[str, Any]:
    cohort = _cohort(folder, order)
    finished = finish(
        cohort, Recipe(), covariates=order["covariates"], name=order["name"], n_jobs=1, progress=_progress(folder)
    )
    bundle = finished.bundle
    bundle.save(folder / "model")
    shutil.make_archive(str(folder / "model"), "zip", folder / "model")
    write_own(finished, cohort, predictions=folder / "predictions.csv", report=folder / "report.html")
    shutil.make_archive(str(folder / "report-files"), "zip", folder / "report-files")
    tone, verdict = verdict_of_model(bundle.about)
    return {"tone": tone, "verdict": verdict, "notes": list(cohort.notes), "model": f"{bundle.name} {bundle.version}"}


if __name__ == "__main__":
    carry_out(carried_out)
