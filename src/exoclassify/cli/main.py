"""The command line: what it offers, and its exit codes."""

from __future__ import annotations

from typing import Annotated

import typer

from exoclassify.cli.audit import audit
from exoclassify.cli.bench import bench
from exoclassify.cli.compare import compare
from exoclassify.cli.demo import demo
from exoclassify.cli.discover import discover
from exoclassify.cli.doors import Doored, doors
from exoclassify.cli.evaluate import evaluate
from exoclassify.cli.evidence import evidence
from exoclassify.cli.follow import follow
from exoclassify.cli.init import init
from exoclassify.cli.models import models
from exoclassify.cli.monitor import monitor
from exoclassify.cli.recalibrate import recalibrate
from exoclassify.cli.records import outcomes, records
from exoclassify.cli.retrain import retrain
from exoclassify.cli.run import run
from exoclassify.cli.score import score
from exoclassify.cli.serve import serve
from exoclassify.cli.show import show
from exoclassify.cli.simulate import simulate
from exoclassify.cli.train import train

__all__ = ["app", "main"]

# Plain help: half the time of the framed one, and it survives copying.
app = typer.Typer(
    name="exoclassify",
    cls=Doored,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    add_completion=False,
)
for _command in (
    init, run, simulate, audit, train, evaluate, compare, bench, score, show, discover, evidence, demo, retrain, recalibrate,
    monitor, serve, follow,
):  # fmt: skip
    app.command(no_args_is_help=_command not in (demo, serve))(_command)

for _name, _group in (("models", models), ("outcomes", outcomes), ("records", records)):
    app.add_typer(_group, name=_name)


def _say_version(asked: bool) -> None:
    if asked:
        import importlib.metadata

        print(f"exoclassify {importlib.metadata.version('exoclassify')}")
        raise typer.Exit


@app.callback()
def exoclassify(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Classifiers of pain state from exosomal cargo: trained without leaks, judged honestly.

    Support for a decision by a person, not a diagnosis and not a medical device. Exit codes: 0 done; 2 a mistake that
    the message says how to correct, with nothing written; 3 scored, but
    for rows or files that are named; 130 stopped by Ctrl-C; 1 a fault of the program.
    """


def main() -> None:
    """Run the command line; the console script `exoclassify`."""
    with doors():
        app()
