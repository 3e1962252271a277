"""A file read, and answers written beside it.

``python -m service.filework`` is the process; it answers for one file after the other, and what it answers with is loaded
before the first one comes.
"""

from __future__ import annotations

import csv
import hashlib
import os
import resource
from collections.abc import Iterator
from contextlib import closing
from functools import cache, partial
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from exoclassify.errors import ExoclassifyError, FileError
from exoclassify.evidence.catalogue import Catalogue
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.child import carry_out
from exoclassify.model.explain import contributions
from exoclassify.model.prediction import Predictions, Use
from exoclassify.scoring.finishing import REJECTED_COLUMNS, rejected_rows
from exoclassify.scoring.runners import Threads
from exoclassify.scoring.stream import Asked, answered_rows, score_files
from exoclassify.tables.encoding import Column, encoded, guarded, sink
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


_TOLD = 5
"""Rejected rows that are named beside the answers; ``format=rejected`` names all."""


def _work(job: dict[str, Any]) -> dict[str, Any]:
    """Score one file, as `exoclassify score` does.

    Parameters
    ----------
    job : dict
        model, folder, source, called, format, kind, unit, use, incomplete, explain, records. The folder holds the source, and the
        file ``answers`` is written into it.

    Returns
    -------
    dict
        ``calls``: samples by call, ``report``: what became of the rows, ``unrecorded``: why they were not recorded; or
        ``error``: one line that names the fix.
    """
    folder, scored = Path(job["folder"]), Path(job["folder"], "scored.arrow")
    source = folder / job["source"]

    def told(text: str) -> str:
        return " ".join(text.replace(f"{folder}{os.sep}", "").split()).replace(job["source"], job["called"])

    try:
        bundle = _bundle(job["model"])
        asked = Asked(job["kind"], job["unit"], Use(**job["use"]))
        report = score_files(bundle, [str(source)], scored, asked, runner=Threads(1))
        if report.broken and not job["incomplete"]:
            raise FileError(
                f"{report.broken[0]}; send it whole, or ask with incomplete=true for the {report.tally.n:,} answers there are"
            )
    except (ExoclassifyError, MemoryError) as error:
        said = told(str(error))
        if isinstance(error, MemoryError) or "malloc of size" in said:  # how Arrow says it
            said = f"{job['called']}: takes more memory than one file may; send less at a time"
        return {"error": said}
    rejected = [{**row, "file": job["called"], "reason": told(row["reason"])} for row in rejected_rows(report)]
    if job["format"] == "rejected":
        _write_rejected(rejected, folder / "answers")
        return {"calls": {}, "report": {}, "unrecorded": ""}
    if not report.tally.n:
        return {
            "error": f"{job['called']}: none of its rows can be used ({rejected[0]['reason'] if rejected else 'there are none'})"
        }
    answers = partial(_answers, scored, bundle)
    unrecorded = _record(answers(), source, job["records"])
    if job["format"] == "ndjson":
        without = frozenset(row["sample_id"] for row in rejected)
        _write_objects(answers(), bundle, str(source), asked, without, job["explain"], folder / "answers")
    else:
        _write_columns(scored, f".{job['format']}", folder / "answers")
    found = {
        "samples": report.tally.n,
        "rejected": report.n_rejected,
        "complete": report.complete,
        "first": rejected[:_TOLD],
    }
    calls = {call: n for call, n in report.tally.calls.items() if n}
    return {
        "calls": calls,
        "report": found | {"notes": [told(note) for note in report.notes]},
        "unrecorded": unrecorded,
    }


def _answers(scored: Path, bundle: ModelBundle) -> Iterator[Predictions]:
    with pa.ipc.open_stream(scored) as reader:
        for batch in reader:
            yield Predictions.of_columns(batch, bundle.states)


def _record(answers: Iterator[Predictions], body: Path, records: dict[str, str] | None) -> str:
    """Leave records for the worker to deliver, before the first answer goes out; say why not where that fails."""
    if records is None:
        return ""
    from exoclassify.monitoring.rows import Source, entry_of, leave_in_spool

    with body.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        for found in answers:
            source = Source(len(found.sample_ids), records["request_id"], sha256, records["key"] or None)
            leave_in_spool(Path(records["spool"]), entry_of(found, [source]))
    except (ExoclassifyError, OSError) as error:
        return str(error)
    return ""


def _write_objects(
    answers: Iterator[Predictions],
    bundle: ModelBundle,
    source: str,
    asked: Asked,
    without: frozenset[str],
    explain: int,
    out: Path,
) -> None:
    """Write the objects that /v1/predict answers with, one a line."""
    rows = (X[i : i + 1] for _, X, _ in answered_rows(bundle, [source], asked, without) for i in range(len(X)))
    head, published = bundle.blend.place(asked.use)[0].head, _published()
    with out.open("wb") as file:
        for found in answers:
            for i, sample in enumerate(found.sample_ids):
                answer = result(found, i, Sample(sample, {}))
                if explain:
                    answer.explanation = explanation(bundle, next(rows), explain, published, head, answer.best_guess)
                file.write(msgspec.json.encode(answer) + b"\n")


def _write_columns(scored: Path, ending: str, out: Path) -> None:
    with pa.ipc.open_stream(scored) as reader, closing(sink(out, ending, reader.schema)) as file:
        for batch in reader:
            columns = [Column(name, cells) for name, cells in zip(batch.schema.names, batch.columns, strict=True)]
            names, arrays = zip(*encoded(columns, ending, batch.num_rows), strict=True)
            file.write(pa.table(list(arrays), names=list(names)))


def _write_rejected(rejected: list[dict[str, str]], out: Path) -> None:
    with out.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, REJECTED_COLUMNS, lineterminator="\n")
        rows.writeheader()
        rows.writerows({**row, "file": guarded(row["file"])} for row in rejected)


if __name__ == "__main__":
    carry_out(carried_out)
