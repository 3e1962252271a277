"""exoclassify records and outcomes: what was answered, what the samples turned out to be, and how a person is forgotten."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exoclassify.cli import options as opt
from exoclassify.cli.registry import say

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from exoclassify.monitoring.retention import Removed

__all__ = ["Database", "database", "outcomes", "records"]

outcomes, records = (
    typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False) for _ in ("outcomes", "records")
)

Database = Annotated[
    str,
    typer.Option(
        "--database", envvar="EXOCLASSIFY_DATABASE", help="sqlite:///FILE or postgresql://user:password@host/name."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count.")]


@contextmanager
def database(url: str) -> Iterator[Engine]:
    """Open the database of records, brought to the newest layout."""
    try:
        from exoclassify.monitoring.database import opened, upgrade
    except ImportError as error:
        from exoclassify.errors import FileError

        raise FileError(f"{error.name} is not installed; pip install 'exoclassify[monitoring]'") from error
    engine = opened(url)
    try:
        upgrade(engine)
        yield engine
    finally:
        engine.dispose()


@records.callback()
def _records() -> None:
    """Look after records of use: deliver, prune, forget."""


@records.command()
def deliver(
    spool: Annotated[Path, typer.Option(help="Folder where records wait.")],
    url: Database = "sqlite:///records.db",
    as_json: opt.AsJson = False,
) -> None:
    """Deliver records that wait on disk after a service ended while the database was away."""
    with database(url):
        from exoclassify.monitoring.records import RecordWriter

        writer = RecordWriter(url, spool)
        complete = writer.close()
    say(
        {"delivered": writer.delivered, "complete": complete},
        [f"{writer.delivered} records delivered" + ("" if complete else "; the database did not take the rest")],
        as_json=as_json,
    )


@records.command(no_args_is_help=True)
def prune(
    keep_days: Annotated[int, typer.Option(min=1, help="Days that stay, today among them.")],
    dry_run: DryRun = False,
    url: Database = "sqlite:///records.db",
    as_json: opt.AsJson = False,
) -> None:
    """Remove predictions, outcomes and tallies older than a number of days."""
    first = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=keep_days - 1)
    with database(url) as engine:
        from exoclassify.monitoring.retention import remove_before

        _say_removed(remove_before(engine, first, dry_run=dry_run), dry_run, as_json)


@records.command(no_args_is_help=True)
def forget(
    sample: Annotated[str | None, typer.Option(help="Id of a sample.")] = None,
    subject: Annotated[str | None, typer.Option(help="Id of a person, where the service was told.")] = None,
    dry_run: DryRun = False,
    url: Database = "sqlite:///records.db",
    as_json: opt.AsJson = False,
) -> None:
    """Remove all records of one sample or one person, outcomes too.

    Records that wait on disk are not reached; deliver them first.
    """
    with database(url) as engine:
        from exoclassify.monitoring.retention import forget as forget_in

        _say_removed(forget_in(engine, sample=sample, subject=subject, dry_run=dry_run), dry_run, as_json)


def _say_removed(done: Removed, dry_run: bool, as_json: bool) -> None:
    what = "would remove" if dry_run else "removed"
    line = f"{what} {done.predictions} predictions, {done.outcomes} outcomes, {done.tallies} tallies"
    say({**vars(done), "dry_run": dry_run}, [line], as_json=as_json)


@outcomes.callback()
def _outcomes() -> None:
    """Keep later diagnoses, so that a model can be judged in use."""


@outcomes.command(no_args_is_help=True)
def add(
    file: Annotated[Path, typer.Argument(help="Sheet with sample ids and states, as scored.")],
    state: Annotated[str, typer.Option(help="Column of the state; blank = not known.")] = "state",
    diagnosed: Annotated[str | None, typer.Option(help="Column of the date, as 2026-03-01.")] = None,
    source: Annotated[str | None, typer.Option(help="Kept with each outcome.  [default: the name of the file]")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="A sample known with another state gets the new one.")
    ] = False,
    url: Database = "sqlite:///records.db",
    as_json: opt.AsJson = False,
) -> None:
    """Add outcomes from a file; adding the same again changes nothing.

    Outcomes of samples that were never scored are kept and reported.
    """
    from dataclasses import asdict

    with database(url) as engine:
        from exoclassify.errors import first_three
        from exoclassify.monitoring.outcomes import add_outcomes, read_outcomes

        found = read_outcomes(file, state=state, diagnosed=diagnosed, source=source or file.name)
        done = add_outcomes(engine, found, replace=replace)
    lines = [f"{len(done.new)} new, {len(done.same)} known already, {len(done.replaced)} replaced"]
    for names, what in (
        (done.contradicted, "samples are known with another state and were left; --replace changes them"),
        (done.never_scored, "samples were never scored; their outcomes are kept"),
        (done.strange_states, "states were never among a model's answers for these samples; check the spelling"),
    ):
        if names:
            lines.append(f"{len(names)} {what}: {first_three(names)}")
    say({name: list(ids) for name, ids in asdict(done).items()}, lines, as_json=as_json)
