"""What a reader should know of the model in hand, in the same sentences at every door."""

from __future__ import annotations

from exoclassify.model.about import About, CallsFrom
from exoclassify.model.evaluation import InUse

__all__ = ["carries_over", "layers_add", "use_lines", "used_in", "visits_add"]


def used_in(about: About) -> list[str]:
    """Say what the shipped model does in each kind of batch."""
    places = about.answers.places
    if places is None:
        return []
    return [_known(about, places.trained_on), _unknown(about, places.unknown)]


def _known(about: About, place: CallsFrom) -> str:
    if place.calls_from is None:
        return "In a batch it was trained on, the model makes no calls: no threshold keeps the stated error rate."
    where = "In a batch it was trained on" if about.training.batches else "For people like those it was trained on"
    return f"{where}, it makes a call from a probability of {place.calls_from:.2f} on{_figures(about, 0)}."


def _unknown(about: About, place: CallsFrom) -> str:
    if place.closed == "one-batch":
        return (
            "In an unknown batch it makes no calls: it was never tested in one. "
            "10 local samples (exoclassify recalibrate) or a second training batch would settle it."
        )
    if place.closed:
        return "In an unknown batch it makes no calls: its scores were not shown to carry over to the batches that were left out."
    if place.calls_from is None:
        return "In an unknown batch it makes no calls: no threshold kept the stated error rate in the batches left out."
    told = _figures(about, 1)
    if told.startswith(": it called none"):
        return (
            f"In an unknown batch it makes a call from a probability of {place.calls_from:.2f} on. The test models, "
            "each trained "
            "without one batch, made no call there; your final model will."
        )
    return f"In an unknown batch it makes a call from a probability of {place.calls_from:.2f} on{told}."


def _uses(about: About) -> tuple[InUse, ...]:
    return () if about.evaluation is None else about.evaluation.uses


def _figures(about: About, at: int) -> str:
    if at >= len(_uses(about)):
        return ""
    found = _uses(about)[at]
    if not found.called:
        return ": it called none of the left-out samples"
    return (
        f": it called {found.called:.0%} of the left-out samples, and {found.wrong_among_called:.0%} of these "
        "calls were wrong"
    )


def use_lines(about: About) -> list[list[str]]:
    """Give calibration and calls of each use as rows of a table.

    Returns
    -------
    list of list
        Use, batches that carry it, log-loss, calibration slope, share called, share wrong among the calls.
    """
    rows = []
    for found in _uses(about):
        slope, wrong = found.calibration_slope, found.wrong_among_called
        rows.append(
            [
                found.use, str(found.n_batches or "–"), f"{found.log_loss:.3f}", "–" if slope is None else f"{slope:.2f}",
                f"{found.called:.0%}", "–" if wrong is None else f"{wrong:.1%}",
            ]
        )  # fmt: skip
    return rows


def carries_over(about: About) -> str:
    """Say whether one cut-off carries over from batch to batch."""
    offsets = None if about.evaluation is None else about.evaluation.offsets
    if offsets is None or not offsets.n_batches:
        return ""
    words = (
        f"Does one threshold fit every batch? Between batches, scores shift by {offsets.spread:.1f} standard deviations (80 % "
        f"interval {offsets.low:.1f} to {offsets.high:.1f}; seen in {offsets.n_batches} left-out batches)"
    )
    if offsets.spread < 0.5:
        return f"{words}. That is little: an unknown batch is answered nearly as well as a known one."
    return f"{words}. In a new batch, probabilities are uncertain by that much; 10 local samples make them surer."


def visits_add(about: About) -> list[str]:
    """Say what a model of changes within persons reads, and what the change adds to the samples as they are."""
    found = about.visits
    if found is None:
        return []
    visits = found.visits
    lines = {
        "baseline": [
            f"It reads the change of a sample against its person's sample at {visits[0]}, which is part of the question."
        ],
        "pair": [
            f"It says which of a person's two samples is the later, {visits[0]} or {visits[-1]}, by their difference: an AUC "
            "of 1 is every pair in its order, .5 is chance."
        ],
        "response": [
            f"It reads a person's sample at {visits[0]} (first), and the change to {visits[-1]} (change) where there is one."
        ],
    }[found.reads]
    layers = None if about.evaluation is None else about.evaluation.cross_validation.layers
    if found.reads == "response" and layers is not None:
        named = {"first": f"from {visits[0]} alone", "change": "from the change alone", "first change": "from both"}
        aucs = {" ".join(one.layers): one.figures.auc for one in layers.sets}
        told = [f"{name} {aucs[key].told()}" for key, name in named.items() if key in aucs]
        lines.append(f"AUC by person: {', '.join(told)}.")
    if found.plain is not None:
        auc = found.plain.auc
        lines.append(
            f"Beside the samples as they are, on the same folds, the change moves the AUC from {auc.second:.3f} to "
            f"{auc.first:.3f}, by {auc.difference:+.3f} ({auc.low:+.3f} to {auc.high:+.3f})."
        )
    return lines


def layers_add(about: About) -> list[str]:
    """Say what each layer adds to the others, and cargo and covariates to each other."""
    if about.evaluation is None:
        return []
    judged = (about.evaluation.cross_validation.layers, about.evaluation.covariates)
    return [one.sentence for found in judged if found is not None for one in found.added]
