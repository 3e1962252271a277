"""exoclassify demo: the whole job on a simulated cohort, in plain words."""

from __future__ import annotations

import shutil
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from exoclassify.cli import options as opt
from exoclassify.cli.explained import summary
from exoclassify.cli.outputs import check_folder
from exoclassify.cli.train import fitted

if TYPE_CHECKING:
    from exoclassify.data.cohort import Cohort
    from exoclassify.model.bundle import ModelBundle
    from exoclassify.model.prediction import Predictions
    from exoclassify.simulation.simulate import SimulatedCohort

__all__ = ["demo"]

_OWN = ("recipe.toml", "training", "new", "model", "predictions.csv")
_CENTRES = 4
_SAMPLES = 200
_SEED = 7
_EFFECT = 1.2
"""Mean log2 fold change of the true markers: clear enough that there is something to call, and not all of it rightly."""

_RECIPE = """\
# The default recipe, with one pass of cross-validation instead of three: the demo is to be quick.
[folds]
repeats = 1
"""

_KEPT = """
Kept in {out}: recipe.toml, training/ (cargo.csv, samples.csv, truth.csv), new/ (cargo.csv, samples.csv),
model/ and predictions.csv. The same by hand:

  exoclassify train --cargo {out}/training/cargo.csv --kind mirna --unit counts \\
    --samples {out}/training/samples.csv --label label --subject subject --batch batch \\
    --recipe {out}/recipe.toml --name demo --out MODEL
  exoclassify score MODEL --cargo {out}/new/cargo.csv --out predictions.csv
  exoclassify show MODEL"""


def demo(
    out: Annotated[
        Path | None, typer.Option(help="Folder to keep everything in.  [default: a temporary one, removed at the end]")
    ] = None,
    jobs: opt.Jobs = -1,
    force: opt.Force = False,
) -> None:
    """Simulate, train, judge, score, and say what was found.

    Takes under two minutes, and no data.

    Everything in it is simulated: it shows what the tool does, and nothing about pain.
    """
    from exoclassify.tables.writing import write_folder_atomically

    begun = time.monotonic()
    if out is not None:
        check_folder(out, force=force, own=_OWN)
    with TemporaryDirectory(prefix="exoclassify-demo-") as made:
        _run(Path(made), jobs)
        if out is not None:
            write_folder_atomically(out, lambda to: _copy(Path(made), to), force=force)
            print(_KEPT.format(out=out))
    print(f"\n{time.monotonic() - begun:.0f} s in all. All of this was simulated: it says nothing about patients.")


def _copy(made: Path, to: Path) -> None:
    shutil.copytree(made, to, dirs_exist_ok=True)


@dataclass(frozen=True, eq=False)
class _Parts:
    """A simulated cohort in two: the centres to train on, and one left out as a whole."""

    training: Cohort
    new: Cohort

    @classmethod
    def of(cls, simulated: SimulatedCohort) -> _Parts:
        cohort = simulated.cohort
        last = cohort.batches == f"B{_CENTRES}"
        return cls(cohort.take(~last), cohort.take(last))


def _run(folder: Path, jobs: int) -> None:
    from exoclassify.cli.demo_words import in_new_batch, judged, markers, with_local
    from exoclassify.learning.recipe import Recipe
    from exoclassify.scoring.finishing import Tally
    from exoclassify.simulation.simulate import SimulationDesign, simulate

    simulated = simulate(SimulationDesign(seed=_SEED, n_samples=_SAMPLES, n_batches=_CENTRES, effect=_EFFECT))
    parts = _Parts.of(simulated)
    _write(parts, simulated, folder)
    _tell("1. Simulated a cohort", [_what_is_simulated(simulated, parts)])
    (folder / "recipe.toml").write_text(_RECIPE, encoding="utf-8")
    recipe = Recipe.read(folder / "recipe.toml")
    bundle = fitted(parts.training, recipe, name="demo", version="1.0.0", jobs=jobs).bundle
    bundle.save(folder / "model")
    _tell(f"2. Trained, and judged within the {_CENTRES - 1} centres", judged(bundle))
    predictions = _score(folder, parts.new)
    _tell(f"3. Scored the {parts.new.n_samples} samples of centre B{_CENTRES}, read from files", [])
    print("\n".join(f"   {line}" for line in summary(bundle, Tally.of(predictions), None)[1:]))
    _tell(None, in_new_batch(predictions, parts.new))
    _tell(f"4. Made a profile of centre B{_CENTRES} from ten of its samples", with_local(bundle, parts.new))
    _tell("5. Checked whether it learned the true markers", markers(bundle, parts.training, simulated.truth))


def _tell(title: str | None, paragraphs: list[str]) -> None:
    if title is not None:
        print(f"\n{title}")
    for text in paragraphs:
        print(textwrap.fill(text, 100, initial_indent="   ", subsequent_indent="   "), flush=True)


def _what_is_simulated(simulated: SimulatedCohort, parts: _Parts) -> str:
    cohort = simulated.cohort
    return (
        f"{cohort.n_samples} samples of {len(set(cohort.groups))} persons in {_CENTRES} centres, with {len(simulated.truth)} "
        f"true markers among {cohort.cargo.n_molecules} miRNAs (seed {_SEED}). Centres B1 to B{_CENTRES - 1} "
        f"({parts.training.n_samples} samples) are trained on. Centre B{_CENTRES} ({parts.new.n_samples} samples of other "
        "persons, measured in a batch of its own) is left out and scored at the end."
    )


def _write(parts: _Parts, simulated: SimulatedCohort, folder: Path) -> None:
    for name, cohort in (("training", parts.training), ("new", parts.new)):
        (folder / name).mkdir()
        cohort.cargo.write(folder / name / "cargo.csv")
        cohort.sheet.frame.to_csv(folder / name / "samples.csv")
    simulated.truth.to_csv(folder / "training" / "truth.csv", index=False)


def _score(folder: Path, new: Cohort) -> Predictions:
    """Score as the command does, from files."""
    from exoclassify.data.cargo import CargoTable
    from exoclassify.model.bundle import ModelBundle

    bundle: ModelBundle = ModelBundle.load(folder / "model", verify=True)
    table = CargoTable.read(
        folder / "new" / "cargo.csv", kind=new.cargo.kind, unit=new.cargo.unit, molecules=bundle.panel.canonical
    )
    predictions = bundle.predict(table)
    predictions.write(folder / "predictions.csv")
    return predictions
