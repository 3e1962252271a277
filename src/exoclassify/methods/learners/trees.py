"""Tree ensembles as plain arrays: fitted by scikit-learn and XGBoost, kept without pickle, walked in numpy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from exoclassify.methods.learners.linear import symmetric
from exoclassify.typing import Floats

if TYPE_CHECKING:
    import xgboost

__all__ = ["Boosted", "Forest", "Trees", "fit_boosted", "fit_forest"]

_MOST_MOLECULES = 4000


@dataclass(frozen=True, eq=False)
class Trees:
    """All trees of one ensemble laid end to end.

    Parameters
    ----------
    roots : ndarray of shape (n_trees,)
        Position of each tree's root among the nodes.
    feature : ndarray of shape (n_nodes,)
        Molecule a node asks about; 0 at a leaf.
    threshold : ndarray of shape (n_nodes,)
        A sample goes right when its value, rounded to single precision as both libraries do, is greater.
    left, right : ndarray of shape (n_nodes,)
        Children; a leaf is its own child, so that walking too far is harmless.
    value : ndarray of shape (n_nodes, n_states)
        What a leaf adds.
    cover : ndarray of shape (n_nodes,)
        Weight of the training samples that came to the node; what an explanation weighs branches by.
    depth : int
        Longest walk from a root to a leaf.
    """

    roots: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: Floats
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: Floats
    cover: Floats
    depth: int

    def __post_init__(self) -> None:
        n = len(self.feature)
        alike = (self.threshold, self.left, self.right, self.cover)
        if any(part.shape != (n,) for part in alike) or self.value.ndim != 2 or len(self.value) != n:
            raise ValueError("the arrays of a tree ensemble are of different lengths")
        for what, places in (("root", self.roots), ("left child", self.left), ("right child", self.right)):
            if not len(places) or places.min() < 0 or places.max() >= n:
                raise ValueError(f"a tree has a {what} that is none of its nodes")
        if self.feature.min() < 0 or not 0 <= self.depth <= n:
            raise ValueError("a tree asks about no molecule, or is deeper than it has nodes")
        _check_no_cycle(self)

    def leaves(self, V: Floats) -> Iterator[NDArray[np.int32]]:
        """Give, tree by tree, the leaf each sample of V (n_samples, n_molecules) falls in."""
        single = V.astype(np.float32)
        rows = np.arange(len(V))
        for root in self.roots:
            node = np.full(len(V), root)
            for _ in range(self.depth):
                right = single[rows, self.feature[node]] > self.threshold[node]
                node = np.where(right, self.right[node], self.left[node])
            yield node

    def sums(self, V: Floats) -> Floats:
        """Add up the leaves of all trees, tree by tree; shape (n_samples, n_states)."""
        total = np.zeros((len(V), self.value.shape[1]))
        for leaf in self.leaves(V):
            total += self.value[leaf]
        return total


def _check_no_cycle(trees: Trees) -> None:
    """Demand that a root is nobody's child and every other node one node's at most, so that every walk ends."""
    itself = np.arange(len(trees.feature))
    below = np.concatenate([side[side != itself] for side in (trees.left, trees.right)])
    inner = (trees.left != itself) | (trees.right != itself)
    half = inner & ((trees.left == itself) | (trees.right == itself))
    if half.any() or np.bincount(np.concatenate([below, trees.roots]), minlength=len(itself)).max() > 1:
        raise ValueError("a tree has a node that two others lead to, or that leads to itself")


def _join(parts: list[Trees]) -> Trees:
    offsets = np.cumsum([0] + [len(part.feature) for part in parts[:-1]])
    return Trees(
        np.concatenate([part.roots + at for part, at in zip(parts, offsets, strict=True)]).astype(np.int32),
        np.concatenate([part.feature for part in parts]).astype(np.int32),
        np.concatenate([part.threshold for part in parts]),
        np.concatenate([part.left + at for part, at in zip(parts, offsets, strict=True)]).astype(np.int32),
        np.concatenate([part.right + at for part, at in zip(parts, offsets, strict=True)]).astype(np.int32),
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.cover for part in parts]),
        max(part.depth for part in parts),
    )


def _one_tree(
    feature: NDArray[np.intp],
    threshold: Floats,
    left: NDArray[np.intp],
    right: NDArray[np.intp],
    value: Floats,
    cover: Floats,
    depth: int,
) -> Trees:
    leaf = left < 0
    itself = np.arange(len(left))
    return Trees(
        np.zeros(1, dtype=np.int32),
        np.where(leaf, 0, feature).astype(np.int32),
        np.where(leaf, np.inf, threshold),
        np.where(leaf, itself, left).astype(np.int32),
        np.where(leaf, itself, right).astype(np.int32),
        np.where(leaf[:, None], value, 0.0),
        cover,
        depth,
    )


@dataclass(frozen=True, eq=False)
class Forest:
    """A random forest or extremely randomised trees; its vote share becomes log-odds.

    Parameters
    ----------
    view : str
        Which view it reads.
    trees : Trees
        Leaves hold the training shares of the states.
    """

    view: str
    trees: Trees

    def scores(self, V: Floats) -> Floats:
        """Score samples tree by tree; shape (n_samples, n_states), log-odds."""
        return self.link(self.trees.sums(V))

    def link(self, votes: Floats) -> Floats:
        """Turn votes (n_samples, n_states) into log-odds; half a vote is added so that none is infinite."""
        return symmetric(np.log(votes + 0.5))


def fit_forest(
    view: str,
    V: Floats,
    y: NDArray[np.intp],
    *,
    extra: bool,
    n_trees: int,
    min_leaf: int,
    class_weight: str | None,
    seed: int,
) -> Forest:
    """Fit a forest with scikit-learn on a view without NaN, and keep its arrays."""
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

    kind = ExtraTreesClassifier if extra else RandomForestClassifier
    model = kind(
        n_trees, min_samples_leaf=min_leaf, max_features="sqrt", class_weight=class_weight, random_state=seed, n_jobs=1
    ).fit(V, y)
    parts = []
    for estimator in model.estimators_:
        tree = estimator.tree_
        share = tree.value[:, 0, :] / tree.value[:, 0, :].sum(axis=1, keepdims=True)
        children = tree.children_left.astype(np.intp), tree.children_right.astype(np.intp)
        cover = tree.weighted_n_node_samples
        parts.append(_one_tree(tree.feature, tree.threshold, *children, share, cover, tree.max_depth))
    return Forest(view, _join(parts))


@dataclass(frozen=True, eq=False)
class Boosted:
    """Gradient boosted trees of XGBoost.

    Parameters
    ----------
    view : str
        Which view it reads.
    ubj : ndarray of uint8
        The model in XGBoost's own UBJSON format, which is data and not code.
    n_states : int
        Number of states.
    columns : ndarray of int
        Positions on the panel of the molecules it was given.
    """

    view: str
    ubj: NDArray[np.uint8]
    n_states: int
    columns: NDArray[np.intp]

    def booster(self) -> xgboost.Booster:
        """Open the model as XGBoost's Booster with one thread."""
        import xgboost

        if self.ubj[:1].tobytes() + self.ubj[-1:].tobytes() != b"{}":
            raise ValueError("the boosted trees are cut off")  # which XGBoost answers by ending the process
        return xgboost.Booster({"nthread": 1}, model_file=bytearray(self.ubj.tobytes()))

    def scores(self, V: Floats) -> Floats:
        """Score samples by XGBoost itself; shape (n_samples, n_states), log-odds."""
        given = V[:, self.columns].astype(np.float32)
        margin = self.booster().inplace_predict(given, predict_type="margin")
        return self.link(margin.reshape(len(V), -1).astype(np.float64))

    def link(self, margins: Floats) -> Floats:
        """Centre margins (n_samples, n_states or 1) over the states."""
        return symmetric(margins)

    def trees(self) -> Trees:
        """Read the trees out of the model; leaves add to the margin of one state (of one column for two states)."""
        model = json.loads(self.booster().save_raw("json"))["learner"]["gradient_booster"]["model"]
        columns = 1 if self.n_states == 2 else self.n_states
        parts = []
        for tree, column in zip(model["trees"], model["tree_info"], strict=True):
            if any(tree["split_type"]):
                raise ValueError("a tree asks about categories, and every molecule is a number")
            left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
            conditions = np.array(tree["split_conditions"], dtype=np.float32)
            value = np.zeros((len(left), columns))
            value[:, column] = conditions
            # XGBoost goes left when x < t; in single precision that is x <= the next number below t.
            below = np.nextafter(conditions, np.float32(-np.inf)).astype(np.float64)
            feature = self.columns[np.array(tree["split_indices"], dtype=np.intp)]
            cover = np.array(tree["sum_hessian"], dtype=np.float64)
            parts.append(_one_tree(feature, below, left, right, value, cover, _depth(left, right)))
        return _join(parts)


def _depth(left: NDArray[np.intp], right: NDArray[np.intp]) -> int:
    level, depth = np.zeros(1, dtype=np.intp), 0
    while True:
        below = np.concatenate([left[level], right[level]])
        level = below[below >= 0]
        if level.size == 0:
            return depth
        depth += 1
        if depth > len(left) or level.size > len(left):
            raise ValueError("a tree has a node that leads back to itself")


def fit_boosted(
    view: str,
    V: Floats,
    y: NDArray[np.intp],
    *,
    n_trees: int,
    max_depth: int,
    learning_rate: float,
    class_weight: str | None,
    seed: int,
) -> Boosted:
    """Fit XGBoost on a view without NaN and keep its model as bytes.

    The cost of boosting grows with each molecule, so at most the 4000 with the largest spread are given to it.
    """
    import xgboost

    n_states = int(y.max()) + 1
    columns = np.sort(np.argsort(-V.std(axis=0), kind="stable")[:_MOST_MOLECULES])
    V = V[:, columns]
    parameters: dict[str, object] = {
        "objective": "binary:logistic" if n_states == 2 else "multi:softprob",
        "base_score": 0.5,  # a margin of 0 for two states; the intercept is learned in calibration
        "max_depth": max_depth,
        "eta": learning_rate,
        "subsample": 0.8,
        "colsample_bynode": min(1.0, max(0.2, 20 / V.shape[1])),
        "tree_method": "hist",
        "max_bin": 64,
        "nthread": 1,
        "seed": seed,
    }
    if n_states > 2:
        parameters["num_class"] = n_states
    weight = None if class_weight is None else (len(y) / n_states / np.bincount(y))[y]
    matrix = xgboost.QuantileDMatrix(V.astype(np.float32), y, weight=weight, max_bin=64, nthread=1)
    booster = xgboost.train(parameters, matrix, num_boost_round=n_trees)
    return Boosted(view, np.frombuffer(bytes(booster.save_raw("ubj")), dtype=np.uint8), n_states, columns)
