import numpy as np
import pytest

from exoclassify.errors import DesignError
from exoclassify.learning.folds import batches_left_out, fold_digest, leave_one_batch_out, stratified_folds


def repeated(n_subjects: int = 20, each: int = 3) -> tuple[np.ndarray, np.ndarray]:
    groups = np.repeat(np.arange(n_subjects), each)
    return groups % 2, groups


def test_no_subject_is_on_both_sides() -> None:
    y, groups = repeated()
    for train, test in stratified_folds(y, groups, 5, 0):
        assert not set(groups[train]) & set(groups[test])


def test_every_sample_is_kept_aside_once() -> None:
    y, groups = repeated()
    aside = np.concatenate([test for _, test in stratified_folds(y, groups, 5, 0)])
    assert sorted(aside) == list(range(len(y)))


def test_folds_keep_the_states_in_proportion() -> None:
    y = np.r_[np.zeros(40, int), np.ones(10, int)]
    for _, test in stratified_folds(y, np.arange(50), 5, 3):
        assert (y[test] == 1).sum() == 2


def test_no_more_folds_than_subjects_of_the_rarest_state() -> None:
    y = np.r_[np.zeros(20, int), np.ones(3, int)]
    assert len(stratified_folds(y, np.arange(23), 10, 0)) == 3


def test_one_subject_of_a_state_cannot_be_split() -> None:
    y, groups = np.r_[np.zeros(20, int), np.ones(4, int)], np.r_[np.arange(20), np.full(4, 99)]
    with pytest.raises(DesignError, match=r"rarest state has 1 subject:.*at least 2 subjects"):
        stratified_folds(y, groups, 5, 0)


def test_the_seed_decides_the_split_and_the_digest_tells() -> None:
    y, groups = repeated()
    ids = [f"S{i}" for i in range(len(y))]
    digests = [fold_digest(ids, stratified_folds(y, groups, 5, seed)) for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]


def test_a_subject_seen_in_two_batches_is_not_trained_on_when_one_is_kept_aside() -> None:
    y, batches = np.tile([0, 1], 10), np.repeat([0, 1], 10)
    groups = np.arange(20)
    groups[10] = groups[0]  # the same person, once in each batch
    first, second = leave_one_batch_out(y, groups, batches)
    assert 10 not in first[0]
    assert 0 not in second[0]


def test_a_batch_is_not_kept_aside_when_a_state_lives_in_it_alone() -> None:
    y = np.r_[np.tile([0, 1], 10), np.zeros(10, int)]
    batches = np.r_[np.zeros(20, int), np.ones(10, int)]
    folds = leave_one_batch_out(y, np.arange(30), batches)
    assert [set(batches[test]) for _, test in folds] == [{1}]


def test_batches_are_left_out_when_every_state_stays() -> None:
    y, batches = np.tile([0, 1], 15), np.repeat([0, 1, 2], 10)
    folds = batches_left_out(y, np.arange(30), batches, 5)
    assert len(folds) == 3
    for train, test in folds:
        assert not set(batches[train]) & set(batches[test])


def test_many_batches_are_joined_into_as_many_folds() -> None:
    y, batches = np.tile([0, 1], 40), np.repeat(np.arange(8), 10)
    folds = batches_left_out(y, np.arange(80), batches, 4)
    assert len(folds) == 4
    assert all(not set(batches[train]) & set(batches[test]) for train, test in folds)


def test_no_batch_is_left_out_where_batch_and_state_are_the_same() -> None:
    y = np.repeat([0, 1], 15)
    assert batches_left_out(y, np.arange(30), y, 5) == []


def test_no_batch_is_left_out_where_only_one_could_be() -> None:
    y = np.r_[np.tile([0, 1], 10), np.zeros(10, int)]
    batches = np.r_[np.zeros(20, int), np.ones(10, int)]
    assert batches_left_out(y, np.arange(30), batches, 5) == []
