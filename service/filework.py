"""A file read, and answers written beside it."""

from __future__ import annotations

import hashlib
import os
import resource
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from exoclassify.data.cargo import CargoTable
from exoclassify.errors import ExoclassifyError
from exoclassify.evidence.catalogue import Catalogue
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.explain import contributions
from exoclassify.model.prediction import Predictions, Use
from service.predict import explanation, result
from service.published import Published
from service.schemas import Sample

__all__ = ["carried_out"]

_KNOWN: dict[str, ModelBundle] = {}
"""Models by their folder: copies that were verified, and that nobody changes."""

_MOST_KNOWN = 8


def carried_out(order: dict[str, Any]) -> dict[str, Any]:
    """Carry out an order of the worker.

    Parameters
    ----------
    order : dict
        ``{"warm": FOLDER}`` to get ready for a model, or a job as in `_work`.

    Returns
    -------
    dict
        The outcome, and ``peak``: most memory held so far, in bytes.
    """
    outcome = _warmed(order["warm"]) if "warm" in order else _work(order)
    return outcome | {"peak": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


def _warmed(folder: str) -> dict[str, Any]:
    try:
        bundle = _bundle(folder)
        contributions(bundle, bundle.golden[:1])
        _published()
    except (ExoclassifyError, MemoryError) as error:  # said when it is asked for
        return {"error": str(error)}
    return {}


def _bundle(folder: str) -> ModelBundle:
    if folder not in _KNOWN:
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN[folder] = ModelBundle.load(folder)
    return _KNOWN[folder]


@cache
def _published() -> Published:
    return Published(Catalogue.read())


def _work(job: dict[str, Any]) -> dict[str, Any]:
    """Score one file.

    Parameters
    ----------
    job : dict
        model, folder, source, called, format, kind, unit, use, explain, records. The folder holds the source, and the file
        ``answers`` is written into it.

    Returns
    -------
    dict
        ``calls``: samples by call, or ``error``: one line that names the fix.
    """
    folder = Path(job["folder"])
    try:
        bundle = _bundle(job["model"])
        panel = bundle.panel
        table = CargoTable.read(
            folder / job["source"],
            kind=job["kind"],
            unit=job["unit"],
            molecules=panel.canonical,
            not_detected=panel.not_detected if job["unit"] == "ct" else None,
        )
        found = bundle.predict(table, Use(**job["use"]))
    except (ExoclassifyError, MemoryError) as error:
        said = " ".join(str(error).replace(f"{folder}{os.sep}", "").split()).replace(job["source"], job["called"])
        if isinstance(error, MemoryError) or "malloc of size" in said:  # how Arrow says it
            said = f"{job['called']}: takes more memory than one file may; send less at a time"
        return {"error": said}
    _write(found, bundle, table, job, folder / "answers")
    return {"calls": Counter(found.calls), "unrecorded": _record(found, folder / job["source"], job["records"])}


def _record(found: Predictions, body: Path, records: dict[str, str] | None) -> str:
    """Leave records for the worker to deliver, before the first answer goes out; say why not where that fails."""
    if records is None:
        return ""
    from exoclassify.monitoring.rows import Source, entry_of, leave_in_spool

    with body.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    source = Source(len(found.sample_ids), records["request_id"], sha256, records["key"] or None)
    try:
        leave_in_spool(Path(records["spool"]), entry_of(found, [source]))
    except (ExoclassifyError, OSError) as error:
        return str(error)
    return ""


def _write(found: Predictions, bundle: ModelBundle, table: CargoTable, job: dict[str, Any], out: Path) -> None:
    form = job["format"]
    if form == "ndjson":
        X, published = bundle.panel.values(table), _published()
        with out.open("wb") as file:
            for i, sample in enumerate(found.sample_ids):
                answer = result(found, i, Sample(sample, {}))
                if job["explain"]:
                    head = bundle.blend.place(Use(**job["use"]))[0].head
                    answer.explanation = explanation(
                        bundle, X[i : i + 1], job["explain"], published, head, answer.best_guess
                    )
                file.write(msgspec.json.encode(answer) + b"\n")
    elif form == "arrow":
        answers = pa.Table.from_pandas(found.to_frame(), preserve_index=False)
        with pa.ipc.new_stream(out, answers.schema) as writer:
            writer.write_table(answers)
    else:
        partial = out.with_suffix(f".{form}")
        found.write(partial)
        partial.rename(out)
