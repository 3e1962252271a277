"""exoclassify records: what was answered in use, how long it is kept, and how a person is forgotten."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exoclassify.cli.database import Database, database
from exoclassify.cli.registry import Json, say

if TYPE_CHECKING:
    from exoclassify.monitoring.retention import Removed

__all__ = ["records"]

records = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count.")]


@records.callback()
def _records() -> None:
    """Look after records of use: deliver, prune, forget."""


@records.command()
def deliver(
    spool: Annotated[Path, typer.Option(help="Folder where records wait.")],
    url: Database = "sqlite:///records.db",
    as_json: Json = False,
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
    as_json: Json = False,
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
    as_json: Json = False,
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
