"""What the shipped model does in a batch that it knows, in an unknown one and at a new site, as plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from exoclassify.methods.heads import Calibration, Place

__all__ = ["offsets_told", "places_told", "uses_of"]


def uses_of(evaluation: Mapping[str, Any], n_batches: int) -> list[dict[str, Any]]:
    """Put calibration and calls of each use side by side.

    Returns
    -------
    list of dict
        Plain values: ``use``, ``n_batches`` that carry the figures, ``log_loss``, ``calibration_slope``, ``called``,
        ``wrong_among_called``; None where not known.
    """
    rows = [_row("a batch that was trained on", evaluation["cross_validation"], n_batches)]
    batched = evaluation["leave_one_batch_out"]
    if batched is not None:
        rows.append(_row("an unknown batch", batched, len(batched["batches"])))
    for site in evaluation.get("new_site", ()):
        what = f"a new site with {site['n_local']} local samples, not labelled"
        figures = {key: site[key] for key in ("n_batches", "log_loss", "called", "wrong_among_called")}
        rows.append({"use": what, "calibration_slope": None, **figures})
    return rows


def _row(use: str, judged: Mapping[str, Any], n_batches: int) -> dict[str, Any]:
    figures = judged["figures"]
    return {
        "use": use,
        "n_batches": n_batches,
        "log_loss": figures["log_loss"]["value"],
        "calibration_slope": figures["calibration_slope"]["value"] if "calibration_slope" in figures else None,
        "called": judged["calls"]["called"],
        "wrong_among_called": judged["calls"]["wrong_among_called"],
    }


def places_told(calibration: Calibration, max_wrong: float) -> dict[str, Any]:
    """Say from which probability on the shipped model calls, and where it does not.

    Returns
    -------
    dict
        ``trained_on`` and ``unknown``: each ``calls_from`` (None: nothing is called) and ``closed`` (why, or empty).
    """
    return {"trained_on": _place(calibration.some, max_wrong), "unknown": _place(calibration.unknown, max_wrong)}


def _place(place: Place, max_wrong: float) -> dict[str, Any]:
    limit = math.inf if place.closed or place.from_probability is None else place.call_from(max_wrong)
    return {"calls_from": limit if math.isfinite(limit) else None, "closed": place.closed}


def offsets_told(calibration: Calibration) -> dict[str, Any] | None:
    """Say how far batches lie apart, and whether the scores carry over.

    Returns
    -------
    dict or None
        ``spread`` of the offsets in units of the spread of samples within a batch and state, with an 80 % interval (``low``,
        ``high``), ``n_batches`` left out, ``carrying`` of them in which the scores say something, ``useless``: share of
        batches in which they would say nothing.
    """
    held = calibration.held_out
    if held is None:
        return None
    cumulative = np.cumsum(held.tau_weight)
    low, high = np.interp([0.1, 0.9], cumulative, held.tau).tolist()
    return {
        "spread": float(held.tau @ held.tau_weight),
        "low": low,
        "high": high,
        "n_batches": len(held.evidence),
        "carrying": int((held.evidence >= 3.0).sum()),
        "useless": calibration.unknown.untested,
    }
