"""How a finished model does on another cohort: external validation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from exoclassify.data.cohort import Cohort, cohort_of
from exoclassify.errors import DesignError, InputError, check_type
from exoclassify.judging.aside import strata_of
from exoclassify.judging.examine import Answered, examine
from exoclassify.judging.metrics import against_rest, figures
from exoclassify.lifecycle.known import unseen
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.evaluation import Calls, Permutation, Validation
from exoclassify.model.figures import Figures
from exoclassify.model.prediction import Use, shifted_prevalence
from exoclassify.typing import Codes, Floats

__all__ = ["check_labels", "evaluate"]


_DEALS = 1999
_MOST_DEALT = 50_000_000  # labels in all: with more than 25,000 samples there are fewer deals


def check_labels(bundle: ModelBundle, cohort: Cohort, *, left_out: int = 0) -> None:
    """Refuse a cohort whose states are not those of the model.

    Parameters
    ----------
    left_out : int
        Samples that are missing here because the model was trained on them, for the message.
    """
    where = f"{cohort.sheet.source}, column {cohort.sheet.label_column}"
    unknown = [state for state in cohort.states if state not in bundle.states]
    if unknown:
        raise InputError(
            f"{where}: {', '.join(unknown[:3])} is no state of {bundle.name}, which distinguishes {', '.join(bundle.states)}; "
            "spell the labels alike, or leave those samples out by a blank label"
        )
    counts = {state: len(np.unique(cohort.groups[cohort.y == state])) for state in bundle.states}
    few = [f"{state}: {count}" for state, count in counts.items() if count < 2]
    if few:
        rest = f" among samples that it was not trained on, {left_out} were left out" if left_out else ""
        raise DesignError(
            f"{where}: each state of {bundle.name} needs at least 2 subjects to be judged{rest} ({', '.join(few)}); add samples, "
            "or score them without judging"
        )


def evaluate(
    bundle: ModelBundle,
    cohort: Cohort | str | Path,
    *,
    use: Use | None = None,
    thresholds: Sequence[float] = (0.5,),
    covariates: Sequence[str] = (),
    seed: int = 0,
) -> Validation:
    """Judge a model on samples of another cohort, each answered alone; those that it was trained on are left out.

    Parameters
    ----------
    bundle : ModelBundle
        The model.
    cohort : Cohort or path
        Of the model's kind and unit, with states known.
        Or the path of its study file, whose covariates hold where none are given.
    use : Use, optional
        Where the samples are from and how sure the answers must be; its prevalence also shifts predictive values and net
        benefit. Where nothing is said of the place, samples of a batch that was trained on are answered as such.
    thresholds : sequence of float
        Probabilities from which a state is called.
    covariates : sequence of str
        Columns to report apart, beside those called sex, age or BMI.
    seed : int
        Of the bootstrap and of permuted labels.

    Returns
    -------
    Validation
        Figures with intervals, calls, curves and subgroups; ``to_json()`` gives plain values.

    Raises
    ------
    InputError, DesignError
        As `check_labels` says of the samples that are left; or a prevalence that is not valid.
    ModelError
        If kind or unit differ, or too little of the panel is in the table.
    """
    check_type(bundle, ModelBundle, "evaluate: bundle", "a ModelBundle, such as ModelBundle.load(folder)")
    cohort, study = cohort_of(cohort, "evaluate: cohort")
    covariates = covariates or (study.covariates if study else ())
    check_labels(bundle, cohort)
    cohort, left_out = unseen(bundle, cohort)
    if left_out:
        check_labels(bundle, cohort, left_out=left_out["in all"])
    use = Use() if use is None else use
    stated = shifted_prevalence(bundle.states, bundle.blend.prevalence, use.prevalence)
    batches = None if cohort.batches is None or use.batch or use.same_batch or use.site else cohort.batches.tolist()
    given = bundle.interpret(cohort.sheet.sample_ids, bundle.measure(bundle.values(cohort)), use, batches)
    y = np.array([bundle.states.index(state) for state in cohort.y], dtype=np.intp)
    groups = np.unique(cohort.groups, return_inverse=True)[1]
    log_odds = np.log(np.maximum(given.probabilities, 1e-300))
    called = np.array([call != "uncertain" for call in given.calls], dtype=bool)
    answered = Answered(
        log_odds=log_odds[None],
        sets=given.sets[None],
        called=called[None],
        y=y,
        groups=groups,
        states=bundle.states,
        level=bundle.about.answers.level if use.level is None else use.level,
        prevalence=stated,
        strata=strata_of(cohort, covariates),
    )
    found = figures(log_odds, y, bundle.states)
    wrong = called & (np.array(given.calls) != cohort.y)
    return Validation(
        n_samples=cohort.n_samples,
        n_subjects=len(np.unique(groups)),
        samples={state: int((cohort.y == state).sum()) for state in bundle.states},
        figures=Figures({name: estimate.figure(groups) for name, estimate in found.items()}),
        calls=Calls(
            called=float(called.mean()),
            called_wrong=float(wrong.mean()),
            wrong_among_called=float(wrong.sum() / called.sum()) if called.any() else None,
            novel=float(np.mean(["novel" in flags for flags in given.flags])),
        ),
        measured=float(given.coverage.mean()),
        trained_on=left_out,
        prevalence=None if stated is None else dict(zip(bundle.states, map(float, stated), strict=True)),
        permutation=_dealt(log_odds, y, groups, found["auc"].value, seed),
        examined=examine(answered, thresholds=thresholds, seed=seed),
    )


def _dealt(log_odds: Floats, y: Codes, groups: Codes, observed: float, seed: int) -> Permutation:
    """Deal labels among subjects: nothing is learned here, so the model's answers stay as they are."""
    rng = np.random.default_rng(seed)
    _, first = np.unique(groups, return_index=True)
    columns = range(log_odds.shape[1])
    ranks = [rankdata(against_rest(log_odds, k)) for k in columns]
    deals = int(np.clip(_MOST_DEALT // len(y), 199, _DEALS))
    values = []
    for _ in range(deals):
        dealt = y[first][rng.permutation(len(first))][groups]
        values.append(np.mean([_auc_of_ranks(ranks[k], dealt == k) for k in columns]))
    return Permutation(
        p_value=float((1 + np.sum(np.array(values) >= observed)) / (1 + deals)),
        n_permutations=deals,
        mean=float(np.mean(values)),
        highest=float(np.max(values)),
    )


def _auc_of_ranks(ranks: Floats, positive: NDArray[np.bool_]) -> float:
    """Mann and Whitney's; one half when dealing left a state without samples."""
    n1 = int(positive.sum())
    n0 = len(ranks) - n1
    return float((ranks[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)) if n1 and n0 else 0.5
