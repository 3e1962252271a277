"""exoclassify outcomes: what samples turned out to be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exoclassify.cli.database import Database, database
from exoclassify.cli.registry import Json, say

__all__ = ["outcomes"]

outcomes = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False)


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
    as_json: Json = False,
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
