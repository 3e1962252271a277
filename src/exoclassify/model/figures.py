"""Figures with intervals, and curves, as values: built once, read by attribute.

`to_json` gives what is saved and printed, and ``model_validate`` reads it again. What an older version did not write is None
(or empty) here, and is left out when it is written again.
"""

from __future__ import annotations

from collections.abc import ItemsView, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, RootModel

__all__ = ["Examined", "Figure", "Figures", "Value"]

Curve = tuple[float, ...]


class Value(BaseModel):
    """A value that is written as JSON; frozen."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_name=True)

    def to_json(self) -> dict[str, Any]:
        """Give the plain values that are written."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class Figure(Value):
    """An estimate with its 95 % interval.

    Parameters
    ----------
    value, low, high : float
        The estimate and the ends of the interval.
    """

    value: float
    low: float
    high: float

    def told(self, digits: int = 3, sign: str = "") -> str:
        """Give it as ``0.912 (0.850 to 0.961)``; `sign` "+" for a difference."""
        value, low, high = (f"{one:{sign}.{digits}f}" for one in (self.value, self.low, self.high))
        return f"{value} ({low} to {high})"


class Figures(RootModel[Mapping[str, Figure]]):
    """Figures of merit by name: ``auc``, ``auc:STATE``, ``balanced_accuracy``, ``brier``, ``log_loss``, ``calibration_slope`` ….

    Parameters
    ----------
    root : mapping of str to Figure
        By name, in the order in which they are told.
    """

    model_config = ConfigDict(frozen=True)

    @property
    def auc(self) -> Figure:
        """Mean over states of the area under the ROC curve of one against the rest."""
        return self.root["auc"]

    @property
    def log_loss(self) -> Figure:
        """Mean negative log-probability of the true state, in nats."""
        return self.root["log_loss"]

    @property
    def brier(self) -> Figure:
        """Half the mean squared distance of the probabilities from the truth."""
        return self.root["brier"]

    @property
    def balanced_accuracy(self) -> Figure:
        """Mean over states of the share of its samples for which it is the most probable."""
        return self.root["balanced_accuracy"]

    @property
    def calibration_slope(self) -> Figure | None:
        """Ideal is 1, less is overconfident; None where the states are separated perfectly."""
        return self.root.get("calibration_slope")

    def get(self, name: str) -> Figure | None:
        """Give a figure by its name; None where it does not exist."""
        return self.root.get(name)

    def items(self) -> ItemsView[str, Figure]:
        """Give names and figures."""
        return self.root.items()


class SetsOfGroup(Value):
    """Prediction sets of one state or group."""

    by: str
    of: str
    n_samples: int
    promised: float
    coverage: Figure
    mean_size: float


class AucIntervals(Value):
    """The AUC's interval, four ways."""

    value: float
    quoted: tuple[float, float]
    delong_by_subject: tuple[float, float]
    delong_by_sample: tuple[float, float]
    bootstrap_by_subject: tuple[float, float]
    draws: int


class Roc(Value):
    """The ROC curve, with a band where one was drawn."""

    false_positive_rate: Curve
    sensitivity: Curve
    low: Curve | None = None
    high: Curve | None = None
    area: float


class PrecisionRecall(Value):
    """The precision-recall curve."""

    recall: Curve
    precision: Curve


class BrierParts(Value):
    """Brier = reliability - resolution + uncertainty + within_bins."""

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within_bins: float


class CalibrationCurve(Value):
    """Bins of answers with about the same probability: what was said, and the share seen."""

    said: Curve
    seen: tuple[Figure, ...]
    count: tuple[int, ...]
    ece: float
    ece_if_calibrated: float
    brier_parts: BrierParts


class NetBenefit(Value):
    """The decision curve."""

    threshold: Curve
    model: Curve
    everyone: Curve


class Threshold(Value):
    """What calling a state from one probability on does; None where nothing, or everything, is called."""

    chosen: str
    threshold: float
    sensitivity: Figure | None
    specificity: Figure | None
    ppv: Figure | None
    npv: Figure | None


class OfState(Value):
    """One state against the rest."""

    prevalence: float
    share: float
    auc: Figure
    average_precision: float
    roc: Roc
    precision_recall: PrecisionRecall
    calibration: CalibrationCurve
    net_benefit: NetBenefit
    thresholds: tuple[Threshold, ...]


class RiskCoverage(Value):
    """Errors when only the surest answers are given, and what was called."""

    coverage: Curve
    risk: Curve
    area: float
    called: float
    wrong_among_called: float | None


class Subgroup(Value):
    """A batch, sex, age band or other group; its AUC where every state has two samples."""

    by: str
    of: str
    n_samples: int
    n_subjects: int
    samples: Mapping[str, int]
    auc: Figure | None
    brier: Figure
    called: float


class Examined(Value):
    """Curves, intervals, operating points, sets, abstaining and subgroups of one way of judging.

    Parameters
    ----------
    auc_intervals : AucIntervals
        Four ways.
    states : mapping of str to OfState
        Curves and thresholds by state.
    confusion : mapping of str to mapping of str to float, or None
        Samples by state and call, averaged over passes.
    sets : tuple of SetsOfGroup
        Prediction sets by state and group.
    risk_coverage : RiskCoverage
        Abstaining.
    subgroups : tuple of Subgroup
        By batch, sex, age band and so on.
    """

    auc_intervals: AucIntervals
    states: Mapping[str, OfState]
    confusion: Mapping[str, Mapping[str, float]] | None = None
    sets: tuple[SetsOfGroup, ...]
    risk_coverage: RiskCoverage
    subgroups: tuple[Subgroup, ...]
