"""Linear learners for far more molecules than samples: ridge, elastic net and support vectors on a rotated table.

With an L2 penalty the solution lies in the span of the samples, so the table is rotated onto its row space once
(n_samples columns instead of thousands) and every linear learner of that view is fitted there. The answer is the same;
the cost falls by n_molecules / n_samples (Hastie, Tibshirani & Friedman, The Elements of Statistical Learning, 18.3.5).
scikit-learn is imported where something is fitted: a model that answers does not wait for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from exoclassify.typing import Floats

__all__ = ["Linear", "Rotated", "Scaling", "fit_elastic_net", "fit_ridge", "fit_svm", "symmetric"]


Scaling = Literal["standard", "none"]
"""Each column divided by its spread, or only centred: then a column counts as much as it varies."""


def symmetric(scores: Floats) -> Floats:
    """Write scores for K states as columns that sum to zero; a single column becomes (-s/2, s/2)."""
    if scores.shape[1] == 1:
        return np.hstack([-scores / 2, scores / 2])
    centred: Floats = scores - scores.mean(axis=1, keepdims=True)
    return centred


@dataclass(frozen=True, eq=False)
class Linear:
    """A fitted linear learner on one view of the cargo.

    Parameters
    ----------
    view : str
        Which view it reads: ``log`` or ``ranks``.
    mean, scale : ndarray of shape (n_molecules,)
        The training fold's standardisation.
    coef : ndarray of shape (n_states, n_molecules)
        Weights on standardised molecules; columns over states sum to zero.
    intercept : ndarray of shape (n_states,)
        Constants in log-odds.
    """

    view: str
    mean: Floats
    scale: Floats
    coef: Floats
    intercept: Floats

    def scores(self, V: Floats) -> Floats:
        """Score samples step by step: standardise, weigh, add; shape (n_samples, n_states), log-odds."""
        return ((V - self.mean) / self.scale) @ self.coef.T + self.intercept

    def folded(self) -> tuple[Floats, Floats]:
        """Give the same scores as one matrix (n_states, n_molecules) and one constant (n_states,) on the raw view."""
        matrix = self.coef / self.scale
        return matrix, self.intercept - matrix @ self.mean


@dataclass(frozen=True, eq=False)
class Rotated:
    """A centred and scaled view rotated onto its row space, shared by all linear learners of one training fold.

    Parameters
    ----------
    view : str
        The view's name.
    mean, scale : ndarray of shape (n_molecules,)
        What is subtracted and what is divided by; a molecule that does not vary has scale 1.
    coordinates : ndarray of shape (n_samples, r)
        The samples in the rotated frame, divided by sqrt(n_molecules) so that a penalty means the same at any width.
    basis : ndarray of shape (n_molecules, r)
        Turns weights on coordinates into weights on standardised molecules.
    """

    view: str
    mean: Floats
    scale: Floats
    coordinates: Floats
    basis: Floats

    @classmethod
    def fit(cls, view: str, V: Floats, scaling: Scaling = "standard", weights: Floats | None = None) -> Rotated:
        """Centre, scale and rotate one view of training samples, without NaN; each molecule counts as often as its weight."""
        mean, spread = V.mean(axis=0), V.std(axis=0)
        scale = np.where(spread > 1e-9, spread, 1.0) if scaling == "standard" else np.ones(V.shape[1])
        if weights is not None:
            scale = scale * np.sqrt((weights**2).mean()) / weights
        n, p = V.shape
        A = (V - mean) / (scale * np.sqrt(p))
        if p <= n:
            return cls(view, mean, scale, A, np.eye(p) / np.sqrt(p))
        squares, U = np.linalg.eigh(A @ A.T)
        kept = squares > 1e-10 * squares[-1]
        singular = np.sqrt(squares[kept])
        U = U[:, kept]
        return cls(view, mean, scale, U * singular, A.T @ (U / singular) / np.sqrt(p))

    def lift(self, coef: Floats, intercept: Floats) -> Linear:
        """Carry weights on the coordinates, (K, r) or (1, r) for two states, back to the molecules."""
        joined = symmetric(np.hstack([coef, intercept[:, None]]).T).T
        return Linear(self.view, self.mean, self.scale, joined[:, :-1] @ self.basis.T, joined[:, -1].copy())


def fit_ridge(table: Rotated, y: NDArray[np.intp], C: float, class_weight: str | None) -> Linear:
    """Fit L2-penalised multinomial logistic regression; C is the inverse penalty on features of unit total variance."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=C, class_weight=class_weight, tol=1e-6, max_iter=10_000)
    model.fit(table.coordinates, y)
    return table.lift(model.coef_, model.intercept_)


def fit_elastic_net(
    view: str, V: Floats, y: NDArray[np.intp], C: float, l1_ratio: float, class_weight: str | None, seed: int
) -> Linear:
    """Fit logistic regression with an L1 and L2 penalty; the L1 part is not rotation invariant, so this one is slow."""
    from sklearn.linear_model import LogisticRegression

    mean, scale = V.mean(axis=0), V.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    model = LogisticRegression(
        C=C, l1_ratio=l1_ratio, solver="saga", class_weight=class_weight, tol=1e-3, max_iter=5_000, random_state=seed
    )
    model.fit((V - mean) / scale, y)
    joined = symmetric(np.hstack([model.coef_, model.intercept_[:, None]]).T).T
    return Linear(view, mean, scale, joined[:, :-1].copy(), joined[:, -1].copy())


def fit_svm(table: Rotated, y: NDArray[np.intp], C: float, class_weight: str | None) -> Linear:
    """Fit a linear support vector machine, one state against the rest; its margins become log-odds by calibration."""
    from sklearn.svm import SVC

    states = range(1, 2) if y.max() == 1 else range(int(y.max()) + 1)
    machines = [SVC(C=C, kernel="linear", class_weight=class_weight).fit(table.coordinates, y == k) for k in states]
    coef = np.vstack([machine.coef_ for machine in machines])
    return table.lift(coef, np.concatenate([machine.intercept_ for machine in machines]))
