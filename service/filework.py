"""A file read, and answers written beside it."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from exoclassify.data.cargo import CargoTable
from exoclassify.errors import ExoclassifyError
from exoclassify.evidence.catalogue import Catalogue
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import Predictions
from service.predict import explanation, result
from service.published import Published
from service.schemas import Sample

__all__ = ["work"]


def work(job: dict[str, Any]) -> dict[str, Any]:
    """Score one file.

    Parameters
    ----------
    job : dict
        model, folder, source, format, kind, unit, same_batch, prevalence, explain, records. The folder holds the source, and the
        file ``answers`` is written into it.

    Returns
    -------
    dict
        ``calls``: samples by call, or ``error``: one line that names the mend.
    """
    folder = Path(job["folder"])
    try:
        bundle = ModelBundle.load(job["model"])
        panel = bundle.panel
        table = CargoTable.read(
            folder / job["source"],
            kind=job["kind"],
            unit=job["unit"],
            molecules=panel.canonical,
            not_detected=panel.not_detected if job["unit"] == "ct" else None,
        )
        found = bundle.predict(table, prevalence=job["prevalence"], same_batch=job["same_batch"])
    except (ExoclassifyError, MemoryError) as error:
        said = " ".join(str(error).replace(f"{folder}{os.sep}", "").split())
        if isinstance(error, MemoryError) or "malloc of size" in said:  # how Arrow says it
            said = f"{job['source']}: takes more memory than one file may; send less at a time"
        return {"error": said}
    _write(found, bundle, table, job, folder / "answers")
    return {
        "calls": Counter(found.calls),
        "unrecorded": _record(found, folder / job["source"], job["records"]),
    }


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


def _write(
    found: Predictions, bundle: ModelBundle, table: CargoTable, job: dict[str, Any], out: Path
) -> None:
    form = job["format"]
    if form == "ndjson":
        X, published = bundle.panel.values(table), Published(Catalogue.read())
        with out.open("wb") as file:
            for i, sample in enumerate(found.sample_ids):
                answer = result(found, i, Sample(sample, {}))
                if job["explain"]:
                    answer.explanation = explanation(bundle, X[i : i + 1], job["explain"], published)
                file.write(msgspec.json.encode(answer) + b"\n")
    elif form == "arrow":
        answers = pa.Table.from_pandas(found.to_frame(), preserve_index=False)
        with pa.ipc.new_stream(out, answers.schema) as writer:
            writer.write_table(answers)
    else:
        partial = out.with_suffix(f".{form}")
        found.write(partial)
        partial.rename(out)
