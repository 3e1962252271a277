"""From training samples to a fitted blend: nothing here ever sees a sample it will be judged on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from exoclassify.errors import DesignError, InputError, RecipeError
from exoclassify.evidence.catalogue import Catalogue
from exoclassify.learning.calibration import HeldOut, calibrated
from exoclassify.learning.folds import Fold, batches_left_out, stratified_folds
from exoclassify.learning.fuse import LayerHeldOut, calibrated_layers
from exoclassify.learning.recipe import Recipe, Voice
from exoclassify.learning.samples import Samples
from exoclassify.methods.learners.linear import Rotated, Scaling, fit_elastic_net, fit_ridge, fit_svm
from exoclassify.methods.learners.ratios import fit_ratios
from exoclassify.methods.learners.trees import fit_boosted, fit_forest
from exoclassify.methods.novelty import PCAResidual
from exoclassify.methods.select import PrevalenceFilter
from exoclassify.methods.steps import imputer_for, normaliser_for
from exoclassify.methods.views import Views
from exoclassify.model.answers import Answers
from exoclassify.model.blend import Blend, FittedBlend, Learner, Member
from exoclassify.model.layered import LayeredBlend, compiled
from exoclassify.model.prediction import Limits, Use
from exoclassify.typing import Codes, Floats

__all__ = ["Learned", "learn", "learn_each"]


_FEW_COLUMNS = 10
_PLAIN = Voice(learner="ridge", view="log", C=30.0)
"""Of a layer of fewer columns, such as covariates: ranks within a sample and ratios mean nothing there."""


_Rotation = tuple[str, Scaling, str]
"""View, scaling and prior that linear learners share a table of."""

_BESIDE_LEARNERS: dict[str, bool | set[str]] = {
    "seed": True, "panel": True, "normalise": True, "prior": True, "answers": True, "folds": {"inner"}, "blend": {"class_weight"},
}  # fmt: skip
"""What a fitted base learner depends on beside its own settings."""


@dataclass(frozen=True, eq=False)
class Learned:
    """A fitted blend and the columns of the table it reads.

    Parameters
    ----------
    support : ndarray of int
        Positions of the panel's molecules in the training table.
    blend : FittedBlend
        What was learned on them.
    across_batches : bool
        At least two batches were left out as wholes.
    """

    support: NDArray[np.intp]
    blend: Blend
    across_batches: bool

    def answers(self, X: Floats, recipe: Recipe, batches: Sequence[str] | None = None) -> Answers:
        """Answer for samples as the model that is shipped would.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_molecules)
            Raw values of the whole table.
        batches : sequence of str, optional
            The batch of each sample; without it they are of unknown batches, or, where training had none, of its own.
        """
        log_odds, residuals = compiled(self.blend).evaluate(X[:, self.support])
        asked = recipe.answers
        limits = Limits(asked.level, asked.max_wrong, asked.novelty_alpha, 0.0)
        use = Use(same_batch=not self.blend.calibration.batches)
        return self.blend.judge(log_odds, residuals, np.ones(len(X)), use, limits, batches)


@dataclass(frozen=True, eq=False)
class _Fitted:
    """One fit of all learners, before calibration and weighing."""

    support: NDArray[np.intp]
    views: Views
    learners: tuple[Learner, ...]
    novelty: PCAResidual

    def scores(self, X: Floats) -> tuple[Floats, Floats]:
        """Score samples: (n_learners, n_samples, n_states) and residuals (n_samples,)."""
        views = self.views.of(np.ascontiguousarray(X[:, self.support]))
        scores = np.stack([learner.scores(views[learner.view]) for learner in self.learners])
        return scores, self.novelty.residuals(views["log"])


def learn(samples: Samples, recipe: Recipe) -> Learned:
    """Fit every voice, calibrate and weigh them on inner folds, and keep what prediction sets and novelty need."""
    return _learn_layers(samples, recipe) if samples.layers else learn_each(samples, [recipe])[0]


def learn_each(samples: Samples, recipes: Sequence[Recipe]) -> list[Learned]:
    """Learn by several recipes, each as `learn` does; a base learner is fitted once for all that share everything else."""
    alike: dict[str, list[int]] = {}
    for place, recipe in enumerate(recipes):
        alike.setdefault(recipe.model_dump_json(include=_BESIDE_LEARNERS), []).append(place)
    learned: dict[int, Learned] = {}
    for places in alike.values():
        found = _learn_and_hold_out(samples, [recipes[place] for place in places])[0]
        learned |= zip(places, found, strict=True)
    return [learned[place] for place in range(len(recipes))]


def _learn_and_hold_out(
    samples: Samples, recipes: Sequence[Recipe]
) -> tuple[list[Learned], HeldOut, HeldOut | None, Codes]:
    """Learn, and keep the held-out scores: by stratified folds of all samples, by batches of some, and which these are."""
    wide = _joined(recipes)
    # One thread: sums in another order would be other numbers in the last bit.
    with threadpool_limits(limits=1):
        y, groups, batches = samples.y, samples.groups, samples.batches
        seed, n_folds = wide.seed + 1, wide.folds.inner
        trained = _held_out(samples, stratified_folds(y, groups, n_folds, seed), wide)
        left_out = [] if batches is None else batches_left_out(y, groups, batches, n_folds)
        new = _held_out(samples, left_out, wide) if left_out else None
        final = _fit_voices(samples, wide)
        learned = [_blended(samples, recipe, wide, final, trained, new) for recipe in recipes]
    rows = np.sort(np.concatenate([np.empty(0, dtype=np.intp), *(test for _, test in left_out)]))
    return learned, trained, new, rows


def _learn_layers(samples: Samples, recipe: Recipe) -> Learned:
    """Learn a complete blend of each layer on the samples that have it, and how they are fused."""
    found, supports, held = [], [], []
    for layer in samples.layers:
        rows, alone = samples.of_layer(layer)
        try:
            own = (
                recipe if layer.stop - layer.start >= _FEW_COLUMNS else recipe.model_copy(update={"voices": (_PLAIN,)})
            )
            [learned], trained, new, new_rows = _learn_and_hold_out(alone, [own])
        except (DesignError, InputError) as error:
            raise type(error)(f"layer {layer.name}: {error}") from error
        found.append(learned.blend)
        supports.append(layer.start + learned.support)
        held.append(LayerHeldOut(rows, trained, rows[new_rows], new))
    prevalence = np.bincount(samples.y, minlength=len(samples.states)) / len(samples.y)
    batch = np.zeros(len(samples.y), dtype=np.intp) if samples.batches is None else samples.batches
    n_batches = max(len(samples.batch_names), int(batch.max()) + 1)
    names = () if samples.batches is None else tuple(samples.named(code) for code in range(n_batches))
    layers = tuple(blend for blend in found if isinstance(blend, FittedBlend))
    with threadpool_limits(limits=1):
        fit = calibrated_layers(
            [blend.calibration for blend in layers],
            held,
            samples.y,
            samples.groups,
            batch,
            n_batches,
            prevalence,
            names,
        )
    blend = LayeredBlend(
        samples.states, prevalence, tuple(layer.name for layer in samples.layers), layers, fit.residuals, fit.weights,
        fit.calibration, fit.able,
    )  # fmt: skip
    return Learned(np.concatenate(supports), blend, len(fit.calibration.heads) > 1)


def _blended(
    samples: Samples, recipe: Recipe, wide: Recipe, final: _Fitted, trained: HeldOut, new: HeldOut | None
) -> Learned:
    """Blend and calibrate the base learners of one recipe among those that were fitted."""
    places = [wide.voices.index(_whatever_share(voice)) for voice in recipe.voices]
    prevalence = np.bincount(samples.y, minlength=len(samples.states)) / len(samples.y)
    n_batches = 0 if samples.batches is None else trained.n_batches
    calibration = calibrated(
        replace(trained, scores=trained.scores[places]),
        None if new is None else replace(new, scores=new.scores[places]),
        prevalence,
        samples.batch_names or tuple(str(code) for code in range(n_batches)),
        np.array([voice.share for voice in recipe.voices]),
        recipe.blend.temperature if recipe.blend.weights == "learned" else None,
    )
    blend = FittedBlend(
        states=samples.states,
        prevalence=prevalence,
        views=final.views,
        members=tuple(
            Member(voice.name, final.learners[place]) for voice, place in zip(recipe.voices, places, strict=True)
        ),
        calibration=calibration,
        novelty=final.novelty,
    )
    return Learned(final.support, blend, new is not None)


def _joined(recipes: Sequence[Recipe]) -> Recipe:
    """One recipe with the base learners of all, which differ in nothing else."""
    voices = dict.fromkeys(_whatever_share(voice) for recipe in recipes for voice in recipe.voices)
    return recipes[0].model_copy(update={"voices": tuple(voices)})


def _whatever_share(voice: Voice) -> Voice:
    return voice.model_copy(update={"share": 1.0})


def _held_out(samples: Samples, folds: Sequence[Fold], recipe: Recipe) -> HeldOut:
    """Scores of the samples of all folds, each by learners that were not trained on it."""
    rows = np.sort(np.concatenate([test for _, test in folds]))
    scores = np.zeros((len(recipe.voices), len(samples.y), len(samples.states)))
    residuals = np.zeros(len(samples.y))
    for train, test in folds:
        scores[:, test], residuals[test] = _fit_voices(samples.take(train), recipe).scores(samples.X[test])
    batch = np.zeros(len(samples.y), dtype=np.intp) if samples.batches is None else samples.batches
    n_batches = max(len(samples.batch_names), int(batch.max()) + 1)
    return HeldOut(scores[:, rows], residuals[rows], samples.y[rows], samples.groups[rows], batch[rows], n_batches)


def _fit_voices(samples: Samples, recipe: Recipe) -> _Fitted:
    not_detected = 40.0 if samples.not_detected is None else samples.not_detected
    prevalence = PrevalenceFilter(recipe.panel.min_prevalence, unit=samples.unit, not_detected=not_detected)
    support = np.flatnonzero(prevalence.fit(samples.X).support_)
    try:
        normaliser = normaliser_for(samples.unit, recipe.normalise.method, samples.not_detected)
    except ValueError as error:
        raise RecipeError(str(error)) from error
    panel = np.ascontiguousarray(samples.X[:, support])
    views = Views.fit(panel, normaliser, imputer_for(samples.unit))
    tables = views.of(panel)
    known = None
    if any(voice.prior == "catalogue" for voice in recipe.voices):
        known = _known(samples.molecules, recipe.prior.without)[support]
    rotated = {
        (view, scaling, prior): Rotated.fit(view, tables[view], scaling, None if prior == "none" else known)
        for view, scaling, prior in _rotated_views(recipe)
    }
    learners = tuple(_fit_voice(voice, rotated, tables, samples, recipe) for voice in recipe.voices)
    return _Fitted(
        support,
        views,
        learners,
        PCAResidual.from_rotated(rotated["log", "standard", "none"], recipe.answers.novelty_components),
    )


@lru_cache(maxsize=4)
def _known(molecules: tuple[str, ...], without: tuple[str, ...]) -> Floats:
    """How often each molecule counts for learners that know the catalogue."""
    return Catalogue.read().without(without).weights(molecules)


def _rotated_views(recipe: Recipe) -> set[_Rotation]:
    novelty: _Rotation = ("log", "standard", "none")
    return {novelty} | {(v.view, v.scaling, v.prior) for v in recipe.voices if v.learner in ("ridge", "svm")}


def _fit_voice(
    voice: Voice, rotated: dict[_Rotation, Rotated], tables: dict[str, Floats], samples: Samples, recipe: Recipe
) -> Learner:
    y, V = samples.y, tables[voice.view]
    class_weight = None if recipe.blend.class_weight == "none" else "balanced"
    match voice.learner:
        case "ridge":
            return fit_ridge(rotated[voice.view, voice.scaling, voice.prior], y, voice.C, class_weight)
        case "svm":
            return fit_svm(rotated[voice.view, voice.scaling, voice.prior], y, voice.C, class_weight)
        case "elastic-net":
            return fit_elastic_net(voice.view, V, y, voice.C / V.shape[1], voice.l1_ratio, class_weight, recipe.seed)
        case "ratios":
            return fit_ratios(
                voice.view, V, y, samples.batches,
                C=voice.C, n_ratios=voice.n_ratios, pool=voice.pool, uses=voice.uses, scaling=voice.scaling,
                class_weight=class_weight,
            )  # fmt: skip
        case "xgboost":
            return fit_boosted(
                voice.view, V, y, n_trees=voice.n_trees, max_depth=voice.max_depth,
                learning_rate=voice.learning_rate, class_weight=class_weight, seed=recipe.seed,
            )  # fmt: skip
        case _:
            return fit_forest(
                voice.view, V, y, extra=voice.learner == "extra-trees", n_trees=voice.n_trees,
                min_leaf=voice.min_leaf, class_weight=class_weight, seed=recipe.seed,
            )  # fmt: skip
