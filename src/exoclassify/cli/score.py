"""exoclassify score: new samples in, answers out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exoclassify.cli.doors import note
from exoclassify.cli.explained import check_explained, missed, summary, write_explained
from exoclassify.cli.options import (
    BatchIs,
    Columns,
    Format,
    IdColumn,
    Level,
    MaxWrong,
    Prevalence,
    SameBatch,
    Sheet,
    Site,
    reading_of,
    used,
)
from exoclassify.cli.outputs import check_file
from exoclassify.cli.visits import Visit, one_table
from exoclassify.cli.watching import watched

if TYPE_CHECKING:
    from exoclassify.data.layers import LayerFile
    from exoclassify.model.bundle import ModelBundle
    from exoclassify.model.prediction import Use
    from exoclassify.scoring.finishing import Report
    from exoclassify.scoring.long import LongNames
    from exoclassify.scoring.runners import Runner
    from exoclassify.scoring.stream import Asked
    from exoclassify.tables.asked import Reading

__all__ = ["INCOMPLETE", "score"]

INCOMPLETE = 3
"""Exit code when everything that could be scored was, and some rows or files could not."""


def score(
    model: Annotated[Path, typer.Argument(help="Folder of the model.")],
    more: Annotated[
        list[str] | None, typer.Argument(metavar="[CARGO]...", help="More tables, as of a shell's pattern.")
    ] = None,
    cargo: Annotated[
        list[str] | None,
        typer.Option(
            help="Table of new samples: .csv, .tsv (also .gz, .zst), .parquet, .arrow, .xlsx; a folder of such; a pattern; an "
            "address (https://, s3://). Give it again for more. Samples in rows at any size, in columns if it fits into memory."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write: .csv, .tsv, .jsonl, .parquet or .arrow. With --watch, a folder.")
    ] = None,
    layer: Annotated[
        list[str] | None,
        typer.Option(
            help="Table of one layer, for a model of several: NAME=TABLE; give it again for each that there is. Samples are "
            "joined by their ids, and may lack layers."
        ),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="What was measured, to be checked against the model.  [default: the model's]")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="Unit of the values, to be checked against the model.  [default: the model's]")
    ] = None,
    prevalence: Prevalence = None,
    samples: Annotated[
        Path | None, typer.Option(help="Sheet that says the batch of each sample, in the column --batch.")
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            help="Column that holds each sample's batch: of the sheet --samples, else of the table itself (it is kept)."
        ),
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="Column of the sheet that says which person a sample is of.")
    ] = None,
    visit: Visit = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            help="For a model of changes: table of the baseline of each sample, under its id. Or give --samples, --subject and "
            "--visit."
        ),
    ] = None,
    batch_is: BatchIs = None,
    same_batch: SameBatch = False,
    site: Site = None,
    max_wrong: MaxWrong = None,
    level: Level = None,
    explain: Annotated[
        int | None,
        typer.Option(
            help="Also name the molecules that moved each answer most, this many a sample, in a .explained.csv beside the output."
        ),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="Column that passes through to the output, or a key=value folder's key; repeat for more."),
    ] = None,
    long: Annotated[
        str | None,
        typer.Option(
            help="The tables are in long format, with these columns: sample,molecule,value. The rows of a sample stand "
            "together."
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first row or file that cannot be used; write nothing.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the parts that a stopped run left beside the output.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes of a local Dask cluster.  [default: threads of this process]")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask cluster that does the work, as tcp://host:8786.")
    ] = None,
    watch: Annotated[
        Path | None,
        typer.Option(
            help="Folder to watch: each table that arrives complete is scored into --out once, and moved to done/ or failed/ "
            "in it with a report. Runs until stopped; goes on after a restart."
        ),
    ] = None,
    every: Annotated[float, typer.Option(min=0.05, help="Seconds between two looks at the watched folder.")] = 5.0,
    once: Annotated[
        bool, typer.Option("--once", help="Score what lies in the watched folder and leave, as for cron.")
    ] = False,
    ending: Annotated[
        str,
        typer.Option("--answers", help="Format of the answers to a watched folder: csv, tsv, jsonl, parquet or arrow."),
    ] = "csv",
    form: Format = None,
    columns: Columns = None,
    sheet: Sheet = None,
    id_column: IdColumn = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="First demand that the model still gives its own golden answers.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Answer for new samples: a probability for each state, and a call where it can be trusted.

    Writes one row a sample: sample_id, call, best_guess, p_best_guess, p_<state>…, prediction_set, novelty_p, coverage, flags,
    reason, place, model, version. A call is a state, or `uncertain` with the reason. Without a word on where the samples are
    from they are answered as from a batch that was not trained on. Rows that cannot be used are named in OUT.rejected.csv;
    the exit code is then 3. Support for a decision, not a diagnosis.
    """
    given = [*(cargo or []), *(more or [])]
    if out is None or [bool(given), bool(layer), watch is not None].count(True) != 1:
        raise typer.BadParameter(
            "say what to score and where to write it: --cargo TABLE --out FILE, --layer NAME=TABLE … --out FILE, or "
            "--watch FOLDER --out FOLDER"
        )
    files = _layer_files(layer, reading_of(form, columns, sheet, id_column), kind or unit or long or resume or keep)
    inputs = [*map(Path, given), *(Path(file.cargo) for file in files)]
    if watch is None:
        _check_outputs(model, inputs, out, force=force)
        check_explained(out, explain, force=force, inputs=(*inputs, *model.glob("*")))
    elif explain is not None:
        raise typer.BadParameter("a watched folder is not explained; score the file in question with --cargo")
    use = used(prevalence, same_batch, batch_is, site, max_wrong, level)
    _check_place(use, samples if visit is None else None, batch)
    from exoclassify.model.bundle import ModelBundle
    from exoclassify.scoring.stream import Asked

    bundle = ModelBundle.load(model, verify=verify)
    asked = Asked(
        kind,
        unit,
        use=use,
        batches=None if samples is None or batch is None else _batches(samples, batch),
        batch_column=batch if samples is None else None,
        keep=tuple(keep or ()),
        long=_long(long),
        reading=reading_of(form, columns, sheet, id_column),
        strict=strict,
        resume=resume,
        force=force,
    )
    _say_unknown(bundle, asked)
    runner = _runner(workers, scheduler)
    if watch is not None:
        watched(bundle, watch, out, f".{ending.removeprefix('.')}", asked, runner, every=every, once=once)
        return
    with one_table(bundle, given, files, asked, (samples, subject, visit, baseline)) as (given, asked):
        report = _scored(bundle, given, out, asked, runner)
        told = [] if explain is None else write_explained(bundle, given, asked, report, explain, force=force)
    if report.tally.trained_on:
        profile = " or made the profile of its site" if bundle.about.recalibration is not None else ""
        note(
            f"{report.tally.trained_on} of these {report.tally.n} samples were trained on{profile}: what the model says of "
            "them does not show how good it is"
        )
    if bundle.about.training.simulated:
        note("this model was trained on simulated samples: not for use on patients")
    for text in report.notes[:_MOST_NOTES]:
        note(text)
    for line in [*summary(bundle, report.tally, use.prevalence), *missed(report), *told]:
        print(line)
    print(f"written to {out}")
    if not report.complete:
        raise typer.Exit(INCOMPLETE)


_MOST_NOTES = 20
"""Lines about the files; a folder of thousands would say thousands."""


def _layer_files(layer: list[str] | None, reading: Reading, of_one_table: object) -> list[LayerFile]:
    """Say where layers are; what is said of one table does not go with them."""
    from exoclassify.data.layers import LayerFile

    if layer and of_one_table:
        raise typer.BadParameter(
            "of layers, kind and unit stand in --layer; --long, --resume and --keep are of one table"
        )
    return [LayerFile.parse(text, reading) for text in layer or []]


def _check_place(use: Use, samples: Path | None, batch: str | None) -> None:
    if batch is not None and (use.same_batch or use.batch or use.site):
        raise typer.BadParameter("say one of --batch, --batch-is, --same-batch and --site: they are different places")
    if samples is not None and batch is None:
        raise typer.BadParameter("name the column of the sheet that holds the batch with --batch")


def _batches(sheet: Path, column: str) -> dict[str, str]:
    """Read the batch of each sample from a sheet."""
    from exoclassify.data.samples import SampleSheet

    read = SampleSheet.read(sheet, batch=column)
    return dict(zip(read.sample_ids, read.frame[column].fillna("").astype(str), strict=True))


def _say_unknown(bundle: ModelBundle, asked: Asked) -> None:
    """Name batches that training did not know."""
    from exoclassify.errors import first_three

    names = {asked.use.batch, *(asked.batches or {}).values()} - {""}
    unknown = sorted(names - set(bundle.blend.calibration.batches))
    if unknown:
        known = ", ".join(bundle.blend.calibration.batches) or "none"
        note(f"not trained on, and so answered as unknown batches: {first_three(unknown)} (trained on: {known})")


def _check_outputs(model: Path, inputs: list[Path], out: Path, *, force: bool) -> None:
    from exoclassify.scoring.finishing import rejected_path

    for path in (out, rejected_path(out)):
        check_file(path, force=force, inputs=(*inputs, *model.glob("*")))


def _runner(workers: int | None, scheduler: str | None) -> Runner:
    from exoclassify.scoring.runners import Threads

    if workers is None and scheduler is None:
        return Threads(os.cpu_count() or 1)
    from exoclassify.scoring.runners import Cluster

    return Cluster(scheduler, workers)


def _scored(bundle: ModelBundle, given: list[str], out: Path, asked: Asked, runner: Runner) -> Report:
    from exoclassify.cli.progress import rows_bar
    from exoclassify.scoring.stream import score_files

    parts = out.with_name(f"{out.name}.parts")
    try:
        with rows_bar() as progress:
            return score_files(bundle, given, out, asked, runner=runner, progress=progress)
    except BaseException:
        if parts.exists():
            note(f"what was scored is kept in {parts}; the same command with --resume goes on from there")
        raise


def _long(text: str | None) -> LongNames | None:
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if len(names) != 3 or not all(names):
        raise typer.BadParameter(
            "give three columns with commas between, as in sample,molecule,value", param_hint="--long"
        )
    from exoclassify.scoring.long import LongNames

    return LongNames(*names)
