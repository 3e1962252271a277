"""Scores files of any size, and explains the answers: in pieces, in order, with memory that does not grow."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from exoclassify.data.units import KINDS, UNITS, known_kind, known_unit
from exoclassify.errors import FileError, ModelError, check_type
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.panel import Panel
from exoclassify.model.prediction import Use, shifted_prevalence
from exoclassify.scoring.finishing import Report, Tally, finish
from exoclassify.scoring.job import Job, batches_of
from exoclassify.scoring.long import LongNames
from exoclassify.scoring.parts import Parts
from exoclassify.scoring.planning import Plan, planned
from exoclassify.scoring.rows import RowPiece, RowStretch, checked, steps
from exoclassify.scoring.runners import Progress, Runner, Threads, Watcher
from exoclassify.tables.asked import AS_WRITTEN, Reading
from exoclassify.tables.encoding import check_ending
from exoclassify.tables.ids import check_choice
from exoclassify.tables.sources import Source, find_sources
from exoclassify.typing import Floats

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Asked", "answered_rows", "explained_files", "score_files"]


@dataclass(frozen=True)
class Asked:
    """What is asked of a run beside model, files and output.

    Parameters
    ----------
    kind, unit : str, optional
        What the files hold, to be checked against the model; the model's if omitted.
    use : Use
        Where the samples are from, and how sure the answers must be.
    batches : mapping of str to str, optional
        The batch of each sample by its id, instead of `Use.batch`.
    batch_column : str, optional
        Column of the tables that holds the batch, instead of `Use.batch`; it passes through to the output.
    keep : tuple of str
        Columns that pass through to the output; ``key=value`` folders count as columns.
    long : LongNames, optional
        The files are in long format, with these columns.
    reading : Reading
        How the files are to be read, where their content does not say it.
    strict : bool
        Stop at the first row or file that cannot be used.
    resume : bool
        Go on with the parts of an earlier run that was stopped.
    force : bool
        Replace an output that is there.
    """

    kind: str | None = None
    unit: str | None = None
    use: Use = field(default_factory=Use)
    batches: Mapping[str, str] | None = None
    batch_column: str | None = None
    keep: tuple[str, ...] = ()
    long: LongNames | None = None
    reading: Reading = AS_WRITTEN
    strict: bool = False
    resume: bool = False
    force: bool = False

    @property
    def kept(self) -> tuple[str, ...]:
        """Columns that pass through, the batch's among them."""
        own = () if self.batch_column is None or self.batch_column in self.keep else (self.batch_column,)
        return (*self.keep, *own)


def score_files(
    bundle: ModelBundle,
    given: str | Path | Sequence[str | Path],
    out: str | Path,
    asked: Asked | None = None,
    *,
    runner: Runner | None = None,
    progress: Progress | None = None,
) -> Report:
    """Score files into one file, in their order.

    Parameters
    ----------
    bundle : ModelBundle
        Who answers.
    given : str, Path, or a sequence of them
        Files, folders, patterns and addresses, as `find_sources` takes them.
    out : str or Path
        Ends in .csv, .tsv, .jsonl, .parquet or .arrow.
    asked : Asked, optional
        Everything else.
    runner : Runner, optional
        Who does the work; two threads by default.
    progress : callable, optional
        Called with bytes done, bytes in all, and rows done.

    Returns
    -------
    Report
        Every row of every file is in the output or among the rejected rows beside it.

    Raises
    ------
    FileError
        If a file is missing, the output is there, or it cannot be written; parts that are done stay for `Asked.resume`.
    InputError, ModelError
        If no file can be used as stated.
    """
    check_type(bundle, ModelBundle, "score_files: bundle", "a ModelBundle, such as ModelBundle.load(folder)")
    check_type(
        given, (str, Path, list, tuple), "score_files: given", "a path or a list of paths; a frame goes to predict"
    )
    check_type(out, (str, Path), "score_files: out", "the path of the file to write")
    asked = Asked() if asked is None else asked
    out, runner = Path(out), runner or Threads(2)
    check_ending(out.name)
    sources, left_out = find_sources([str(one) for one in ([given] if isinstance(given, str | Path) else given)])
    panel = bundle.panel
    if bundle.about.visits is not None and bundle.about.visits.reads != "response" and asked.unit is None:
        raise ModelError(
            f"{bundle.name} reads changes against a sample of the same person, and these are samples; use exoclassify score with "
            "--samples SHEET --subject COLUMN --visit COLUMN, or state --unit value if they are changes"
        )
    kind, unit = known_kind(asked.kind or panel.kind), known_unit(asked.unit or panel.unit)
    for what, word, known in (("kind", kind, (*KINDS, panel.kind)), ("unit", unit, (*UNITS, panel.unit))):
        check_choice(sources[0].name, what, word, known)
    panel.check_stated(kind, unit, sources[0].name)
    keep = asked.kept
    plans, malformed = planned(sources, panel, keep, asked.long, asked.reading)
    if malformed and (asked.strict or not plans):
        raise malformed[0][1]
    asked.use.check()
    shifted_prevalence(bundle.states, bundle.blend.prevalence, asked.use.prevalence)
    bundle.blend.place(asked.use)
    job = Job(bundle, asked.use, asked.batches, asked.batch_column, keep, out.suffix)
    parts = Parts.begin(out, _manifest(job, sources, asked), resume=asked.resume, force=asked.force)
    done = False
    try:
        numbers: dict[str, list[int]] = {}
        watcher = Watcher(float(sum(plan.source.size for plan in plans)), progress, asked.strict)
        runner.run(job, _numbered(plans, numbers), parts, watcher)
        order = [(plan.source, numbers.get(plan.source.url, [])) for plan in plans]
        _check_unchanged(plans)
        faults = [(source, str(error)) for source, error in malformed]
        report = finish(parts, order, faults, job.schema(), Tally(bundle.states), out)
        done = True
    finally:
        parts.leave(keep=not done and parts.n_stored > 0 and not asked.strict)
    notes = tuple(f"{plan.source.name}: {note}" for plan in plans for note in plan.notes)
    return replace(report, left_out=tuple(left_out), notes=notes)


def _numbered(plans: Sequence[Plan], numbers: dict[str, list[int]]) -> Iterator[tuple[int, RowStretch]]:
    number = 0
    for plan in plans:
        mine = numbers.setdefault(plan.source.url, [])
        for stretch in plan.cut():
            mine.append(number)
            yield number, stretch
            number += 1


def _check_unchanged(plans: Sequence[Plan]) -> None:
    for plan in plans:
        now = find_sources([plan.source.url])[0][0]
        if (now.size, now.stamp) != (plan.source.size, plan.source.stamp):
            raise FileError(
                f"{plan.source.name}: changed while it was scored; wait until it is complete, and begin anew with --force"
            )


def _manifest(job: Job, sources: Sequence[Source], asked: Asked) -> dict[str, Any]:
    bundle = job.bundle
    about = json.dumps(bundle.about.to_json(), sort_keys=True).encode()
    return {
        "parts format": 4,
        "model": hashlib.sha256(about + bundle.golden_probabilities().tobytes()).hexdigest(),
        "files": [[source.url, source.size, source.stamp] for source in sources],
        "kept columns": list(job.keep),
        "prevalence, place or limits": repr((asked.use, sorted((asked.batches or {}).items()), asked.batch_column)),
        "strictness": asked.strict,
        "format": [job.ending, list(asked.long) if asked.long else None],
        **({} if asked.reading == AS_WRITTEN else {"reading": repr(asked.reading)}),
        "library version": [np.__version__, pa.__version__],
    }


_TOGETHER = 500
"""Rows explained at once: their contributions to every state are in memory."""


def explained_files(
    bundle: ModelBundle, given: Sequence[str], asked: Asked, n: int, without: Collection[str] = ()
) -> Iterator[pd.DataFrame]:
    """Name the molecules that moved the answer to each row of files that `score_files` has answered for.

    Parameters
    ----------
    without : collection of str
        Sample ids that got no answer though their rows are sound: those that come twice.

    Yields
    ------
    DataFrame
        As `exoclassify.model.explanations.explanations` gives it, for some rows, in their order; rows without an answer are
        left out.
    """
    from exoclassify.evidence.catalogue import Catalogue
    from exoclassify.model.explanations import explained

    known = Catalogue.read()
    for ids, X, batches in answered_rows(bundle, given, asked, without):
        yield explained(bundle, ids, X, n, known, asked.use, batches)


def answered_rows(
    bundle: ModelBundle, given: Sequence[str], asked: Asked, without: Collection[str] = ()
) -> Iterator[tuple[list[str], Floats, list[str] | None]]:
    """Read the rows that got an answer again.

    Yields
    ------
    X : ndarray of shape (n_rows, n_molecules)
        Raw values in the panel's order.
    """
    plans, _ = planned(find_sources(given)[0], bundle.panel, asked.kept, asked.long, asked.reading)
    for plan in plans:
        for stretch in plan.cut():
            for step in steps(stretch):
                if step.piece is not None:
                    yield from _answered(step.piece, bundle.panel, plan.source.name, asked, without)


def _answered(
    piece: RowPiece, panel: Panel, source: str, asked: Asked, without: Collection[str]
) -> Iterator[tuple[list[str], Floats, list[str] | None]]:
    """Give the rows of a piece that got an answer, some at a time; of a broken piece none did, which was said."""
    try:
        rows, blocks = checked(piece.rows(), panel, source, np.copy)
    except FileError:
        return
    ids = rows.ids.to_pylist()
    batches = batches_of(rows, asked.batches, asked.batch_column, asked.kept)
    X = np.concatenate([np.empty((0, len(panel.molecules))), *blocks])
    kept = [i for i, sample in enumerate(ids) if sample not in without]
    for at in range(0, len(kept), _TOGETHER):
        some = kept[at : at + _TOGETHER]
        yield [ids[i] for i in some], X[some], None if batches is None else [batches[i] for i in some]
