"""Train a model into models/NAME/VERSION: `exoclassify train` with the folder chosen, for the models of this repository."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from exoclassify.cli.doors import doors
from exoclassify.cli.train import train

REPOSITORY = Path(__file__).resolve().parent.parent


def main(
    name: Annotated[str, typer.Argument(help="Of the model.")],
    version: Annotated[str, typer.Argument(help="Of the model, three numbers.")],
    cargo: Annotated[Path, typer.Option(help="Table of samples and molecules.")],
    kind: Annotated[str, typer.Option(help="mirna, mrna, lncrna, protein or other.")],
    unit: Annotated[str, typer.Option(help="counts, ct, intensity, log2_intensity or cpm.")],
    samples: Annotated[Path, typer.Option(help="Sample sheet, one row a sample.")],
    label: Annotated[str, typer.Option(help="Column of the states.")],
    subject: Annotated[str | None, typer.Option(help="Column of the persons.")] = None,
    batch: Annotated[str | None, typer.Option(help="Column of the batches.")] = None,
    not_detected: Annotated[float | None, typer.Option(help="For ct, in cycles.  [default: 40]")] = None,
    recipe: Annotated[Path, typer.Option(help="Choices of this run.")] = REPOSITORY / "training/recipes/default.toml",
    models: Annotated[Path, typer.Option(help="Where models are kept.")] = REPOSITORY / "models",
    jobs: Annotated[int, typer.Option(help="Processes at once, -1 for all cores.")] = -1,
    no_judge: Annotated[bool, typer.Option("--no-judge", help="Fit only.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the model that is there.")] = False,
) -> None:
    """Train and judge a model, and write it to MODELS/NAME/VERSION."""
    if Path(name).name != name:
        raise typer.BadParameter("give a plain name, without folders", param_hint="NAME")
    folder = models / name
    with doors(), _made(folder):
        train(
            cargo=cargo, kind=kind, unit=unit, samples=samples, label=label, subject=subject, batch=batch,
            not_detected=not_detected, recipe=recipe, out=folder / version, name=name, version=version,
            jobs=jobs, no_judge=no_judge, force=force,
        )  # fmt: skip


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """Make the folder of a model's versions, and take it away again when none came of it."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()


app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
app.command()(main)

if __name__ == "__main__":
    app()
