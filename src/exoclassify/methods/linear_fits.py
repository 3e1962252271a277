"""Linear models of many molecules at once, with precision weights and repeated samples of one subject."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from exoclassify.typing import Codes, Floats

__all__ = ["LinearFits", "block_correlation", "fit_linear", "fit_within"]


@dataclass(frozen=True, eq=False)
class LinearFits:
    """One linear model for each molecule.

    Parameters
    ----------
    coefficients : ndarray of shape (n_molecules, n_columns)
        NaN where the samples that have a value do not determine them.
    unscaled : ndarray of shape (n_molecules, n_columns)
        Standard deviations of the coefficients for a residual variance of one.
    variance : ndarray of shape (n_molecules,)
        Residual variance; NaN without residual degrees of freedom.
    freedom : ndarray of shape (n_molecules,)
        Residual degrees of freedom.
    """

    coefficients: Floats
    unscaled: Floats
    variance: Floats
    freedom: Floats


def fit_linear(
    Y: Floats, design: Floats, *, weights: Floats | None = None, blocks: Codes | None = None, correlation: float = 0.0
) -> LinearFits:
    """Fit the same design, of full rank, to every column of a table of log2 abundance, by generalised least squares.

    A sample is left out for a molecule of which it has no value (NaN). `weights` are of precision, above 0; `blocks` subjects.

    Notes
    -----
    As limma's lmFit and gls.series (Ritchie et al. 2015, doi 10.1093/nar/gkv007): ``√w y`` has correlation matrix R with
    `correlation` inside a subject. The inverse of such a block of m samples is ``I/(1−ρ) − ρ/((1−ρ)(1+(m−1)ρ)) J``, so no
    matrix of samples is ever inverted.
    """
    table = _Weighted.of(Y, design, weights)
    sums = _Sums.of(table, blocks)
    return _solved(sums.at(correlation if blocks is not None else 0.0), table, table.n - design.shape[1])


def fit_within(Y: Floats, design: Floats, blocks: Codes, *, weights: Floats | None = None) -> LinearFits:
    """Fit a design within persons: every person has a level of its own, so only what changes in a person counts.

    The first column of the design is the intercept, which the persons' levels take the place of: its coefficient is NaN. Other
    arguments as in `fit_linear`, and the same numbers as there with a column for every person, as limma's users fit pairs,
    without ever making those columns: sums of products about the person's weighted mean (Frisch and Waugh 1933).
    """
    table = _Weighted.of(Y, design[:, 1:], weights)
    subjects, of = np.unique(blocks, return_inverse=True)
    member = np.zeros((len(subjects), len(Y)))
    member[of, np.arange(len(Y))] = 1.0
    total = member @ table.W
    share = 1.0 / np.where(total > 0, total, np.inf)
    x = np.zeros((*total.shape, table.X.shape[1]))
    for j, column in enumerate(table.X.T):
        x[:, :, j] = member @ (table.W * column[:, None])
    y = member @ (table.W * table.Z)
    whole = _Products.of(table.X, table.Z, table.W)
    products = _Products(
        whole.xx - np.einsum("bg,bgi,bgj->gij", share, x, x),
        whole.xy - np.einsum("bg,bgi,bg->gi", share, x, y),
        whole.yy - (share * y**2).sum(axis=0),
    )
    found = _solved(products, table, table.n - (total > 0).sum(axis=0) - table.X.shape[1])
    level = np.full((len(found.freedom), 1), np.nan)
    return replace(
        found, coefficients=np.hstack([level, found.coefficients]), unscaled=np.hstack([level, found.unscaled])
    )


def _solved(products: _Products, table: _Weighted, freedom: Floats) -> LinearFits:
    inverse, determined = _inverses(products.xx)
    beta = np.einsum("gij,gj->gi", inverse, products.xy)
    residual = np.maximum(products.yy - (beta * products.xy).sum(axis=1), 0.0)
    usable = determined & (freedom > 0)
    beta[~determined] = np.nan
    coefficients = beta / table.scale
    if table.intercept is not None:
        coefficients += table.centre[:, None] * table.intercept
    unscaled = np.sqrt(np.maximum(np.einsum("gii->gi", inverse), 0.0)) / table.scale
    unscaled[~determined] = np.nan
    variance = np.where(usable, residual / np.where(usable, freedom, 1.0), np.nan)
    return LinearFits(coefficients, unscaled, variance, np.where(determined, np.maximum(freedom, 0.0), 0.0))


@dataclass(frozen=True, eq=False)
class _Weighted:
    """A table centred, its design scaled, and weights of 0 where there is no value."""

    X: Floats
    scale: Floats
    intercept: Floats | None
    Z: Floats
    centre: Floats
    W: Floats
    n: Floats

    @classmethod
    def of(cls, Y: Floats, design: Floats, weights: Floats | None) -> _Weighted:
        present = ~np.isnan(Y)
        W = present.astype(np.float64) if weights is None else np.where(present, weights, 0.0)
        intercept = _intercept(design)
        centre = (W * np.where(present, Y, 0.0)).sum(axis=0) / np.maximum(W.sum(axis=0), 1e-300)
        Z = np.where(present, Y - (centre if intercept is not None else 0.0), 0.0)
        scale = np.sqrt((design**2).mean(axis=0))
        return cls(design / scale, scale, intercept, Z, centre, W, present.sum(axis=0).astype(np.float64))


def _intercept(design: Floats) -> Floats | None:
    """How the columns make up a column of ones; None when they do not."""
    made: Floats = np.linalg.pinv(design) @ np.ones(len(design))
    return made if np.allclose(design @ made, 1.0, atol=1e-8) else None


@dataclass(frozen=True, eq=False)
class _Products:
    """Sums of squares and products under an inverse covariance, molecule by molecule."""

    xx: Floats
    xy: Floats
    yy: Floats

    @classmethod
    def of(cls, X: Floats, Z: Floats, W: Floats) -> _Products:
        k = X.shape[1]
        pairs = (X[:, :, None] * X[:, None, :]).reshape(len(X), k * k)
        return cls((W.T @ pairs).reshape(W.shape[1], k, k), (W * Z).T @ X, (W * Z**2).sum(axis=0))


@dataclass(frozen=True, eq=False)
class _Sums:
    """What of the products does not depend on the correlation: subjects with one sample, and sums over the others."""

    alone: _Products
    repeated: _Products
    size: Floats
    x: Floats
    y: Floats

    @classmethod
    def of(cls, table: _Weighted, blocks: Codes | None) -> _Sums:
        n = len(table.X)
        own = np.arange(n) if blocks is None else blocks
        many = np.bincount(own)[own] > 1
        subjects, of = np.unique(own[many], return_inverse=True)
        member = np.zeros((len(subjects), int(many.sum())))
        member[of, np.arange(member.shape[1])] = 1.0
        X, Z, W = table.X[many], table.Z[many], table.W[many]
        root = np.sqrt(W)
        x = np.stack([member @ (root * column[:, None]) for column in X.T], axis=2)
        return cls(
            _Products.of(table.X[~many], table.Z[~many], table.W[~many]),
            _Products.of(X, Z, W),
            member @ (W > 0),
            x,
            member @ (root * Z),
        )

    def at(self, rho: float) -> _Products:
        """Give the products for one correlation."""
        share = rho / ((1 - rho) * (1 + (self.size - 1) * rho))
        weighted = share[:, :, None] * self.x
        alone, repeated = self.alone, self.repeated
        return _Products(
            alone.xx + repeated.xx / (1 - rho) - np.einsum("bgi,bgj->gij", weighted, self.x),
            alone.xy + repeated.xy / (1 - rho) - np.einsum("bgi,bg->gi", weighted, self.y),
            alone.yy + repeated.yy / (1 - rho) - (share * self.y**2).sum(axis=0),
        )

    def log_determinant(self, rho: float) -> Floats:
        """Log determinant of the correlation matrix, molecule by molecule."""
        more = np.maximum(self.size - 1, 0.0)
        result: Floats = (more * np.log1p(-rho) + np.log1p(more * rho)).sum(axis=0)
        return result


def _inverses(xx: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Invert each matrix, and say which could be: the others have a column that the samples at hand do not determine."""
    if not xx.shape[1]:
        return xx, np.ones(len(xx), dtype=bool)
    spread = np.sqrt(np.einsum("gii->gi", xx))
    empty = (spread <= 1e-10).any(axis=1)
    safe = np.where(spread > 1e-10, spread, 1.0)
    scaled = xx / safe[:, :, None] / safe[:, None, :]
    smallest = np.linalg.eigvalsh(scaled)[:, 0]
    determined = (smallest > 1e-9) & ~empty
    scaled[~determined] = np.eye(xx.shape[1])
    return np.linalg.inv(scaled) / safe[:, :, None] / safe[:, None, :], determined


def block_correlation(Y: Floats, design: Floats, blocks: Codes, *, weights: Floats | None = None) -> float:
    """Estimate the correlation of two samples of one subject, one number for all molecules; arguments as in `fit_linear`.

    0 or more, below 1: a negative correlation of one person's samples is noise.

    Notes
    -----
    The REML estimate of each molecule, on a grid, and their mean on Fisher's scale without the outer 15 % at each end, as
    limma's duplicateCorrelation (Smyth et al. 2005, doi 10.1093/bioinformatics/bti270) takes it.
    """
    largest = int(np.bincount(blocks).max())
    lowest = -1.0 / (largest - 1) + 0.02 if largest > 1 else 0.0
    grid = np.concatenate([np.linspace(lowest, 0.9, 24), [0.95, 0.99]])
    table = _Weighted.of(Y, design, weights)
    sums = _Sums.of(table, blocks)
    likelihood = np.array([_restricted_likelihood(sums, table.n, float(rho)) for rho in grid])
    usable = np.isfinite(likelihood).all(axis=0)
    if largest < 2 or not usable.any():
        return 0.0
    best = _refined(grid, likelihood[:, usable])
    return float(np.clip(np.tanh(_trimmed_mean(np.arctanh(np.clip(best, -0.99, 0.99)), 0.15)), 0.0, 0.99))


def _restricted_likelihood(sums: _Sums, n: Floats, rho: float) -> Floats:
    products = sums.at(rho)
    inverse, determined = _inverses(products.xx)
    beta = np.einsum("gij,gj->gi", inverse, products.xy)
    freedom = n - beta.shape[1]
    residual = products.yy - (beta * products.xy).sum(axis=1)
    known = determined & (freedom > 0) & (residual > 0)
    information = np.linalg.slogdet(np.where(known[:, None, None], products.xx, np.eye(beta.shape[1])))[1]
    value = -0.5 * (sums.log_determinant(rho) + information + freedom * np.log(np.where(known, residual, 1.0)))
    return np.where(known, value, -np.inf)


def _refined(grid: Floats, likelihood: Floats) -> Floats:
    """Place of each column's maximum, by a parabola through the best point and its neighbours."""
    at = np.clip(likelihood.argmax(axis=0), 1, len(grid) - 2)
    columns = np.arange(likelihood.shape[1])
    x0, x1, x2 = grid[at - 1], grid[at], grid[at + 1]
    y0, y1, y2 = (likelihood[at + d, columns] for d in (-1, 0, 1))
    up, down = (y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1)
    curvature = (down - up) / (x2 - x0)
    bent = curvature < -1e-12
    top = (x0 + x1) / 2 - up / np.where(bent, 2 * curvature, -1.0)
    edge = np.where(y0 > y2, x0, x2)
    best: Floats = np.where(bent, np.clip(top, x0, x2), edge)
    return best


def _trimmed_mean(values: Floats, share: float) -> float:
    cut = int(share * len(values))
    return float(np.sort(values)[cut : len(values) - cut].mean())
