"""From a cohort to a model that is judged, audited and described: the one way, whoever asks for it."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exoclassify.auditing.audit import audit
from exoclassify.auditing.findings import Audit
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.covariates import COVARIATES, with_covariates
from exoclassify.errors import DesignError, InputError, RecipeError, check_type
from exoclassify.judging.aside import answered, strata_of, to_frame
from exoclassify.judging.evaluate import judge as judged_on
from exoclassify.judging.examine import examine
from exoclassify.judging.importance import importance
from exoclassify.judging.judgement import Judgement, KeptAside
from exoclassify.judging.permute import permutation_test
from exoclassify.judging.uses import offsets_told, places_told, uses_of
from exoclassify.learning.learn import Learned, learn
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.samples import Samples
from exoclassify.lifecycle.known import on_panel
from exoclassify.model.about import About, BaseLearner, Promised, Repeats, Training
from exoclassify.model.blend import Blend, FittedBlend
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.card import card
from exoclassify.model.evaluation import Evaluation, Layers
from exoclassify.model.figures import Examined, Figures
from exoclassify.model.layered import LayeredBlend
from exoclassify.model.layered_panel import LayeredPanel
from exoclassify.model.panel import Panel
from exoclassify.model.retest import Retest, retest_of
from exoclassify.model.trained_on import TrainedOn
from exoclassify.report.training import training_report
from exoclassify.typing import Floats

__all__ = ["Finished", "finish", "numbered"]


_MIN_SUBJECTS = 5
"""Fewer subjects of a state and nothing can be concluded: three against three separate perfectly by chance one time in ten."""

_N_GOLDEN = 20
_HALF = 0.5

_GROWTH = 1.15
"""The model that is shipped learned from all samples, and its answers lie farther apart than those of the models that judged it:
1.0 to 1.4 times, 1.1 on average (tests/benchmarks/reliable_change.py)."""


@dataclass(frozen=True, eq=False)
class Finished:
    """A model, and what its figures rest on.

    Parameters
    ----------
    bundle : ModelBundle
        With everything that is told about it: figures, audit, out-of-fold answers, card and report.
    judgement : Judgement or None
        Every answer given out of fold; None when it was not judged.
    audit : Audit or None
        Of the samples; None when it was not judged.
    """

    bundle: ModelBundle
    judgement: Judgement | None
    audit: Audit | None


def finish(
    cohort: Cohort,
    recipe: Recipe,
    *,
    judge: bool = True,
    covariates: Sequence[str] = (),
    permutations: int = 0,
    cache: Path | None = None,
    name: str = "model",
    version: str = "1.0.0",
    n_jobs: int = -1,
    progress: Callable[[int, int], None] | None = None,
) -> Finished:
    """Make a model of a cohort, and everything that is told about it; whatever trains calls this.

    Returns
    -------
    Finished
        The figures, audit and importance describe the model in the bundle: all of them are of the molecules that the
        recipe names, where it names any.
    """
    for word in (name, version):
        check_type(word, str, "fit: name or version", "a name such as pain and a version such as 1.0.0")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) or not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise RecipeError(
            f"name {name!r}, version {version!r}: use letters, digits, - and . in a name, and a version such as 1.0.0"
        )
    written = cohort.layers
    cohort = on_panel(cohort, recipe)
    cohort.check_for_learning()
    samples = Samples.of(cohort)
    _check_size(samples, cohort.has_subjects)
    learned = learn(samples, recipe)
    judgement, found, evaluation = None, None, None
    if judge:
        judgement = judged_on(samples, cohort.sheet.sample_ids, recipe, n_jobs=n_jobs, progress=progress, cache=cache)
        evaluation = _examined(judgement, cohort, recipe, covariates).model_copy(
            update={
                "offsets": offsets_told(learned.blend.calibration),
                "covariates": _beside_covariates(cohort, recipe, covariates, n_jobs=n_jobs, cache=cache),
            }
        )
        if permutations:
            auc = evaluation.cross_validation.figures.auc.value
            dealt = permutation_test(
                samples, recipe, auc, n_permutations=permutations, n_jobs=n_jobs, progress=progress
            )
            crossed = evaluation.cross_validation.model_copy(update={"permutation": dealt})
            evaluation = evaluation.model_copy(update={"cross_validation": crossed})
        found = audit(
            cohort, judgement=judgement, covariates=covariates, seed=recipe.seed, n_jobs=n_jobs, progress=progress
        )
    about = About(
        name=name,
        version=version,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        states=samples.states,
        training=_training(cohort, samples, learned),
        answers=Promised(
            **recipe.answers.model_dump(include={"level", "max_wrong", "novelty_alpha"}),
            places=places_told(learned.blend.calibration, recipe.answers.max_wrong),
        ),
        voices=_base_learners(learned.blend),
        recipe=recipe.model_dump(mode="json"),
        evaluation=evaluation,
        libraries=_libraries(),
        audit=None if found is None else found.to_dict(),
        retest=None if judgement is None or not cohort.has_subjects else _retest(judgement),
    )
    panel = _panel(cohort, samples, learned, recipe, written)
    trained_on = TrainedOn.of(
        learned.blend, panel.molecules, samples.X[:, learned.support], cohort.sheet.sample_ids,
        cohort.groups.tolist() if cohort.has_subjects else None, about.training.data_sha256,
    )  # fmt: skip
    aside = None if judgement is None else to_frame(judgement, cohort)
    bundle = ModelBundle(
        learned.blend, panel, about, _golden(samples, learned.support, recipe.seed), card(about, panel), trained_on,
        report=training_report(about, panel.molecules).html, aside=aside,
    )  # fmt: skip
    bundle.check()
    return Finished(bundle, judgement, found)


def _examined(judgement: Judgement, cohort: Cohort, recipe: Recipe, covariates: Sequence[str]) -> Evaluation:
    """Add curves, thresholds, sets, subgroups, importance and the uses to the figures."""
    strata = strata_of(cohort, covariates)
    found, batched = judgement.evaluation, judgement.evaluation.leave_one_batch_out

    def examined(passes: Sequence[KeptAside], figures: Figures) -> dict[str, Examined]:
        given = answered(judgement, passes, level=recipe.answers.level, strata=strata)
        return {"examined": examine(given, quoted=figures.auc, seed=recipe.seed)}

    crossed = found.cross_validation
    update: dict[str, object] = {
        "cross_validation": crossed.model_copy(update=examined(judgement.passes, crossed.figures)),
        "importance": importance(judgement.moved, judgement.folds, cohort.molecules),
        "uses": uses_of(found, 0 if cohort.batches is None else len(np.unique(cohort.batches))),
    }
    if batched is not None and judgement.batched is not None:
        update["leave_one_batch_out"] = batched.model_copy(update=examined((judgement.batched,), batched.figures))
    return found.model_copy(update=update)


def _beside_covariates(
    cohort: Cohort, recipe: Recipe, columns: Sequence[str], *, n_jobs: int, cache: Path | None
) -> Layers | None:
    """Judge covariates alone, cargo alone and both in the folds of the model; None where none is named, or none can be used."""
    if not columns or COVARIATES in cohort.layers:
        return None
    try:
        beside = with_covariates(cohort, columns)
        judged = judged_on(Samples.of(beside), cohort.sheet.sample_ids, recipe, n_jobs=n_jobs, cache=cache)
    except (InputError, DesignError):
        return None
    layers = judged.evaluation.cross_validation.layers
    return None if layers is None else layers.model_copy(update={"columns": tuple(columns)})


def _panel(
    cohort: Cohort, samples: Samples, learned: Learned, recipe: Recipe, written: Mapping[str, CargoTable]
) -> Panel:
    """Describe what the model reads, of each layer by the samples that have it; `written` are the tables as they were given."""
    panels, support = {}, learned.support
    for name in cohort.layers:
        layer = next((layer for layer in samples.layers if layer.name == name), None)
        start, stop = (0, samples.X.shape[1]) if layer is None else (layer.start, layer.stop)
        table = cohort.cargo if layer is None else cohort.layers[name]
        own = support[(support >= start) & (support < stop)] - start
        least = _HALF if name == COVARIATES else recipe.panel.min_coverage  # a missing age is no missing layer
        panel = Panel.fit(table, own, least)
        panels[name] = dataclasses.replace(panel, hairpins_apart=written[name].hairpins_apart)
    return LayeredPanel.of(panels) if samples.layers else next(iter(panels.values()))


def numbered(bundle: ModelBundle, version: str, **also: object) -> ModelBundle:
    """Give the same model under another version, its card and report written anew; `also` replaces more of what is told."""
    about = bundle.about.model_copy(update={"version": version, **also})
    report = None if bundle.report is None else training_report(about, bundle.panel.molecules).html
    return dataclasses.replace(bundle, about=about, card=card(about, bundle.panel), report=report)


def _retest(judgement: Judgement) -> Repeats | None:
    """Learn how far held-out answers to one person in one state lie apart, where there are repeated samples."""
    samples, rows = judgement.samples, judgement.passes[0].rows

    def learned(given: Sequence[Floats]) -> Retest | None:
        has = ~np.isnan(given[0][:, 0])  # those that have the layers
        own = rows[has]
        answers = [np.exp(one[has]) for one in given]
        found = retest_of(answers, samples.groups[own], samples.y[own], "training, held out")
        return None if found is None else dataclasses.replace(found, sd=_GROWTH * found.sd)

    found = learned([kept.log_odds for kept in judgement.passes])
    sets = judgement.passes[0].by_layers
    parts = {code: learned([kept.by_layers[code] for kept in judgement.passes]) for code in sets}
    known = {code: one for code, one in parts.items() if one is not None}
    names = [layer.name for layer in samples.layers]
    return None if found is None else dataclasses.replace(found, by_layers=known).told(samples.states, names)


def _check_size(samples: Samples, has_subjects: bool) -> None:
    for k, state in enumerate(samples.states):
        subjects = len(np.unique(samples.groups[samples.y == k]))
        if subjects < _MIN_SUBJECTS:
            what = "subjects" if has_subjects else "samples"
            raise DesignError(
                f"{state} has {subjects} {what}; with fewer than {_MIN_SUBJECTS} in a state nothing can be concluded: a perfect "
                "separation of so few is likely by chance alone; add samples, or leave that state out"
            )


def _golden(samples: Samples, support: NDArray[np.intp], seed: int) -> Floats:
    """Make up profiles: each molecule from another sample of one state, so that no person's profile leaves the site."""
    rng = np.random.default_rng(seed + 77)
    panel = samples.X[:, support]
    if samples.layers:  # a profile has every layer: each from samples that have it
        of = np.searchsorted([layer.stop for layer in samples.layers], support, side="right")
        parts = [samples.of_layer(layer)[1] for layer in samples.layers]
        columns = [support[of == i] - layer.start for i, layer in enumerate(samples.layers)]
        pairs = zip(parts, columns, strict=True)
        return np.hstack([_golden(part, own, seed + i) for i, (part, own) in enumerate(pairs)])
    rows = []
    for i in range(_N_GOLDEN):
        donors = np.flatnonzero(samples.y == i % len(samples.states))
        rows.append(panel[rng.choice(donors, len(support)), np.arange(len(support))])
    return np.array(rows)


def _base_learners(blend: Blend) -> tuple[BaseLearner, ...]:
    """Name the base learners with their weights for a new batch, of several layers where all are there."""
    if isinstance(blend, LayeredBlend):
        shares = blend.weights[0, -1]
        return tuple(
            BaseLearner(name=f"{name}: {one.name}", weight=float(share * one.weight), inner_log_loss=one.inner_log_loss)
            for name, layer, share in zip(blend.names, blend.layers, shares, strict=True)
            for one in _base_learners(layer)
        )
    assert isinstance(blend, FittedBlend)
    head = blend.calibration.heads[0]
    return tuple(
        BaseLearner(name=member.name, weight=float(weight), inner_log_loss=float(loss))
        for member, weight, loss in zip(blend.members, head.weights, head.losses, strict=True)
    )


def _training(cohort: Cohort, samples: Samples, learned: Learned) -> Training:
    batches = None
    if cohort.batches is not None:
        names, counts = np.unique(cohort.batches, return_counts=True)
        batches = {str(batch): int(count) for batch, count in zip(names, counts, strict=True)}
    counts = np.bincount(samples.y)
    return Training(
        samples={state: int(count) for state, count in zip(samples.states, counts, strict=True)},
        subjects=len(np.unique(samples.groups)) if cohort.has_subjects else None,
        batches=batches,
        simulated=cohort.simulated,
        tested_across_batches=learned.across_batches,
        data_sha256=cohort.digest(),
        molecules_in_table=len(cohort.molecules),
        notes=tuple(cohort.notes),
    )


def _libraries() -> dict[str, str]:
    names = ("exoclassify", "numpy", "scipy", "scikit-learn", "xgboost-cpu")
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in names}}
