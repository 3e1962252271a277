"""A model taken on board at a new site: the offset of its batch, learned from ten or more of its own samples."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from exoclassify.data.cargo import CargoTable
from exoclassify.errors import DesignError, InputError, RecipeError
from exoclassify.judging.metrics import against_rest, auc
from exoclassify.learning.calibration import loads_of, place_of
from exoclassify.learning.folds import stratified_folds, subjects_per_state
from exoclassify.learning.site import Local, offset_nodes, site_place
from exoclassify.lifecycle.finish import numbered
from exoclassify.lifecycle.known import recognised
from exoclassify.methods.conformal import conformal_p
from exoclassify.methods.heads import Calibration, Head, Place, mixed
from exoclassify.methods.offsets import fit_scale
from exoclassify.model.about import JudgedAtSite, Recalibration
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import shifted_prevalence
from exoclassify.typing import Codes, Floats, Mask

__all__ = ["LocalSamples", "Recalibrated", "recalibrate"]


FEWEST = 10
"""Local samples from which an offset is worth knowing: 10 cut the log-loss of new simulated batches by a third."""

_FEWEST_LABELLED, _FOR_SLOPE, _RAREST = 5, 10, 0.05
_FOLDS, _REPEATS, _SEED = 5, 4, 0


@dataclass(frozen=True, eq=False)
class LocalSamples:
    """Samples of a site.

    Parameters
    ----------
    cargo : CargoTable or mapping of str to CargoTable
        Of the model's kind and unit; of several layers a table for each, by name, each of which may lack samples.
    labels : tuple of str
        The state of each of `sample_ids`, empty where it is not known; nothing where none is.
    subjects : tuple of str
        The person of each; nothing where not given.
    mix : mapping of str to float, optional
        Shares of the states among them.
    """

    cargo: CargoTable | Mapping[str, CargoTable]
    labels: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    mix: Mapping[str, float] | None = None

    @property
    def tables(self) -> tuple[CargoTable, ...]:
        """The table, or that of each layer."""
        return (self.cargo,) if isinstance(self.cargo, CargoTable) else tuple(self.cargo.values())

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """Every sample once, in the order of the tables."""
        return tuple(dict.fromkeys(sample for table in self.tables for sample in table.sample_ids))

    @property
    def source(self) -> str:
        """Names of the tables, for messages."""
        return ", ".join(dict.fromkeys(table.source for table in self.tables))

    def digest(self) -> str:
        """Give the sha256 of the tables."""
        each = [table.digest() for table in self.tables]
        return each[0] if len(each) == 1 else hashlib.sha256("".join(each).encode()).hexdigest()


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


@dataclass(frozen=True, eq=False)
class _Here:
    """The local samples as the model sees them."""

    local: Local
    eta: Floats
    residuals: Floats
    groups: Codes

    @property
    def y(self) -> Codes:
        return self.local.labels

    def take(self, rows: Codes) -> _Here:
        mine = replace(self.local, w=self.local.w[rows], labels=self.local.labels[rows])
        groups = np.unique(self.groups[rows], return_inverse=True)[1]
        return _Here(mine, self.eta[rows], self.residuals[rows], groups)


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
    here, read = _read(model, samples, site)
    # One thread: the problems are tiny, and threads that wait for each other make them a hundred times slower.
    with threadpool_limits(limits=1):
        place, heads, judged, steps, needs = _placed(model, here)
    described = Recalibration(**read, steps=tuple(steps), needs=needs, judged=judged, **_distance(model, here, place))
    bundle = _bound(model, replace(known, heads=heads, site_names=(site,), sites=(place,)), samples, described)
    return Recalibrated(bundle, _decision(model, place, described))


def _read(model: ModelBundle, samples: LocalSamples, site: str) -> tuple[_Here, dict[str, Any]]:
    source, states = samples.source, model.states
    for table in samples.tables:
        table.check_rows()
    ids, X = model.rows(samples.cargo)
    labels = samples.labels or ("",) * len(ids)
    unknown = sorted({label for label in labels if label and label not in states})
    if unknown:
        raise InputError(
            f"{source}: {unknown[0]} is not a state of {model.name}; its states are {', '.join(states)}; blank = not known"
        )
    mix = shifted_prevalence(states, model.blend.prevalence, samples.mix, what="mix")
    known, measured = _trained_on(model, samples, X), model.measure(X)
    unread = ~known & (measured.coverage < model.panel.min_coverage)
    new = ~known & ~unread
    y = np.array([states.index(label) if label else -1 for label in labels], dtype=np.intp)[new]
    left_out = {"left_out_as_trained_on": int(known.sum()), "left_out_as_not_measured": int(unread.sum())}
    _check_enough(model, y, mix, left_out, source)
    log_odds, residuals = measured.log_odds[new].transpose(1, 0, 2), measured.residuals[new]
    alpha = model.about.answers.novelty_alpha
    novel = conformal_p(model.blend.calibration.unknown.novelty, residuals) <= alpha
    if novel.all() and not (y >= 0).all():
        raise DesignError(
            f"{source}: all {len(y)} local samples are unlike the training samples; check unit, kind and preparation, or label "
            f"{_FEWEST_LABELLED} subjects of every state"
        )
    head = model.blend.calibration.heads[0]
    share = model.blend.prevalence if mix is None else mix
    subjects = samples.subjects or ids
    groups = np.unique(np.asarray(subjects, dtype=np.str_)[new], return_inverse=True)[1]
    here = _Here(Local(head.to_white(log_odds[0]), share, mix is not None, y), log_odds[0], residuals, groups)
    return here, {
        "site": site,
        "source": f"{model.name} {model.version}",
        "samples": {
            **{state: int((y == k).sum()) for k, state in enumerate(states)}, "not labelled": int((y < 0).sum()),
        },
        "mix": None if mix is None else dict(zip(states, map(float, mix), strict=True)),
        "subjects": len(np.unique(groups)) if samples.subjects else None,
        **left_out,
        "data_sha256": samples.digest(),
        "novel_before": float(novel.mean()),
    }  # fmt: skip


def _trained_on(model: ModelBundle, samples: LocalSamples, X: Floats) -> Mask:
    if model.trained_on is None:
        return np.zeros(len(X), dtype=bool)
    ways = recognised(model, samples.sample_ids, X, samples.subjects or None)
    known: Mask = np.any(list(ways.values()), axis=0)
    return known


def _check_enough(model: ModelBundle, y: Codes, mix: Floats | None, left_out: Mapping[str, int], source: str) -> None:
    if len(y) < FEWEST:
        trained, unread = left_out.values()
        why = [f"{n} {how}" for n, how in ((trained, "as trained on"), (unread, "as hardly measured")) if n]
        told = f" ({', '.join(why)} left out)" if why else ""
        raise DesignError(
            f"{source}: {len(y)} local samples{told}; a site needs {FEWEST} or more that the model has not seen"
        )
    counts = np.bincount(y[y >= 0], minlength=len(model.states))
    if mix is None and counts.max() < _FEWEST_LABELLED:
        raise DesignError(
            f"{source}: neither the mix of the local samples is stated nor {_FEWEST_LABELLED} of one state are labelled, and "
            f"without either the offset cannot be told from the mix; give --mix {','.join(f'{s}=…' for s in model.states)}, or "
            f"label {_FEWEST_LABELLED} controls"
        )
    if mix is not None and mix.min() < _RAREST and (y < 0).all():
        rare = model.states[int(mix.argmin())]
        raise DesignError(
            f"mix: {rare}={mix.min():g} is below {_RAREST:g}; so rare a state says nothing of the offset: label some of the "
            "samples (controls are enough) instead"
        )


def _placed(
    model: ModelBundle, here: _Here
) -> tuple[Place, tuple[Head, ...], JudgedAtSite | None, list[str], dict[str, str]]:
    """Describe the site by the offset alone, or by all that its labels support."""
    known, states = model.blend.calibration, model.states
    place = site_place(known, here.local, model.blend.prevalence)
    y = here.y
    complete = bool((y >= 0).all()) and len(np.unique(y)) == len(states)
    subjects = subjects_per_state(y, here.groups) if complete else np.zeros(len(states), dtype=np.intp)
    steps, needs = ["offset"], {}
    if subjects.min() < _FEWEST_LABELLED:
        needs["judging it here"] = f"{_FEWEST_LABELLED} labelled subjects of each state"
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


def _slope(model: ModelBundle, here: _Here) -> float:
    """Fit how steep the log-odds are here, beside a constant of each state."""
    mix = np.bincount(here.y, minlength=len(model.states)) / len(here.y)
    scale, _ = fit_scale(here.eta, here.y, np.zeros_like(here.y), mix[None], mix)
    return float(np.clip(scale, 0.05, 4.0))


def _crossed(model: ModelBundle, here: _Here, slope: float, seed: int) -> Floats:
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


def _judged(model: ModelBundle, here: _Here, slope: float) -> JudgedAtSite:
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


def _distance(model: ModelBundle, here: _Here, place: Place) -> dict[str, Any]:
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
