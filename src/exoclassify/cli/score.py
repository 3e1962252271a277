"""exoclassify score: new samples in, answers out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exoclassify.cli.doors import note
from exoclassify.cli.explained import check_explained, write_explained
from exoclassify.cli.options import shares_of
from exoclassify.cli.outputs import check_file

if TYPE_CHECKING:
    from exoclassify.model.bundle import ModelBundle
    from exoclassify.model.prediction import Predictions

__all__ = ["score", "summary"]


def score(
    model: Annotated[Path, typer.Argument(help="Folder of the model.")],
    cargo: Annotated[
        Path,
        typer.Option(
            help="Table of new samples: .csv, .tsv (also .gz), .parquet, .arrow, .xlsx; either way round."
        ),
    ],
    out: Annotated[Path, typer.Option(help="File to write: .csv, .tsv, .parquet or .jsonl.")],
    kind: Annotated[
        str | None,
        typer.Option(help="What was measured, to be checked against the model.  [default: the model's]"),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(help="Of the values, to be checked against the model.  [default: the model's]"),
    ] = None,
    prevalence: Annotated[
        str | None,
        typer.Option(
            help="Shares of states at the place of use, 0 to 1, as in neuropathic=0.05,inflammatory=0.1; states not named "
            "share the rest as in training. Shifts the probabilities.  [default: those of training]"
        ),
    ] = None,
    same_batch: Annotated[
        bool,
        typer.Option(
            "--same-batch",
            help="The samples are of a batch that the model was trained on; without it a model never tested across "
            "batches calls no state.",
        ),
    ] = False,
    explain: Annotated[
        int | None,
        typer.Option(
            help="Also name the molecules that moved each answer most, this many a sample, in a .explained.csv beside the output."
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="First demand that the model still gives its own golden answers.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Answer for new samples: a probability for each state, and a call only when it can be trusted.

    Writes one row a sample: sample_id, call, p_<state>…, prediction_set, novelty_p, coverage, flags, model, version. A call
    is a state, or `uncertain` with the reasons in flags. Support for a decision, not a diagnosis.
    """
    check_file(out, force=force, inputs=(cargo, *model.glob("*")))
    check_explained(out, explain, force=force, inputs=(cargo, *model.glob("*")))
    stated = None if prevalence is None else shares_of(prevalence)
    from exoclassify.data.cargo import CargoTable
    from exoclassify.model.bundle import ModelBundle

    bundle = ModelBundle.load(model, verify=verify)
    unit = unit or bundle.panel.unit
    table = CargoTable.read(
        cargo,
        kind=kind or bundle.panel.kind,
        unit=unit,
        molecules=bundle.panel.molecules,
        not_detected=bundle.panel.not_detected if unit == "ct" else None,
    )
    predictions = bundle.predict(table, prevalence=stated, same_batch=same_batch)
    if bundle.about["training"]["simulated"]:
        note("this model was trained on simulated samples: not for use on patients")
    told = [] if explain is None else write_explained(bundle, [table], out, explain, force=force)
    predictions.write(out, force=force)
    for line in (*summary(bundle, predictions, stated), *told):
        print(line)
    print(f"written to {out}")


def summary(bundle: ModelBundle, predictions: Predictions, stated: dict[str, float] | None) -> list[str]:
    """Say how many samples got which call, why the others are uncertain, and at which prevalence.

    Parameters
    ----------
    bundle : ModelBundle
        Who answered.
    predictions : Predictions
        The answers.
    stated : dict of str to float or None
        Prevalence asked for.

    Returns
    -------
    list of str
        Lines of text.
    """
    calls = Counter(predictions.calls)
    lines = [f"{len(predictions.calls)} samples scored with {bundle.name} {bundle.version}"]
    lines += [f"  {state:<20} {calls[state]:5d}" for state in predictions.states]
    lines += [f"  {'uncertain':<20} {calls['uncertain']:5d}", *_reasons(predictions)]
    if len(predictions.coverage):
        lines.append(f"mean coverage of the panel: {predictions.coverage.mean():.2f}")
    return [*lines, _mix(bundle, stated)]


def _reasons(predictions: Predictions) -> list[str]:
    from exoclassify.model.prediction import REASONS

    reasons = Counter(flag for flags in predictions.flags for flag in flags)
    lines = [f"    {flag:<18} {n:5d}  {REASONS[flag]}" for flag, n in reasons.most_common()]
    if sum(reasons.values()) > predictions.calls.count("uncertain"):
        lines.append("    (a sample can have several reasons)")
    if reasons["one-batch"]:
        lines.append("    --same-batch says that the samples are of a batch that the model was trained on")
    return lines


def _mix(bundle: ModelBundle, stated: dict[str, float] | None) -> str:
    from exoclassify.model.prediction import shifted_prevalence

    training = bundle.blend.prevalence
    here = shifted_prevalence(bundle.states, training, stated)
    if here is None:
        mix = ", ".join(f"{state} {p:.2f}" for state, p in zip(bundle.states, training, strict=True))
        return (
            f"probabilities hold at the mix of training ({mix}); --prevalence shifts them to the place of use"
        )
    mix = ", ".join(
        f"{state} {p:.3g} (training {was:.2f})"
        for state, p, was in zip(bundle.states, here, training, strict=True)
    )
    return f"probabilities were shifted to the prevalence stated: {mix}; prediction sets were not"
