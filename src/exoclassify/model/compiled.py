"""The same answer at the cost of the bare arithmetic, behind a gate that compares the two.

Calibration and blending are linear in the members' scores, so all linear members of a view fold into one matrix of shape
(n_states, n_molecules). Tree ensembles are walked level by level, all trees at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from exoclassify.errors import ModelError
from exoclassify.methods.learners.linear import Linear
from exoclassify.methods.learners.ratios import Ratios
from exoclassify.methods.learners.trees import Boosted, Forest, Trees
from exoclassify.methods.ranks import normal_scores
from exoclassify.methods.views import Views
from exoclassify.model.blend import FittedBlend

__all__ = ["PARITY", "CompiledBlend", "check_parity"]

Floats = NDArray[np.float64]

PARITY = 1e-6
"""Largest allowed difference in any probability between the compiled scorer and the step-by-step blend."""

_CELLS = 2_000_000  # visited nodes held at once while trees are walked, and view cells in a chunk: about 16 MB each


@dataclass(frozen=True, eq=False)
class _Grove:
    """One tree ensemble of one view, with what its sums are multiplied by."""

    view: str
    learner: Forest | Boosted
    trees: Trees
    child: NDArray[np.intp]
    factor: float

    @classmethod
    def of(cls, learner: Forest | Boosted, factor: float) -> _Grove:
        trees = learner.trees if isinstance(learner, Forest) else learner.trees()
        child = np.stack([trees.left, trees.right], axis=1).ravel().astype(np.intp)
        return cls(learner.view, learner, trees, child, factor)

    def log_odds(self, V: Floats) -> Floats:
        # Both libraries round a sample to single precision before they compare.
        single = V.astype(np.float32).astype(np.float64)
        n, p = single.shape
        flat = single.ravel()
        start = (np.arange(n) * p)[:, None]
        node = np.repeat(self.trees.roots[None, :].astype(np.intp), n, axis=0)
        for _ in range(self.trees.depth):
            goes_right = flat.take(self.trees.feature.take(node) + start) > self.trees.threshold.take(node)
            node = self.child.take(2 * node + goes_right)
        sums = self.trees.value.take(node.ravel(), axis=0).reshape(n, node.shape[1], -1).sum(axis=1)
        return self.factor * self.learner.link(sums)


@dataclass(frozen=True, eq=False)
class CompiledBlend:
    """A fitted blend folded into a few matrices.

    Parameters
    ----------
    views : Views
        As in the blend.
    matrices : dict of str to ndarray of shape (n_molecules, n_states)
        For each view that a linear member reads, what its values are multiplied by.
    constant : ndarray of shape (n_states,)
        Sum of all constants.
    groves : tuple
        The tree ensembles.
    components : ndarray of shape (n_molecules, n_components)
        Novelty's directions.
    mean, scale : ndarray of shape (n_molecules,)
        Novelty's standardisation.
    """

    views: Views
    matrices: dict[str, Floats]
    constant: Floats
    groves: tuple[_Grove, ...]
    components: Floats
    mean: Floats
    scale: Floats

    @classmethod
    def of(cls, blend: FittedBlend) -> CompiledBlend:
        """Fold a fitted blend.

        Parameters
        ----------
        blend : FittedBlend
            As fitted, or as read from disk.

        Returns
        -------
        CompiledBlend
        """
        matrices: dict[str, Floats] = {}
        constant = blend.calibration.shift.copy()
        groves = []
        n_molecules = len(blend.novelty.mean)
        for member in blend.members:
            factor = blend.calibration.scale * member.weight
            constant += factor * member.calibration.shift
            factor *= member.calibration.scale
            learner = member.learner
            if isinstance(learner, Linear | Ratios):
                matrix, shift = (
                    learner.folded() if isinstance(learner, Linear) else learner.folded(n_molecules)
                )
                known = matrices.get(learner.view, np.zeros((n_molecules, len(blend.states))))
                matrices[learner.view] = known + factor * matrix.T
                constant += factor * shift
            elif factor > 0:
                groves.append(_Grove.of(learner, factor))
        components = np.ascontiguousarray(blend.novelty.components.T)
        return cls(
            blend.views,
            matrices,
            constant,
            tuple(groves),
            components,
            blend.novelty.mean,
            blend.novelty.scale,
        )

    def evaluate(self, X: Floats) -> tuple[Floats, Floats]:
        """Answer for many samples or one; arguments and results as in `FittedBlend.evaluate`."""
        X = np.ascontiguousarray(X, dtype=np.float64)
        widest = max([X.shape[1], *(len(grove.trees.roots) for grove in self.groves)])
        step = max(1, _CELLS // widest)
        parts = [self._chunk(X[at : at + step]) for at in range(0, len(X), step)]
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return np.zeros((0, len(self.constant))), np.zeros(0)
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def _chunk(self, X: Floats) -> tuple[Floats, Floats]:
        log = self.views.log(X)
        views = {"log": log, "damped": np.logaddexp2(log, self.views.damping)}
        if "ranks" in self.matrices or any(grove.view == "ranks" for grove in self.groves):
            views["ranks"] = normal_scores(log)
        log_odds = np.repeat(self.constant[None, :], len(X), axis=0)
        for view, matrix in self.matrices.items():
            log_odds += _by_row(views[view], matrix)
        for grove in self.groves:
            log_odds += grove.log_odds(views[grove.view])
        Z = (log - self.mean) / self.scale
        inside = _by_row(Z, self.components)
        # By Pythagoras: the directions are orthonormal.
        residuals = ((Z**2).sum(axis=1) - (inside**2).sum(axis=1)) / Z.shape[1]
        return log_odds, np.maximum(residuals, 0.0)


def _by_row(V: Floats, matrix: Floats) -> Floats:
    """Multiply row by row, so that no answer depends, in its last bit, on how many samples were asked together."""
    out = np.empty((len(V), matrix.shape[1]))
    for row, result in zip(V, out, strict=True):
        np.dot(row, matrix, out=result)
    return out


def check_parity(blend: FittedBlend, compiled: CompiledBlend, X: Floats, what: str) -> float:
    """Compare the compiled scorer with the step-by-step blend.

    Parameters
    ----------
    blend : FittedBlend
        The reference.
    compiled : CompiledBlend
        What stands in for it.
    X : ndarray of shape (n_samples, n_molecules)
        Raw panel values.
    what : str
        What X is, for the message.

    Returns
    -------
    float
        The largest difference of any probability.

    Raises
    ------
    ModelError
        If the difference exceeds `PARITY`, or the residuals differ by more than that share.
    """
    log_odds, residuals = blend.evaluate(X)
    fast_odds, fast_residuals = compiled.evaluate(X)
    worst = float(np.abs(softmax(log_odds, axis=1) - softmax(fast_odds, axis=1)).max(initial=0.0))
    apart = float((np.abs(residuals - fast_residuals) / (1 + residuals)).max(initial=0.0))
    if not max(worst, apart) <= PARITY:
        raise ModelError(
            f"the compiled scorer differs from the fitted model by {worst:.1e} in probability and {apart:.1e} in novelty "
            f"on {what} (allowed {PARITY:.0e}); the model cannot be used; train it again with these library versions"
        )
    return worst
