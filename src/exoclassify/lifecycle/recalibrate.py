"""A model taken on board at a new site: the offset of its batch, learned from ten or more of its own samples."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from exoclassify.errors import DesignError, RecipeError
from exoclassify.judging.metrics import against_rest, auc
from exoclassify.learning.calibration import loads_of, place_of
from exoclassify.learning.folds import stratified_folds, subjects_per_state
from exoclassify.learning.site import offset_nodes, site_place
from exoclassify.lifecycle.finish import numbered
from exoclassify.lifecycle.local import FEWEST_LABELLED, Here, LocalSamples, measured_here
from exoclassify.methods.heads import Calibration, Head, Place, mixed
from exoclassify.methods.offsets import fit_scale
from exoclassify.model.about import JudgedAtSite, Recalibration
from exoclassify.model.bundle import ModelBundle
from exoclassify.typing import Codes, Floats

__all__ = ["LocalSamples", "Recalibrated", "recalibrate"]


_FOR_SLOPE = 10
_FOLDS, _REPEATS, _SEED = 5, 4, 0


@dataclass(frozen=True, eq=False)
class Recalibrated:
    """A model of one site, and what it may do there.

    Parameters
    ----------
    bundle : ModelBundle
        Named NAME-SITE.
    decision : dict
        Plain values: ``passed``, ``sentence``, ``lines``, ``steps``, ``needs``, ``judged``.
    """

    bundle: ModelBundle
    decision: dict[str, Any]


def recalibrate(model: ModelBundle, samples: LocalSamples, *, site: str) -> Recalibrated:
    """Learn the offset of a site, and whatever else its labels support: slope, prediction sets, calls, novelty.

    Parameters
    ----------
    samples : LocalSamples
        Of the site, 10 or more; those that the model was trained on are left out.
    site : str
        Of letters, digits, dots, dashes; the new model is bound to it by its name.

    Returns
    -------
    Recalibrated
        Without labels its sets and calls rest on training batches that were left out and given the same kind of profile; with
        5 subjects or more of every state also on cross-validation over the local samples.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", site):
        raise RecipeError(f"site {site!r}: use letters, digits, - and . in the name of a site")
    known = model.blend.calibration
    if known.held_out is None:
        raise DesignError(
            f"{model.name} {model.version} was saved by version 0.1, which kept nothing of its batches to learn a site's offset "
            "from; train it again, then recalibrate"
        )
    if known.site_names:
        raise DesignError(
            f"{model.name} is bound to {known.site_names[0]} already; recalibrate the model it was made from"
        )
    here, read = measured_here(model, samples, site)
    # One thread: the problems are tiny, and threads that wait for each other make them a hundred times slower.
    with threadpool_limits(limits=1):
        place, heads, judged, steps, needs = _placed(model, here)
    described = Recalibration(**read, steps=tuple(steps), needs=needs, judged=judged, **_distance(model, here, place))
    bundle = _bound(model, replace(known, heads=heads, site_names=(site,), sites=(place,)), samples, described)
    return Recalibrated(bundle, _decision(model, place, described))


def _placed(
    model: ModelBundle, here: Here
) -> tuple[Place, tuple[Head, ...], JudgedAtSite | None, list[str], dict[str, str]]:
    """Describe the site by the offset alone, or by all that its labels support."""
    known, states = model.blend.calibration, model.states
    place = site_place(known, here.local, model.blend.prevalence)
    y = here.y
    complete = bool((y >= 0).all()) and len(np.unique(y)) == len(states)
    subjects = subjects_per_state(y, here.groups) if complete else np.zeros(len(states), dtype=np.intp)
    steps, needs = ["offset"], {}
    if subjects.min() < FEWEST_LABELLED:
        needs["judging it here"] = f"{FEWEST_LABELLED} labelled subjects of each state"
        return place, known.heads, None, steps, needs
    slopes = [1.0]
    if subjects.min() >= _FOR_SLOPE:
        slopes.append(_slope(model, here))
    else:
        needs["slope"] = _more(model, subjects, _FOR_SLOPE)
    passes = {slope: _crossed(model, here, slope, _SEED) for slope in slopes}
    rows = np.arange(len(y))
    slope = min(slopes, key=lambda s: float(-np.log(passes[s][rows, y]).mean()))
    heads = known.heads
    if slope != 1.0:
        steps.append("slope")
        heads = (*heads, known.heads[0].steeper(slope))
    residuals, level = known.unknown.novelty, model.about.answers.novelty_alpha
    if len(y) >= _fewest(level):
        steps.append("novelty")
        residuals = here.residuals
    else:
        needs["novelty"] = f"{_fewest(level) - len(y)} more samples"
    if np.bincount(y).min() < _fewest(1 - model.about.answers.level):
        needs["prediction sets"] = _more(model, np.bincount(y), _fewest(1 - model.about.answers.level))
    judged = _judged(model, here, slope)
    surely = (judged.gain_over_guessing_low or 0.0) > 0
    steps += ["prediction sets", "calls"]
    at = 0 if slope == 1.0 else len(heads) - 1
    mix = np.bincount(y, minlength=len(states)) / len(y)
    refitted = place_of(
        heads[at], at, math.sqrt(slope) * place.nodes, [(passes[slope], y, np.zeros(len(y), dtype=np.intp))], residuals,
        model.blend.prevalence, closed="" if surely else "no-evidence", mix=mix, bounded=True,
    )  # fmt: skip
    return refitted, heads, judged, steps, needs


def _slope(model: ModelBundle, here: Here) -> float:
    """Fit how steep the log-odds are here, beside a constant of each state."""
    mix = np.bincount(here.y, minlength=len(model.states)) / len(here.y)
    scale, _ = fit_scale(here.eta, here.y, np.zeros_like(here.y), mix[None], mix)
    return float(np.clip(scale, 0.05, 4.0))


def _crossed(model: ModelBundle, here: Here, slope: float, seed: int) -> Floats:
    """Answer for each local sample by a profile of the others."""
    known = model.blend.calibration
    assert known.held_out is not None
    head = known.heads[0]
    steep = head.steeper(slope)
    p = np.zeros_like(here.eta)
    for train, test in stratified_folds(here.y, here.groups, _FOLDS, seed):
        nodes = offset_nodes(head, known.held_out, here.take(train).local, seed=seed)
        mix = np.bincount(here.y[train], minlength=len(model.states)) / len(train)
        p[test] = mixed(slope * here.eta[test] + np.log(mix), loads_of(steep, math.sqrt(slope) * nodes))
    return p


def _judged(model: ModelBundle, here: Here, slope: float) -> JudgedAtSite:
    """Figures of the profile on local samples left out, beside those of an unknown batch and of guessing."""
    y, rows, states = here.y, np.arange(len(here.y)), model.states
    passes = [_crossed(model, here, slope, _SEED + 1 + repeat) for repeat in range(_REPEATS)]
    loss = np.mean([-np.log(np.maximum(p[rows, y], 1e-12)) for p in passes], axis=0)
    shares = np.bincount(y, minlength=len(states)) / len(y)
    unknown = model.blend.calibration.unknown
    before = unknown.mixed(here.eta, np.log(shares))
    before = (1 - unknown.untested) * before + unknown.untested * shares
    guess = -np.log(shares[y])
    areas = [auc(against_rest(np.log(p), k), y == k).value for p in passes for k in range(len(states))]
    return JudgedAtSite(
        log_loss=float(loss.mean()),
        log_loss_before=float(-np.log(before[rows, y]).mean()),
        log_loss_of_guessing=float(guess.mean()),
        gain_over_guessing_low=_lower_bound(guess - loss, here.groups),
        auc=float(np.mean(areas)),
    )


def _lower_bound(gain: Floats, groups: Codes) -> float:
    """Mean gain less 1.28 of its standard errors by subject: above 0 by chance one time in ten."""
    sums = np.bincount(groups, weights=gain - gain.mean())
    return float(gain.mean() - 1.28 * np.sqrt((sums**2).sum()) / len(gain))


def _fewest(share: float) -> int:
    """Count the samples from which a conformal p-value can fall to this share."""
    return math.ceil(1 / share - 1e-9) - 1


def _more(model: ModelBundle, counts: Sequence[int] | Codes, needed: int) -> str:
    lacking = [f"{needed - n} more of {s}" for s, n in zip(model.states, counts, strict=True) if n < needed]
    return ", ".join(lacking)


def _distance(model: ModelBundle, here: Here, place: Place) -> dict[str, Any]:
    """How far the site lies from the training batches, in units of their usual distance, and how well that is known."""
    held = model.blend.calibration.held_out
    assert held is not None
    usual = float(held.tau @ held.tau_weight) or 1.0
    nodes = place.nodes
    limit = place.call_from(model.about.answers.max_wrong)
    return {
        "distance": float(np.linalg.norm(nodes.mean(axis=0)) / math.sqrt(nodes.shape[1]) / usual),
        "uncertainty": float(nodes.std(axis=0).mean() / usual),
        "calls_from": None if place.closed or not math.isfinite(limit) else limit,
        "training_batches": len(np.unique(held.batch)),
    }


def _bound(
    model: ModelBundle, calibration: Calibration, samples: LocalSamples, described: Recalibration
) -> ModelBundle:
    blend = model.blend.with_calibration(calibration)
    remembered = None
    if model.trained_on is not None:
        remembered = model.trained_on.extended(
            blend,
            model.rows(samples.cargo)[1],
            samples.sample_ids,
            samples.subjects or None,
            model.about.training.data_sha256,
            here="novelty" in described.steps,
        )
    bundle = replace(model, blend=blend, trained_on=remembered)
    return numbered(bundle, "1.0.0", name=f"{model.name}-{described.site}", recalibration=described)


def _decision(model: ModelBundle, place: Place, described: Recalibration) -> dict[str, Any]:
    judged, passed = described.judged, not place.closed
    n = sum(described.samples.values())
    from_p, wrong = described.calls_from, model.about.answers.max_wrong
    if place.closed:
        verdict = "not passed: the scores were not shown to carry over to a batch that was not trained on, so nothing is called"
    elif from_p is None:
        verdict = f"passed for probabilities; nothing is called yet: no limit keeps {wrong:.0%} of the calls wrong"
    else:
        verdict = (
            f"passed: a best guess is called from {from_p:.2f} on, at most {wrong:.0%} of the calls expected wrong"
        )
    lines = [
        f"this site lies {described.distance:.1f} times as far from the training batches as they usually lie from each "
        f"other (known to ± {described.uncertainty:.1f})",
        f"learned: {', '.join(described.steps)}, from {n} samples",
        *(f"{step} needs {what}" for step, what in described.needs.items()),
        f"sets and calls rest on {'cross-validation here' if judged else _carried(described)}",
    ]
    if judged:
        lines.append(
            f"log-loss {judged.log_loss_before:.3f} → {judged.log_loss:.3f}, guessing the mix "
            f"{judged.log_loss_of_guessing:.3f}; AUC {judged.auc:.3f}"
        )
    if n < 20:
        lines.append(f"{20 - n} more samples would narrow the offset further; beyond 40 little is gained")
    return {
        "format": 2,
        "champion": described.source,
        "passed": passed,
        "sentence": f"{verdict} ({n} samples of {described.site})",
        "lines": lines,
        "steps": list(described.steps),
        "needs": dict(described.needs),
        "judged": None if judged is None else judged.to_json(),
    }


def _carried(described: Recalibration) -> str:
    return f"{described.training_batches} training batches that were left out: expected here, not guaranteed"
