"""Whether the cargo follows an order or a grouping of the samples within each state: then it is of the measurement."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from exoclassify.auditing.reference import log_view
from exoclassify.data.cohort import Cohort
from exoclassify.typing import Codes, Floats

__all__ = ["drifts", "first_of_persons"]

_TRIES = 499
_COMPONENTS = 5
_DRIFT = 0.005


def drifts(values: NDArray[np.generic], cohort: Cohort) -> bool:
    """Say whether the cargo follows an order, or the levels of a text, beyond state and batch, persons once.

    Notes
    -----
    Neighbours along an order are alike (lag-one products of five principal components), or values can be predicted (kernel
    ridge regression, each sample left out); either compared with random orders, p below 0.01 together.
    """
    first = first_of_persons(cohort)
    V = log_view(cohort.cargo)[first]
    V = V / np.maximum(V.std(axis=0), 1e-9)
    levels = values.dtype.kind in "US"
    named = np.unique(values[first], return_inverse=True)[1]
    target: Floats = np.eye(int(named.max()) + 1)[named] if levels else rankdata(values[first])[:, None]
    batches = cohort.batches[first] if cohort.batches is not None else np.zeros(len(V), dtype=np.str_)
    for labels in (cohort.y[first], batches):
        for level in np.unique(labels):
            here = labels == level
            V[here] -= V[here].mean(axis=0)
            target[here] -= target[here].mean(axis=0)
    squares, U = np.linalg.eigh(V @ V.T)
    Z = U[:, np.argsort(-squares)[:_COMPONENTS]][np.argsort(named, kind="stable")]
    shrunk = np.maximum(squares, 0) / (np.maximum(squares, 0) + max(float(squares.mean()), 1e-12))
    hat = (U * shrunk) @ U.T
    rng = np.random.default_rng(0)
    likeness, predicted = [_lagged(Z)], [_left_out(hat, target)]
    for _ in range(_TRIES):
        shuffled = rng.permutation(len(Z))
        likeness.append(_lagged(Z[shuffled]))
        predicted.append(_left_out(hat, target[shuffled]))
    told = (predicted,) if levels else (likeness, predicted)
    return bool(min(np.mean(np.array(one) >= one[0]) for one in told) < _DRIFT)


def first_of_persons(cohort: Cohort) -> Codes:
    """Positions of the first sample of each person in each state."""
    persons = [f"{g}\0{s}" for g, s in zip(cohort.groups, cohort.y, strict=True)]
    return np.asarray(np.unique(persons, return_index=True)[1], dtype=np.intp)


def _lagged(Z: Floats) -> float:
    return float((Z[1:] * Z[:-1]).sum())


def _left_out(hat: Floats, target: Floats) -> float:
    """Correlation of a target with its prediction for each sample left out."""
    diagonal = np.diag(hat)[:, None]
    said = (hat @ target - diagonal * target) / np.maximum(1 - diagonal, 1e-9)
    spread = float(said.std() * target.std())
    return float((said * target).mean() / spread) if spread > 0 else 0.0
