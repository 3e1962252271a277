"""What each molecule adds to a sum of trees: exact path-dependent Shapley values (TreeSHAP), all leaves at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exoclassify.methods.learners.trees import Trees
from exoclassify.typing import Floats

__all__ = ["LeafBoxes"]


_CELLS = 2_000_000  # leaf, slot and quadrature point held at once: about 16 MB


@dataclass(frozen=True, eq=False)
class LeafBoxes:
    """Every leaf of an ensemble as a box: the interval of each molecule in which a sample falls into it.

    Parameters
    ----------
    feature : ndarray of int, shape (n_leaves, n_slots)
        Molecules asked about on the way to the leaf, each once; unused slots hold molecule 0.
    low, high : ndarray of shape (n_leaves, n_slots)
        A sample fits when ``low < value <= high``; unused slots are endless.
    share : ndarray of shape (n_leaves, n_slots)
        Product of the shares of training samples that went the leaf's way at the nodes of that molecule; 1 in unused slots.
    value : ndarray of shape (n_leaves, n_columns)
        What the leaf adds.

    Notes
    -----
    Lundberg et al. 2020 (doi 10.1038/s42256-019-0138-9), algorithm 1: a molecule that is left out sends a sample down both
    branches in proportion to the training samples. For one leaf the game is ``v · Π_S fits_j · Π_rest share_j``, and its
    Shapley value is the integral over t from 0 to 1 of ``v (fits_i − share_i) Π_{j≠i} (t fits_j + (1−t) share_j)``, a
    polynomial that Gauss–Legendre quadrature with half as many points as slots integrates exactly. The values equal
    XGBoost's ``pred_contribs`` to single precision. An unused slot is a player who changes nothing.
    """

    feature: NDArray[np.intp]
    low: Floats
    high: Floats
    share: Floats
    value: Floats

    @classmethod
    def of(cls, trees: Trees) -> LeafBoxes:
        """Lay out the leaves of an ensemble."""
        boxes: list[tuple[int, dict[int, list[float]]]] = []
        for root in trees.roots:
            _walk(trees, int(root), boxes)
        slots = max(1, max(len(sides) for _, sides in boxes))
        shape = (len(boxes), slots)
        feature = np.zeros(shape, dtype=np.intp)
        low, high, share = np.full(shape, -np.inf), np.full(shape, np.inf), np.ones(shape)
        for row, (_, sides) in enumerate(boxes):
            for slot, (molecule, side) in enumerate(sides.items()):
                feature[row, slot] = molecule
                low[row, slot], high[row, slot], share[row, slot] = side
        return cls(feature, low, high, share, trees.value[[leaf for leaf, _ in boxes]])

    @property
    def base(self) -> Floats:
        """What the ensemble adds up to when no molecule is known, shape (n_columns,)."""
        result: Floats = self.share.prod(axis=1) @ self.value
        return result

    def shapley(self, V: Floats) -> Floats:
        """Split the sum of the trees among the molecules; shape (n_samples, n_molecules, n_columns).

        With `base` it adds up to ``Trees.sums``. V, the view that the trees read, is rounded to single precision, as trees do.
        """
        result = np.zeros((*V.shape, self.value.shape[1]))
        single = V.astype(np.float32).astype(np.float64)
        t, weights = np.polynomial.legendre.leggauss((self.feature.shape[1] + 1) // 2)
        points = np.stack([(t + 1) / 2, weights / 2], axis=1)
        step = max(1, _CELLS // (self.feature.shape[1] * len(points)))
        for row, out in zip(single, result, strict=True):
            for at in range(0, len(self.feature), step):
                self._add(row, slice(at, at + step), points, out)
        return result

    def _add(self, row: Floats, leaves: slice, points: Floats, out: Floats) -> None:
        feature, share, value = self.feature[leaves], self.share[leaves], self.value[leaves]
        known = row[feature]
        fits = ((known > self.low[leaves]) & ~(known > self.high[leaves])).astype(np.float64)
        credit = np.zeros(feature.shape)
        for t, weight in points:
            factors = t * fits + (1 - t) * share  # above 0, for no node was empty in training
            credit += weight * factors.prod(axis=1, keepdims=True) / factors
        credit *= fits - share
        for column in range(value.shape[1]):
            added = (credit * value[:, column : column + 1]).ravel()
            out[:, column] += np.bincount(feature.ravel(), added, minlength=len(out))


def _walk(trees: Trees, root: int, boxes: list[tuple[int, dict[int, list[float]]]]) -> None:
    """Collect the leaves below a root; for each molecule on the way its lower bound, upper bound and share."""
    waiting: list[tuple[int, dict[int, list[float]]]] = [(root, {})]
    while waiting:
        node, sides = waiting.pop()
        left, right = int(trees.left[node]), int(trees.right[node])
        if left == node:
            boxes.append((node, sides))
            continue
        molecule, threshold = int(trees.feature[node]), float(trees.threshold[node])
        low, high, share = sides.get(molecule, (-np.inf, np.inf, 1.0))
        below, above = (trees.cover[child] / trees.cover[node] for child in (left, right))
        waiting.append((left, {**sides, molecule: [low, min(high, threshold), share * below]}))
        waiting.append((right, {**sides, molecule: [max(low, threshold), high, share * above]}))
