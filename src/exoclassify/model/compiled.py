"""The same answer at the cost of the bare arithmetic, behind a gate that compares the two.

Calibration and blending are linear in the members' scores, so all linear members of a view fold into one matrix of shape
(n_molecules, n_states), and the directions of novelty stand beside it. A few samples walk the trees level by level, all
trees at once; many go through XGBoost itself where that gives the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exoclassify.errors import ModelError
from exoclassify.methods.learners.linear import Linear
from exoclassify.methods.learners.ratios import Ratios
from exoclassify.methods.learners.trees import Boosted, Forest, Trees
from exoclassify.methods.views import Views, normal_scores
from exoclassify.model.blend import FittedBlend, Scorer
from exoclassify.tables import sizes
from exoclassify.typing import Floats, Mask

if TYPE_CHECKING:
    import xgboost

__all__ = ["PARITY", "CompiledBlend", "Measured", "check_parity", "rows_in_block"]


PARITY = 1e-6
"""Largest allowed difference in any probability between the compiled scorer and the step-by-step blend."""

_NODES = 2_000_000  # visited nodes held at once while trees are walked: 16 MB
_FEW = 16  # samples up to which walking the trees is faster than calling XGBoost


class Measured(NamedTuple):
    """What the scorer finds in samples.

    Parameters
    ----------
    log_odds : ndarray of shape (n_samples, n_heads, n_states)
        Of each head, in a batch without an offset, the mix not added.
    residuals : ndarray of shape (n_samples,)
        How unlike the training samples each is.
    coverage : ndarray of shape (n_samples,)
        Measured share of the panel, 0 to 1.
    layers : ndarray of bool of shape (n_samples, n_layers)
        Which layers were used; no column for a model of one.
    """

    log_odds: Floats
    residuals: Floats
    coverage: Floats
    layers: Mask


@dataclass(frozen=True, eq=False)
class _Grove:
    """One tree ensemble of one view, with the matrix (n_states, n_heads * n_states) that its scores are multiplied by."""

    view: str
    learner: Forest | Boosted
    trees: Trees
    child: NDArray[np.intp]
    matrix: Floats
    booster: xgboost.Booster | None

    @classmethod
    def of(cls, learner: Forest | Boosted, matrix: Floats, n_molecules: int) -> _Grove:
        trees = learner.trees if isinstance(learner, Forest) else learner.trees()
        if trees.feature.max() >= n_molecules:  # it would read the next sample's values
            raise ModelError("a tree asks about a molecule that is not on the panel; train or fetch the model again")
        child = np.stack([trees.left, trees.right], axis=1).ravel().astype(np.intp)
        walked = cls(learner.view, learner, trees, child, matrix, None)
        if isinstance(learner, Forest):
            return walked
        native = replace(walked, booster=learner.booster())
        V = np.random.default_rng(0).normal(
            np.median(trees.threshold[np.isfinite(trees.threshold)]), 2, (64, n_molecules)
        )
        return native if (native._native(V) == walked._walked(V)).all() else walked

    def log_odds(self, V: Floats) -> Floats:
        if self.booster is not None and len(V) > _FEW:
            return self._spread(self.learner.link(self._native(V)))
        step = max(1, _NODES // len(self.trees.roots))
        sums = np.concatenate([self._walked(V[at : at + step]) for at in range(0, len(V), step)])
        return self._spread(self.learner.link(sums))

    def _spread(self, scores: Floats) -> Floats:
        # State by state: a product of matrices would add in an order that depends on the number of rows.
        result: Floats = scores[:, :1] * self.matrix[0]
        for k in range(1, len(self.matrix)):
            result += scores[:, k : k + 1] * self.matrix[k]
        return result

    def _native(self, V: Floats) -> Floats:
        assert self.booster is not None
        assert isinstance(self.learner, Boosted)
        columns = self.learner.columns
        given = (V if len(columns) == V.shape[1] else V[:, columns]).astype(np.float32)
        margins = self.booster.inplace_predict(given, predict_type="margin")
        result: Floats = margins.reshape(len(V), -1).astype(np.float64)
        return result

    def _walked(self, V: Floats) -> Floats:
        # Both libraries round a sample to single precision before they compare.
        single = V.astype(np.float32).astype(np.float64)
        n, p = single.shape
        flat = single.ravel()
        start = (np.arange(n) * p)[:, None]
        node = np.repeat(self.trees.roots[None, :].astype(np.intp), n, axis=0)
        for _ in range(self.trees.depth):
            goes_right = flat.take(self.trees.feature.take(node) + start) > self.trees.threshold.take(node)
            node = self.child.take(2 * node + goes_right)
        leaves = self.trees.value.take(node.ravel(), axis=0).reshape(n, node.shape[1], -1)
        if isinstance(self.learner, Forest):
            votes: Floats = leaves.sum(axis=1)
            return votes
        # XGBoost adds in single precision, tree after tree, to a first value that cancels out between states.
        first = 0.0 if self.learner.n_states == 2 else 0.5
        added = np.concatenate([np.full((n, 1, leaves.shape[2]), first), leaves], axis=1)
        sums: Floats = np.add.accumulate(added.astype(np.float32), axis=1)[:, -1].astype(np.float64)
        return sums


@dataclass(frozen=True, eq=False)
class CompiledBlend:
    """A fitted blend folded into a few matrices.

    Parameters
    ----------
    views : Views
        As in the blend.
    products : dict of str to _Product
        For each view that a linear member reads, what its values are multiplied by: one column a state of each head. The log
        view has more columns, one for each direction of novelty.
    constant : ndarray of shape (n_heads * n_states,)
        Sum of all constants.
    n_states : int
        Of each head.
    groves : tuple
        The tree ensembles.
    mean, per_scale : ndarray of shape (n_molecules,)
        Novelty's standardisation: what is subtracted, and what is then multiplied by.
    centre : ndarray of shape (n_components,)
        What the mean sample is in novelty's directions.
    """

    views: Views
    products: dict[str, _Product]
    constant: Floats
    n_states: int
    groves: tuple[_Grove, ...]
    mean: Floats
    per_scale: Floats
    centre: Floats

    @classmethod
    def of(cls, blend: FittedBlend) -> CompiledBlend:
        """Fold a fitted blend."""
        heads = blend.calibration.heads
        matrices: dict[str, Floats] = {}
        constant = np.concatenate([head.shift for head in heads])
        groves = []
        n_molecules = len(blend.novelty.mean)
        for m, member in enumerate(blend.members):
            # Scores of this member to log-odds of every head, side by side.
            spread = np.hstack([head.factors[m] * head.map.T for head in heads])
            learner = member.learner
            if isinstance(learner, Linear | Ratios):
                matrix, shift = learner.folded() if isinstance(learner, Linear) else learner.folded(n_molecules)
                known = matrices.get(learner.view, np.zeros((n_molecules, spread.shape[1])))
                matrices[learner.view] = known + matrix.T @ spread
                constant += shift @ spread
            elif spread.any():
                groves.append(_Grove.of(learner, spread, n_molecules))
        novelty = blend.novelty
        directions = (novelty.components / novelty.scale).T
        log = matrices.get("log", np.zeros((n_molecules, len(constant))))
        matrices["log"] = np.hstack([log, directions])
        products = {view: _Product.of_matrix(matrix) for view, matrix in matrices.items()}
        centre = novelty.mean @ directions
        return cls(
            blend.views, products, constant, len(blend.states), tuple(groves), novelty.mean, 1 / novelty.scale, centre,
        )  # fmt: skip

    @property
    def matrices(self) -> dict[str, Floats]:
        """For each view, the weights of its values in the heads' log-odds, side by side; trees are not in it."""
        return {view: product.matrix[:, : len(self.constant)] for view, product in self.products.items()}

    def evaluate(self, X: Floats) -> tuple[Floats, Floats]:
        """Answer for many samples or one; arguments and results as in `FittedBlend.evaluate`."""
        X = np.ascontiguousarray(X, dtype=np.float64)
        step = rows_in_block(X.shape[1])
        log_odds, residuals = np.empty((len(X), len(self.constant))), np.empty(len(X))
        for at in range(0, len(X), step):
            log_odds[at : at + step], residuals[at : at + step] = self._chunk(X[at : at + step])
        n_heads = len(self.constant) // self.n_states
        by_head = log_odds.reshape(len(X), n_heads, self.n_states).transpose(1, 0, 2)
        return by_head, residuals

    def _chunk(self, X: Floats) -> tuple[Floats, Floats]:
        views = self._views(X)
        log, n = views["log"], len(self.constant)
        both = self.products["log"].of(log)
        log_odds = self.constant + both[:, :n]
        for view, product in self.products.items():
            if view != "log":
                log_odds += product.of(views[view])
        for grove in self.groves:
            log_odds += grove.log_odds(views[grove.view])
        Z = log - self.mean
        Z *= self.per_scale
        inside = both[:, n:] - self.centre
        # By Pythagoras: the directions are orthonormal.
        residuals = (np.vecdot(Z, Z) - np.vecdot(inside, inside)) / Z.shape[1]
        return log_odds, np.maximum(residuals, 0.0)

    def _views(self, X: Floats) -> dict[str, Floats]:
        """Compute the views that are read."""
        needed = {*self.products, *(grove.view for grove in self.groves)}
        log = self.views.log(X)
        views = {"log": log}
        if "damped" in needed:
            views["damped"] = np.log2(np.exp2(log) + np.exp2(self.views.damping))
        if "ranks" in needed:
            views["ranks"] = normal_scores(log)
        return views


_TOGETHER = 8
"""Rows that are multiplied together, always so many: a few are filled up with zeros."""


def rows_in_block(n_molecules: int) -> int:
    """How many rows stay in a core's cache while they are looked at several times."""
    return max(_TOGETHER, sizes.BLOCK_CELLS // max(1, n_molecules) // _TOGETHER * _TOGETHER)


@dataclass(frozen=True, eq=False)
class _Product:
    """Multiplies rows by a matrix so that no row's answer depends, in its last bit, on how many were asked together.

    A product of matrices adds in an order that depends on their shape. So rows are always multiplied in blocks of one shape,
    and whether a row's place in its block matters is tried out once, when the model is made; if it does, rows are
    multiplied one by one.
    """

    matrix: Floats
    in_blocks: bool

    @classmethod
    def of_matrix(cls, matrix: Floats) -> _Product:
        matrix = np.ascontiguousarray(matrix)
        rng = np.random.default_rng(0)
        row, others = rng.normal(size=len(matrix)), rng.normal(size=(2 * _TOGETHER, _TOGETHER, len(matrix)))
        others[_TOGETHER:] = 0.0
        for place in range(_TOGETHER):
            others[[place, _TOGETHER + place], place] = row
        found = np.matmul(others, matrix)
        places = np.arange(2 * _TOGETHER) % _TOGETHER
        mine = found[np.arange(2 * _TOGETHER), places]
        return cls(matrix, bool((mine == mine[0]).all()))

    def of(self, V: Floats) -> Floats:
        out = np.empty((len(V), self.matrix.shape[1]))
        if not self.in_blocks:
            for row, result in zip(V, out, strict=True):
                np.dot(row, self.matrix, out=result)
            return out
        whole = len(V) - len(V) % _TOGETHER
        if whole:
            blocks = V[:whole].reshape(-1, _TOGETHER, V.shape[1])
            np.matmul(blocks, self.matrix, out=out[:whole].reshape(len(blocks), _TOGETHER, -1))
        if whole < len(V):
            filled = np.zeros((1, _TOGETHER, V.shape[1]))
            filled[0, : len(V) - whole] = V[whole:]
            out[whole:] = np.matmul(filled, self.matrix)[0, : len(V) - whole]
        return out


def _softmax(log_odds: Floats) -> Floats:
    odds = np.exp(log_odds - log_odds.max(axis=-1, keepdims=True))
    result: Floats = odds / odds.sum(axis=-1, keepdims=True)
    return result


def check_parity(blend: Scorer, compiled: Scorer, X: Floats, what: str) -> float:
    """Compare the compiled scorer with the step-by-step blend.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_molecules)
        Raw panel values.

    Returns
    -------
    float
        The largest difference of any probability.
    """
    log_odds, residuals = blend.evaluate(X)
    fast_odds, fast_residuals = compiled.evaluate(X)
    worst = float(np.abs(_softmax(log_odds) - _softmax(fast_odds)).max(initial=0.0))
    apart = float((np.abs(residuals - fast_residuals) / (1 + residuals)).max(initial=0.0))
    if not max(worst, apart) <= PARITY:
        raise ModelError(
            f"the compiled scorer differs from the fitted model by {worst:.1e} in probability and {apart:.1e} in novelty "
            f"on {what} (allowed {PARITY:.0e}); the model cannot be used; train it again with these library versions"
        )
    return worst
