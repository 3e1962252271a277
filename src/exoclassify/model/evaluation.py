"""How good a model is on samples that were left out, as values: `Evaluation`, and `Validation` on another cohort."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from exoclassify.model.figures import Examined, Figures, Value

__all__ = ["Comparison", "CrossValidation", "Evaluation", "Judged", "LeftOutBatches", "Validation"]


class Permutation(Value):
    """How the AUC compares with that of permuted labels."""

    p_value: float
    n_permutations: int
    mean: float
    highest: float


class Calls(Value):
    """How often a state was called, and how often wrongly; shares of the samples."""

    called: float
    called_wrong: float
    wrong_among_called: float | None = None
    max_wrong: float | None = None
    novel: float | None = None


class SetsInAll(Value):
    """Prediction sets: the promised level, and the share that held the truth by state."""

    level: float
    coverage: Mapping[str, float]
    mean_size: float


class LayerSet(Value):
    """A model shown some of its layers alone."""

    layers: tuple[str, ...]
    n_samples: int
    n_subjects: int
    figures: Figures


class LayerAdded(Value):
    """What a layer adds to all others, paired on the samples that have all."""

    layer: str
    n_samples: int
    n_subjects: int
    figures: Figures
    sentence: str


class Layers(Value):
    """What every set of layers is worth, and what each adds; of the covariates with their columns."""

    columns: tuple[str, ...] | None = None
    sets: tuple[LayerSet, ...]
    added: tuple[LayerAdded, ...]


class CrossValidation(Value):
    """Repeated nested cross-validation.

    Parameters
    ----------
    folds, repeats, n_samples, n_subjects : int
        How it was done.
    figures : Figures
        With intervals.
    sets : SetsInAll
        Prediction sets.
    calls : Calls
        What was called.
    layers : Layers or None
        Of a model of several layers.
    examined : Examined or None
        In detail.
    permutation : Permutation or None
        Where it was asked for.
    """

    folds: int
    repeats: int
    n_samples: int
    n_subjects: int
    figures: Figures
    sets: SetsInAll
    calls: Calls
    layers: Layers | None = None
    examined: Examined | None = None
    permutation: Permutation | None = None


class BatchLeftOut(Value):
    """One batch that was left out."""

    n_samples: int
    auc: float | None


class LeftOutBatches(Value):
    """Leaving out each batch.

    Parameters
    ----------
    batches : mapping of str to BatchLeftOut
        By name.
    n_samples, n_subjects : int
        In the batches that could be left out.
    figures, sets, calls, examined, permutation
        As in `CrossValidation`.
    """

    batches: Mapping[str, BatchLeftOut]
    n_samples: int
    n_subjects: int
    figures: Figures
    sets: SetsInAll
    calls: Calls
    examined: Examined | None = None
    permutation: Permutation | None = None


class Validation(Value):
    """A model judged on another cohort.

    Parameters
    ----------
    n_samples, n_subjects, samples
        Who was judged; samples by state.
    figures, calls, permutation, examined
        As in `CrossValidation`.
    measured : float
        Mean share of the panel that was measured.
    trained_on : mapping of str to int or None
        Samples left out because the model was trained on them, ``in all`` and by each way of knowing them; None where the
        model does not remember.
    prevalence : mapping of str to float or None
        At the place of use, where one was stated.
    """

    n_samples: int
    n_subjects: int
    samples: Mapping[str, int]
    figures: Figures
    calls: Calls
    measured: float
    trained_on: Mapping[str, int] | None
    prevalence: Mapping[str, float] | None
    permutation: Permutation
    examined: Examined


Judged = CrossValidation | LeftOutBatches | Validation
"""Figures of one way of judging."""


class NewSite(Value):
    """What a site profile from some local samples, not labelled, would do."""

    n_local: int
    n_batches: int
    log_loss: float
    called: float
    wrong_among_called: float | None


class Headline(Value):
    """The AUC to quote: within batches that were left out where there are any, else of cross-validation."""

    figure: str
    value: float
    low: float
    high: float
    source: Literal["cross_validation", "leave_one_batch_out"] = Field(
        validation_alias="from", serialization_alias="from"
    )
    n_batches: int | None = None


class Mover(Value):
    """A molecule that moves the answers: mean move in log-odds, and the share of the folds that read it."""

    molecule: str
    mean: float
    low: float
    high: float
    read_in: float


class InUse(Value):
    """Calibration and calls in one kind of batch."""

    use: str
    n_batches: int
    log_loss: float
    calibration_slope: float | None
    called: float
    wrong_among_called: float | None


class Offsets(Value):
    """How far batches lie apart, in standard deviations of a state, with an 80 % interval."""

    spread: float
    low: float
    high: float
    n_batches: int
    carrying: int
    useless: float


class Evaluation(Value):
    """How good a model is on samples that it never saw.

    Parameters
    ----------
    cross_validation : CrossValidation
        Within the batches it knows.
    leave_one_batch_out : LeftOutBatches or None
        In batches it does not know; None where none could be left out.
    new_site : tuple of NewSite
        With a profile of a new site.
    headline : Headline
        The figure to quote.
    folds : str
        sha256 of the folds: models of the same folds can be compared.
    importance : tuple of Mover
        Molecules that move the answers, the most first.
    uses : tuple of InUse
        Each kind of batch side by side.
    offsets : Offsets or None
        How far batches lie apart.
    covariates : Layers or None
        Covariates alone, cargo alone and both.
    """

    cross_validation: CrossValidation
    leave_one_batch_out: LeftOutBatches | None = None
    new_site: tuple[NewSite, ...] = ()
    headline: Headline
    folds: str
    importance: tuple[Mover, ...] = ()
    uses: tuple[InUse, ...] = ()
    offsets: Offsets | None = None
    covariates: Layers | None = None

    @property
    def quoted(self) -> CrossValidation | LeftOutBatches:
        """Give the figures that the headline is of."""
        batched = self.leave_one_batch_out
        return self.cross_validation if self.headline.source == "cross_validation" or batched is None else batched

    def ways(self) -> list[tuple[str, CrossValidation | LeftOutBatches]]:
        """Give each way of judging with its name, cross-validation first."""
        crossed, batched = self.cross_validation, self.leave_one_batch_out
        name = f"{crossed.repeats} x {crossed.folds}-fold nested cross-validation"
        return [(name, crossed), *([] if batched is None else [("leaving out each batch", batched)])]


class WithinFolds(Value):
    """The corrected resampled t test over folds."""

    difference: float
    t: float | None
    p_value: float
    folds: int


class Paired(Value):
    """A figure of two models on the same samples, and their difference with the interval of the paired bootstrap."""

    first: float
    second: float
    difference: float
    low: float
    high: float
    within_folds: WithinFolds


class Comparison(Value):
    """Two models on the same samples in the same folds.

    Parameters
    ----------
    auc, log_loss, brier : Paired
        Larger is better for the AUC, smaller for the others.
    """

    auc: Paired
    log_loss: Paired
    brier: Paired
