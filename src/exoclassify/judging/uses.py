"""What the shipped model does in a batch that it knows, in an unknown one and at a new site."""

from __future__ import annotations

import math

import numpy as np

from exoclassify.methods.heads import Calibration, Place
from exoclassify.model.about import CallsFrom, Places
from exoclassify.model.evaluation import Evaluation, InUse, Judged, Offsets

__all__ = ["offsets_told", "places_told", "uses_of"]


def uses_of(evaluation: Evaluation, n_batches: int) -> tuple[InUse, ...]:
    """Put calibration and calls of each use side by side; `n_batches` were trained on."""
    rows = [_row("a batch that was trained on", evaluation.cross_validation, n_batches)]
    batched = evaluation.leave_one_batch_out
    if batched is not None:
        rows.append(_row("an unknown batch", batched, len(batched.batches)))
    for site in evaluation.new_site:
        what = f"a new site with {site.n_local} local samples, not labelled"
        figures = {key: getattr(site, key) for key in ("n_batches", "log_loss", "called", "wrong_among_called")}
        rows.append(InUse(use=what, calibration_slope=None, **figures))
    return tuple(rows)


def _row(use: str, judged: Judged, n_batches: int) -> InUse:
    slope = judged.figures.calibration_slope
    return InUse(
        use=use,
        n_batches=n_batches,
        log_loss=judged.figures.log_loss.value,
        calibration_slope=None if slope is None else slope.value,
        called=judged.calls.called,
        wrong_among_called=judged.calls.wrong_among_called,
    )


def places_told(calibration: Calibration, max_wrong: float) -> Places:
    """Say from which probability on the shipped model calls, and where it does not."""
    return Places(trained_on=_place(calibration.some, max_wrong), unknown=_place(calibration.unknown, max_wrong))


def _place(place: Place, max_wrong: float) -> CallsFrom:
    limit = math.inf if place.closed or place.from_probability is None else place.call_from(max_wrong)
    return CallsFrom(calls_from=limit if math.isfinite(limit) else None, closed=place.closed)


def offsets_told(calibration: Calibration) -> Offsets | None:
    """Say how far batches lie apart, and whether the scores carry over; None where no batch was left out."""
    held = calibration.held_out
    if held is None:
        return None
    cumulative = np.cumsum(held.tau_weight)
    low, high = np.interp([0.1, 0.9], cumulative, held.tau).tolist()
    return Offsets(
        spread=float(held.tau @ held.tau_weight),
        low=low,
        high=high,
        n_batches=len(held.evidence),
        carrying=int((held.evidence >= 3.0).sum()),
        useless=calibration.unknown.untested,
    )
