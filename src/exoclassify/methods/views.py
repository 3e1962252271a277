"""The three views of one sample's cargo that learners read: log, damped log, and ranks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from exoclassify.methods.frozen import FrozenStep
from exoclassify.methods.ranks import normal_scores
from exoclassify.typing import Floats

__all__ = ["VIEWS", "Views"]


VIEWS = ("log", "damped", "ranks")
"""Names of the views, in the order in which tree features are laid end to end."""


@dataclass(frozen=True, eq=False)
class Views:
    """From raw panel values to the views, with constants frozen at fit.

    Parameters
    ----------
    normaliser : FrozenStep
        Raw values to log2 abundance.
    imputer : FrozenStep
        Fills what is missing.
    damping : float
        Log2 abundance at which the damped view bends: ``log2(2^log + 2^damping)``.

    Notes
    -----
    *log* is the normalised log2 abundance. *damped* adds the median abundance of the training table before the logarithm,
    so that counting noise of scarce molecules weighs less: across the two batches of the migraine cohort ridge regression
    reaches AUC .95 / .87 on it and .985 / .82 on the log view. *ranks* are normal scores within the sample, which any
    monotone distortion of the sample leaves as they are. Different views help a blend more than more learners do.
    """

    normaliser: FrozenStep
    imputer: FrozenStep
    damping: float

    @classmethod
    def fit(cls, X: Floats, normaliser: FrozenStep, imputer: FrozenStep) -> Views:
        """Learn the constants from the training fold.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_molecules)
            Raw values of the panel in the unit of the table; NaN = not measured.
        """
        log = imputer.fit_apply(normaliser.fit_apply(X))
        return cls(normaliser, imputer, float(np.median(log)))

    def log(self, X: Floats) -> Floats:
        """Normalise and fill raw values (n_samples, n_molecules); same shape, log2, no NaN."""
        return self.imputer.apply(self.normaliser.apply(X))

    def of(self, X: Floats) -> dict[str, Floats]:
        """Give all views of raw values (n_samples, n_molecules), each of the same shape and without NaN."""
        log = self.log(X)
        return {"log": log, "damped": np.logaddexp2(log, self.damping), "ranks": normal_scores(log)}
