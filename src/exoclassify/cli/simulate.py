"""exoclassify simulate: a cohort with a known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["simulate"]


def simulate(
    out: Annotated[Path, typer.Option(help="Folder to write; made when it is missing.")],
    samples: Annotated[int, typer.Option(help="Samples in all, repeats of a person included.")] = 120,
    seed: Annotated[int, typer.Option(help="Source of all chance; the same seed gives the same cohort.")] = 0,
    effect: Annotated[
        float, typer.Option(help="Mean size of a marker's log2 fold change, 0 to 10; 0 makes the labels noise.")
    ] = 1.0,
    batch_effect: Annotated[
        float, typer.Option(help="Standard deviation, in log2, of a molecule's shift in a batch, 0 to 10.")
    ] = 0.5,
    confounded: Annotated[
        float, typer.Option(help="Share of the persons, 0 to 1, whose batch follows their state.")
    ] = 0.0,
    batches: Annotated[int, typer.Option(help="Batches (centres, runs), 1 or more.")] = 2,
    layers: Annotated[
        str, typer.Option(help="Of mirna (counts), ct (cycles) and protein (intensities), with commas between.")
    ] = "mirna",
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Simulate a cohort of three pain states, to try the tool on.

    Writes cargo.csv (miRNA counts, samples in rows), samples.csv (sample_id, subject, batch, label) and truth.csv
    (molecule, state, effect: the true markers and their log2 fold change against the first state); ct.csv and protein.csv
    when asked for. Sample ids begin with SIM-, and a model trained on them says that it is simulated.
    """
    from exoclassify.data.simulate import SimulationDesign
    from exoclassify.data.simulate import simulate as simulated

    design = SimulationDesign(
        seed=seed,
        n_samples=samples,
        effect=effect,
        batch_effect=batch_effect,
        n_batches=batches,
        confounded=confounded,
        layers=tuple(layer.strip() for layer in layers.split(",")),
    )
    cohort = simulated(design)
    cohort.write(out, force=force)
    counts = cohort.sheet.frame["label"].value_counts(sort=False)
    print(
        f"{samples} simulated samples of {cohort.sheet.frame['subject'].nunique()} persons in {batches} batches: "
        + ", ".join(f"{count} {state}" for state, count in counts.items())
    )
    print(f"{len(cohort.truth)} true markers; written to {out}")
