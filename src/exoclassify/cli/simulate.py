"""exoclassify simulate: a cohort with a known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exoclassify.cli import options as opt

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
    states: Annotated[str, typer.Option(help="States with commas between, the reference first.")] = (
        "control,neuropathic,inflammatory"
    ),
    visits: Annotated[
        int, typer.Option(help="Visits V1, V2, … at which every person is sampled, 1 to 52; they share --samples.")
    ] = 1,
    responders: Annotated[
        float,
        typer.Option(help="Share of the persons in pain, 0 to 1, who are in the first state from the second visit on."),
    ] = 0.0,
    repeats: Annotated[
        float | None,
        typer.Option(help="Share of the persons, 0 to 1, sampled twice at a visit.  [default: 0.25; with --visits 0]"),
    ] = None,
    retest_noise: Annotated[
        float, typer.Option(help="Standard deviation, in log2, between two samples of one person, 0 to 10.")
    ] = 0.2,
    person_sd: Annotated[
        float, typer.Option(help="Standard deviation, in log2, between persons for good, 0 to 10.")
    ] = 0.25,
    layers: Annotated[
        str, typer.Option(help="Layers: of mirna (counts), ct (cycles) and protein (intensities), with commas between.")
    ] = "mirna",
    lacking: Annotated[
        float, typer.Option(help="Share of the samples, 0 to 0.9, that each layer but the first lacks.")
    ] = 0.1,
    lacking_with_state: Annotated[
        float, typer.Option(help="Share of those, 0 to 1, that are taken from the states but the first.")
    ] = 0.0,
    force: opt.Force = False,
) -> None:
    """Simulate a cohort of pain states, to try the tool on.

    Writes cargo.csv (miRNA counts, samples in rows), samples.csv (sample_id, subject, batch, label) and truth.csv
    (molecule, state, effect: the true markers and their log2 fold change against the first state); ct.csv and protein.csv
    when asked for. With several visits samples.csv has the visit and whether the person is a responder, and truth.csv what
    differs in responders at every visit. Sample ids begin with SIM-, and a model trained on them says that it is simulated.
    """
    from exoclassify.simulation.simulate import SimulationDesign
    from exoclassify.simulation.simulate import simulate as simulated

    design = SimulationDesign(
        seed=seed,
        n_samples=samples,
        effect=effect,
        batch_effect=batch_effect,
        n_batches=batches,
        confounded=confounded,
        states=tuple(state.strip() for state in states.split(",")),
        visits=visits,
        responders=responders,
        repeats=(0.25 if visits == 1 else 0.0) if repeats is None else repeats,
        retest_noise=retest_noise,
        person_sd=person_sd,
        layers=tuple(layer.strip() for layer in layers.split(",")),
        lacking=lacking,
        lacking_with_state=lacking_with_state,
    )
    cohort = simulated(design)
    cohort.write(out, force=force)
    counts = cohort.sheet.frame["label"].value_counts(sort=False)
    print(
        f"{samples} simulated samples of {cohort.sheet.frame['subject'].nunique()} persons in {batches} batches: "
        + ", ".join(f"{count} {state}" for state, count in counts.items())
    )
    print(f"{len(cohort.truth)} true markers; written to {out}")
