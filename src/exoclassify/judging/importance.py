"""Which molecules move a recipe's answers, and how much that differs from fold to fold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from exoclassify.learning.folds import Fold
from exoclassify.model.blend import Blend
from exoclassify.model.evaluation import Mover
from exoclassify.model.explain import of_blend
from exoclassify.typing import Floats

__all__ = ["importance", "moved"]


_MOST = 50
"""Molecules that are kept."""


def moved(blend: Blend, support: NDArray[np.intp], X: Floats) -> Floats:
    """How far each molecule of a table moves the answers of a blend.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_molecules)
        Raw values of the whole table.

    Returns
    -------
    ndarray of shape (n_molecules,)
        Mean over samples of the largest move between two states, in log-odds; NaN for a molecule that it does not read.
    """
    result = np.full(X.shape[1], np.nan)
    total = np.zeros(len(support))
    for row in X[:, support]:  # one at a time: the whole table of contributions is never held
        parts = of_blend(blend, row[None, :])[0][0]
        total += parts.max(axis=1) - parts.min(axis=1)
    result[support] = total / max(len(X), 1)
    return result


def importance(found: Floats, folds: Sequence[Fold], molecules: Sequence[str]) -> tuple[Mover, ...]:
    """Average over folds, with an interval.

    Parameters
    ----------
    found : ndarray of shape (n_folds, n_molecules)
        As `moved` gives it, of held-out samples.

    Returns
    -------
    tuple of Mover
        The largest mean first, at most 50. A fold that does not read a molecule counts as 0.

    Notes
    -----
    Folds share training samples, so the variance over folds is taken (1/J + n_test/n_train) times (Nadeau & Bengio 2003, doi
    10.1023/A:1024068626366).
    """
    J = len(found)
    values = np.nan_to_num(found)
    mean = values.mean(axis=0)
    ratio = float(np.mean([len(test) / len(train) for train, test in folds]))
    half = student.ppf(0.975, max(J - 1, 1)) * np.sqrt(values.var(axis=0, ddof=1 if J > 1 else 0) * (1 / J + ratio))
    order = np.argsort(-mean, kind="stable")[:_MOST]
    return tuple(
        Mover(
            molecule=molecules[i],
            mean=float(mean[i]),
            low=float(max(mean[i] - half[i], 0.0)),
            high=float(mean[i] + half[i]),
            read_in=float((~np.isnan(found[:, i])).mean()),
        )
        for i in order
        if mean[i] > 0
    )
