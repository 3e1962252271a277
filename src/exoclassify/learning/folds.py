"""Who is trained on and who is left out: stratified, never splitting a subject, by batch where batches are given."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from exoclassify.errors import DesignError
from exoclassify.typing import Codes

__all__ = [
    "Fold",
    "batches_left_out",
    "fold_digest",
    "leave_one_batch_out",
    "of_known_batch",
    "stratified_folds",
    "subjects_per_state",
]

Fold = tuple[Codes, Codes]
"""Positions of the training samples, positions of the held-out samples."""


def subjects_per_state(y: Codes, groups: Codes) -> NDArray[np.intp]:
    """Count the different subjects of each state; shape (n_states,).

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        State codes 0 … K-1, each present.
    groups : ndarray of shape (n_samples,)
        Subject codes.

    Returns
    -------
    ndarray of shape (n_states,)
    """
    return np.array([len(np.unique(groups[y == k])) for k in range(int(y.max()) + 1)], dtype=np.intp)


def stratified_folds(y: Codes, groups: Codes, n_folds: int, seed: int) -> list[Fold]:
    """Split samples so that each fold has the states in proportion and no subject is on both sides.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        State codes 0 … K-1.
    groups : ndarray of shape (n_samples,)
        Subject codes.
    n_folds : int
        At most this many; never more than the subjects of the rarest state.
    """
    fewest = int(subjects_per_state(y, groups).min())
    alone = len(np.unique(groups)) == len(groups)
    for k in range(min(n_folds, fewest), 1, -1):
        splitter = (StratifiedKFold if alone else StratifiedGroupKFold)(k, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # fewer samples of a state than folds: checked below
            folds = [(train, test) for train, test in splitter.split(y, y, groups) if len(test)]
        if all(_has_every_state(y, train) for train, _ in folds):
            return folds
    raise DesignError(
        f"the rarest state has {fewest} subject{'s' * (fewest != 1)}: no split leaves every state both in training and "
        "held out; give at least 2 subjects of each state, or leave that state out"
    )


def leave_one_batch_out(y: Codes, groups: Codes, batches: Codes) -> list[Fold]:
    """Keep each batch aside in turn; its subjects' samples in other batches are not trained on.

    Parameters
    ----------
    y, groups, batches : ndarray of shape (n_samples,)
        Codes of state, subject and batch.

    Returns
    -------
    list of (train, test)
        Only batches without which every state is still there to learn; may be empty.
    """
    folds = []
    for batch in np.unique(batches):
        test = np.flatnonzero(batches == batch)
        train = np.flatnonzero((batches != batch) & ~np.isin(groups, groups[test]))
        if len(train) and _has_every_state(y, train) and subjects_per_state(y[train], groups[train]).min() >= 2:
            folds.append((train, test))
    return folds


def batches_left_out(y: Codes, groups: Codes, batches: Codes, most: int) -> list[Fold]:
    """Leave whole batches out for inner choices, so that a learner that fails in another batch shows it.

    Parameters
    ----------
    y, groups, batches : ndarray of shape (n_samples,)
        Codes of state, subject and batch.

    Returns
    -------
    list of (train, test)
        Those of `leave_one_batch_out`; none unless two can be left out and every state is in one of them.
    """
    names, codes = np.unique(batches, return_inverse=True)
    folds = leave_one_batch_out(y, groups, codes % most if len(names) > most else codes)
    if len(folds) < 2 or not _has_every_state(y, np.concatenate([test for _, test in folds])):
        return []
    return folds


def of_known_batch(batches: Codes | None, fold: Fold) -> NDArray[np.bool_]:
    """Say which held-out samples are of a batch that others in training are of.

    Parameters
    ----------
    batches : ndarray of shape (n_samples,), optional
        Batch codes; without them every sample counts as of a known batch.
    fold : (train, test)
        Positions.

    Returns
    -------
    ndarray of bool of shape (n_test,)
    """
    train, test = fold
    if batches is None:
        return np.ones(len(test), dtype=bool)
    return np.isin(batches[test], batches[train])


def fold_digest(sample_ids: Sequence[str], folds: Sequence[Fold]) -> str:
    """Give a sha256 of who was left out when, so that two evaluations can prove that they used the same folds."""
    digest = hashlib.sha256()
    for _, test in folds:
        digest.update("\0".join(sorted(sample_ids[i] for i in test)).encode() + b"\1")
    return digest.hexdigest()


def _has_every_state(y: Codes, rows: Codes) -> bool:
    return len(np.unique(y[rows])) == int(y.max()) + 1
