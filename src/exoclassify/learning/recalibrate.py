"""A model made to fit a new site: ranking survives a shift between laboratories, calibration does not."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from threadpoolctl import threadpool_limits

from exoclassify.data.cohort import Cohort
from exoclassify.errors import DesignError, RecipeError
from exoclassify.learning.challenge import check_states, trained_on_before
from exoclassify.learning.finish import numbered
from exoclassify.learning.folds import stratified_folds, subjects_per_state
from exoclassify.learning.learn import Samples
from exoclassify.learning.metrics import against_rest, auc
from exoclassify.methods.calibrate import ScaleAndShift, log_loss
from exoclassify.methods.conformal import ClassConditionalSets, conformal_p
from exoclassify.model.blend import FittedBlend
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import prevalence_shift

__all__ = ["Recalibrated", "recalibrate"]

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

_FOR_INTERCEPT, _FOR_SLOPE = 5, 10
"""Subjects of each state. On 15 samples of the second migraine batch a shift alone was better than shift and slope in both
directions (log-loss .347 against .361, .518 against .527); below 5 of a state nothing can be concluded at all."""

_MARGIN = 0.02
"""Log-loss, in nats, by which cross-validation may seem worse than the model as it was (as in the gate of retraining)."""

_FOLDS, _REPEATS, _SEED = 5, 4, 0


@dataclass(frozen=True, eq=False)
class Recalibrated:
    """A model of one site, and how it was judged there.

    Parameters
    ----------
    bundle : ModelBundle
        Named NAME-SITE.
    decision : dict
        Plain values: ``passed``, ``sentence``, ``lines``, ``steps``, ``needs``, ``judged``.
    """

    bundle: ModelBundle
    decision: dict[str, Any]


@dataclass(frozen=True, eq=False)
class _Local:
    """What the model says of the local samples at their mix, before anything is refitted."""

    log_odds: Floats
    residuals: Floats
    y: Codes
    groups: Codes


def recalibrate(model: ModelBundle, local: Cohort, *, site: str) -> Recalibrated:
    """Refit on local samples what their number supports: intercept, slope, prediction sets, novelty.

    Parameters
    ----------
    model : ModelBundle
        Trained elsewhere; its learners stay as they are.
    local : Cohort
        Samples of the site with known states; those that the model was trained on are left out.
    site : str
        Of letters, digits, dots, dashes; the new model is bound to it by its name.

    Returns
    -------
    Recalibrated
        Judged by repeated cross-validation on the local samples, each step refitted in each fold.

    Raises
    ------
    RecipeError
        If the site's name has other characters.
    InputError
        If the local samples have other states.
    ModelError
        If their kind or unit is not the model's, or too much of the panel is lacking.
    DesignError
        If there are fewer than 5 subjects of a state; the message says how many more are needed.

    Notes
    -----
    A state with fewer local samples than prediction sets need stays in every set, and novelty is refitted only from as many
    samples as its level needs: until then the answer is more often `uncertain`, which is the honest one.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", site):
        raise RecipeError(f"site {site!r}: use letters, digits, - and . in the name of a site")
    check_states(model, local)
    local.cargo.check_rows()
    known = np.any(list(trained_on_before(model, local).values()), axis=0) if model.trained_on else None
    left_out = 0 if known is None else int(known.sum())
    kept = local if known is None or left_out in (0, local.n_samples) else local.take(~known)
    if left_out == local.n_samples or kept.states != model.states:
        raise DesignError(
            f"{local.sheet.source}: {left_out} of {local.n_samples} samples were trained on, and the rest lacks a state; give "
            "samples of the site that the model has not seen"
        )
    samples = Samples.of(kept)
    X = model.panel.values(kept.cargo)
    here = _at_local_mix(model, X, samples)
    steps, needs = _supported(model, here)
    # One thread: the problems are tiny, and threads that wait for each other make them a hundred times slower.
    with threadpool_limits(limits=1):
        change = _chosen(here, steps)
        blend = _refitted(model, here, steps, change)
        judged = _judged(model, here, steps)
    described = {
        "site": site,
        "from": f"{model.name} {model.version}",
        "samples": {state: int(n) for state, n in zip(model.states, np.bincount(here.y), strict=True)},
        "subjects": len(np.unique(here.groups)) if kept.has_subjects else None,
        "left_out_as_trained_on": left_out,
        "data_sha256": kept.digest(),
        "steps": [*([] if change == "none" else change.split("+")), *steps[1 + ("slope" in steps) :]],
        "needs": needs,
        "judged": judged,
    }
    bundle = _bound(model, blend, kept, X, described)
    passed = (
        judged["gain_over_guessing_low"] > 0 and judged["log_loss"] <= judged["log_loss_before"] + _MARGIN
    )
    return Recalibrated(bundle, _decision(model, described, passed))


def _at_local_mix(model: ModelBundle, X: Floats, samples: Samples) -> _Local:
    log_odds, residuals = model.compiled.evaluate(X)
    shift = prevalence_shift(model.blend.prevalence, np.bincount(samples.y) / len(samples.y))
    assert shift is not None
    return _Local(log_odds + (shift - shift.mean()), residuals, samples.y, samples.groups)


def _supported(model: ModelBundle, here: _Local) -> tuple[list[str], dict[str, str]]:
    """Which steps the local samples support, and what the others need."""
    subjects = subjects_per_state(here.y, here.groups)
    counts, answers = np.bincount(here.y), model.about["answers"]
    for_sets, for_novelty = _fewest(1 - answers["level"]), _fewest(answers["novelty_alpha"])
    steps, needs = [], {}
    if subjects.min() < _FOR_INTERCEPT:
        raise DesignError(
            f"too few local subjects: {_more(model, subjects, _FOR_INTERCEPT)} needed, for an intercept takes "
            f"{_FOR_INTERCEPT} of each state"
        )
    steps.append("intercept")
    if subjects.min() >= _FOR_SLOPE:
        steps.append("slope")
    else:
        needs["slope"] = _more(model, subjects, _FOR_SLOPE)
    steps.append("prediction sets")
    if counts.min() < for_sets:
        needs["prediction sets"] = (
            f"{_more(model, counts, for_sets)}; until then every set holds a state that has fewer than {for_sets}"
        )
    if len(here.y) >= for_novelty:
        steps.append("novelty")
    else:
        needs["novelty"] = (
            f"{for_novelty - len(here.y)} more samples; until then novelty is that of the training site, "
            "and may call much here novel"
        )
    return steps, needs


def _fewest(share: float) -> int:
    """Count the samples from which a conformal p-value can fall to this share."""
    return math.ceil(1 / share - 1e-9) - 1


def _more(model: ModelBundle, counts: Sequence[int] | Codes, needed: int) -> str:
    lacking = [f"{needed - n} more of {s}" for s, n in zip(model.states, counts, strict=True) if n < needed]
    return ", ".join(lacking)


def _chosen(here: _Local, steps: list[str]) -> str:
    """Choose what to refit by the log-loss of local samples kept aside; nothing, where the model is right as it is."""
    candidates = ["none", "intercept", *(["intercept+slope"] if "slope" in steps else [])]
    return min(candidates, key=lambda change: log_loss(_aside(here, change, _SEED), here.y))


def _calibration(log_odds: Floats, y: Codes, change: str) -> ScaleAndShift:
    if change == "none":
        return ScaleAndShift(1.0, np.zeros(log_odds.shape[1]))
    return ScaleAndShift.fit(log_odds, y) if "slope" in change else ScaleAndShift.fit_shift(log_odds, y)


def _refitted(model: ModelBundle, here: _Local, steps: list[str], change: str) -> FittedBlend:
    blend, local = model.blend, _calibration(here.log_odds, here.y, change)
    mix = np.bincount(here.y) / len(here.y)
    shift = prevalence_shift(blend.prevalence, mix)
    assert shift is not None
    moved = blend.calibration.shift + (shift - shift.mean())
    whole = ScaleAndShift(local.scale * blend.calibration.scale, local.scale * moved + local.shift)
    novelty = np.sort(here.residuals) if "novelty" in steps else blend.novelty_reference
    return replace(
        blend,
        calibration=whole,
        prevalence=mix,
        sets=ClassConditionalSets.fit(softmax(_aside(here, change, _SEED), axis=1), here.y),
        novelty_reference=novelty,
    )


def _aside(here: _Local, change: str, seed: int) -> Floats:
    """Recalibrated log-odds of each local sample by the others."""
    found = np.zeros_like(here.log_odds)
    for train, test in stratified_folds(here.y, here.groups, _FOLDS, seed):
        found[test] = _calibration(here.log_odds[train], here.y[train], change).apply(here.log_odds[test])
    return found


def _judged(model: ModelBundle, here: _Local, steps: list[str]) -> dict[str, Any]:
    level, alpha = model.about["answers"]["level"], model.about["answers"]["novelty_alpha"]
    each_loss = np.zeros(len(here.y))
    held, sizes, novel = [], [], []
    for repeat in range(_REPEATS):
        for train, test in stratified_folds(here.y, here.groups, _FOLDS, _SEED + 1 + repeat):
            groups = np.unique(here.groups[train], return_inverse=True)[1]
            part = _Local(here.log_odds[train], here.residuals[train], here.y[train], groups)
            change = _chosen(part, steps)
            log_odds = _calibration(part.log_odds, part.y, change).apply(here.log_odds[test])
            sets = ClassConditionalSets.fit(softmax(_aside(part, change, _SEED), axis=1), part.y)
            rows = sets.sets(softmax(log_odds, axis=1), level, same_batch=True)
            reference = np.sort(part.residuals) if "novelty" in steps else model.blend.novelty_reference
            each_loss[test] += _each_loss(log_odds, here.y[test]) / _REPEATS
            held.append(np.stack([here.y[test], rows[np.arange(len(test)), here.y[test]]]))
            sizes.append(rows.sum(axis=1))
            novel.append(conformal_p(reference, here.residuals[test]) <= alpha)
    truth, inside = np.concatenate(held, axis=1)
    shares = np.bincount(here.y) / len(here.y)
    guess = -np.log(shares[here.y])
    areas = [auc(against_rest(here.log_odds, k), here.y == k).value for k in range(len(model.states))]
    return {
        "log_loss": float(each_loss.mean()),
        "log_loss_before": log_loss(here.log_odds, here.y),
        "log_loss_of_guessing": float(guess.mean()),
        "gain_over_guessing_low": _lower_bound(guess - each_loss, here.groups),
        "auc": float(np.mean(areas)),
        "coverage": {s: float(inside[truth == k].mean()) for k, s in enumerate(model.states)},
        "level": level,
        "set_size": float(np.concatenate(sizes).mean()),
        "novel": float(np.concatenate(novel).mean()),
        "novel_before": float((conformal_p(model.blend.novelty_reference, here.residuals) <= alpha).mean()),
    }


def _lower_bound(gain: Floats, groups: Codes) -> float:
    """Mean gain less 1.28 of its standard errors by subject: above 0 by chance one time in ten."""
    sums = np.bincount(groups, weights=gain - gain.mean())
    return float(gain.mean() - 1.28 * np.sqrt((sums**2).sum()) / len(gain))


def _each_loss(log_odds: Floats, y: Codes) -> Floats:
    p: Floats = softmax(log_odds, axis=1)[np.arange(len(y)), y]
    result: Floats = -np.log(p)
    return result


def _bound(
    model: ModelBundle, blend: FittedBlend, local: Cohort, X: Floats, described: dict[str, Any]
) -> ModelBundle:
    remembered = None
    if model.trained_on is not None:
        remembered = model.trained_on.extended(
            blend,
            X,
            local.sheet.sample_ids,
            local.groups.tolist() if local.has_subjects else None,
            model.about["training"]["data_sha256"],
            here="novelty" in described["steps"],
        )
    # Its sets rest on samples of a batch that it was not trained on: it was tested across batches, here.
    training = {**model.about["training"], "tested_across_batches": True}
    bundle = replace(model, blend=blend, trained_on=remembered)
    name = f"{model.name}-{described['site']}"
    return numbered(bundle, "1.0.0", name=name, training=training, recalibration=described)


def _decision(model: ModelBundle, described: dict[str, Any], passed: bool) -> dict[str, Any]:
    judged = described["judged"]
    cover = ", ".join(f"{state} {share:.2f}" for state, share in judged["coverage"].items())
    figures = (
        f"log-loss {judged['log_loss_before']:.3f} → {judged['log_loss']:.3f}, guessing the prevalence "
        f"{judged['log_loss_of_guessing']:.3f}"
    )
    verdict = "passed" if passed else "not passed, not surely better than guessing, or worse than before"
    return {
        "format": 1,
        "champion": described["from"],
        "passed": passed,
        "sentence": f"{verdict}: {figures}, by cross-validation on {sum(described['samples'].values())} samples of "
        f"{described['site']}",
        "lines": [
            f"refitted: {', '.join(described['steps'])}",
            *(f"{step} needs {what}" for step, what in described["needs"].items()),
            f"AUC {judged['auc']:.3f} (recalibration changes no ranking of two states)",
            f"{judged['level']:.0%} sets hold {cover}; {judged['set_size']:.2f} states on average",
            f"called novel: {judged['novel_before']:.0%} → {judged['novel']:.0%}",
        ],
        "steps": described["steps"],
        "needs": described["needs"],
        "judged": judged,
    }
