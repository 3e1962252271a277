"""exoclassify models compare: two versions side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from exoclassify.cli import options as opt
from exoclassify.cli.outputs import columns
from exoclassify.cli.registry import Place, opened, say

if TYPE_CHECKING:
    from exoclassify.model.bundle import ModelBundle

__all__ = ["compare"]

_FIGURES = ("auc", "log_loss", "brier", "balanced_accuracy", "calibration_slope")


def compare(
    a: Annotated[str, typer.Argument(help="NAME@VERSION, or NAME for the one in use.")],
    b: Annotated[str, typer.Argument(help="NAME@VERSION, or NAME for the one in use.")],
    registry: Place = "models",
    as_json: opt.AsJson = False,
) -> None:
    """Compare two versions: what each was shown, how it was judged, and how the answers differ.

    The figures beside each other are of each model's own judgement, and of the same samples only where it says so; a
    paired comparison is what `exoclassify retrain` makes, and its decision is shown here.
    """
    from exoclassify.model.version import next_version

    place = opened(registry)
    one, two = (place.load(*_parted(given)) for given in (a, b))
    meaning = next_version(one, two)[1]
    shared = len(set(one.panel.molecules) & set(two.panel.molecules))
    decision = place.decision(two.name, two.version)
    plain = {
        "models": [_told(bundle) for bundle in (one, two)],
        "molecules_shared": shared,
        "same_folds": _folds(one) is not None and _folds(one) == _folds(two),
        "recipe": _differences(one.about.recipe, two.about.recipe),
        "answers": meaning,
        "decision": decision,
    }
    say(plain, _lines(plain, decision), as_json=as_json)


def _parted(given: str) -> tuple[str, str | None]:
    name, _, version = given.partition("@")
    return name, version or None


def _folds(bundle: ModelBundle) -> str | None:
    evaluation = bundle.about.evaluation
    return None if evaluation is None else str(evaluation.folds)


def _told(bundle: ModelBundle) -> dict[str, Any]:
    evaluation, training = bundle.about.evaluation, bundle.about.training
    figures = {} if evaluation is None else evaluation.quoted.figures.model_dump()
    return {
        "name": bundle.name,
        "version": bundle.version,
        "created": bundle.about.created,
        "samples": training.samples,
        "batches": training.batches,
        "molecules": len(bundle.panel.molecules),
        "judged": None if evaluation is None else evaluation.headline.source,
        "figures": {name: figures[name] for name in _FIGURES if name in figures},
    }


def _differences(one: Any, two: Any, where: str = "") -> list[str]:
    """Name the keys of two recipes that differ, as in ``panel.min_coverage: 0.8 → 0.7``."""
    if isinstance(one, dict) and isinstance(two, dict):
        keys = sorted(one.keys() & two.keys()) if not where else sorted(one | two)
        return [
            line
            for key in keys
            for line in _differences(one.get(key), two.get(key), f"{where}.{key}" if where else key)
        ]
    if one == two:
        return []
    if isinstance(one, list) and isinstance(two, list):
        return [f"{where}: {_voices(one)} → {_voices(two)}"]
    return [f"{where}: {one} → {two}"]


def _voices(given: list[dict[str, Any]]) -> str:
    from exoclassify.learning.recipe import Voice

    return ", ".join(f"{Voice.model_validate(voice).name} {voice['share']:g}" for voice in given)


def _lines(plain: dict[str, Any], decision: dict[str, Any] | None) -> list[str]:
    told = plain["models"]

    def row(what: str, cells: list[str]) -> tuple[str, ...]:
        return (what, *cells)

    rows = [
        row("made", [each["created"][:10] for each in told]),
        row("samples", [", ".join(f"{n} {state}" for state, n in each["samples"].items()) for each in told]),
        row("batches", [", ".join(each["batches"] or ["not given"]) for each in told]),
        row("molecules", [f"{each['molecules']} ({plain['molecules_shared']} shared)" for each in told]),
        row("judged by", [(each["judged"] or "not judged").replace("_", " ") for each in told]),
        *(row(figure.replace("_", " "), [_cell(each["figures"].get(figure)) for each in told]) for figure in _FIGURES),
    ]
    header = ("", *(f"{each['name']} {each['version']}" for each in told))
    return [
        *columns(header, rows),
        "judged on the same folds: "
        + ("yes" if plain["same_folds"] else "no, so the figures are not of the same samples"),
        f"answers: {plain['answers']}",
        "recipe: " + ("; ".join(plain["recipe"]) or "the same"),
        *([] if decision is None else ["", f"gate of {header[2]}: {decision['sentence']}", *decision["lines"]]),
    ]


def _cell(figure: dict[str, float] | None) -> str:
    return "-" if figure is None else f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
