import numpy as np
import pytest

from exoclassify.methods.conformal import ClassConditionalSets, conformal_p


def with_batches(p: np.ndarray, y: np.ndarray, batches: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """All samples, and those of each batch as a further reference."""
    return [(p, y), *((p[batches == b], y[batches == b]) for b in np.unique(batches))]


def test_p_counts_the_new_sample_among_the_reference() -> None:
    reference = np.array([0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(conformal_p(reference, np.array([0.0, 0.25, 0.4, 0.9])), [1.0, 0.6, 0.4, 0.2])


@pytest.mark.parametrize(("n", "level"), [(9, 0.9), (19, 0.95), (99, 0.99)])
def test_a_state_can_be_excluded_from_that_many_samples_on(n: int, level: float) -> None:
    stranger = np.array([[0.999, 0.001]])  # state 1 is very strange here
    for size, excluded in ((n, True), (n - 1, False)):
        y = np.r_[np.zeros(200, int), np.ones(size, int)]
        p = np.where(y[:, None] == 1, [[0.1, 0.9]], [[0.9, 0.1]])
        assert (not ClassConditionalSets.fit([(p, y)]).sets(stranger, level)[0, 1]) == excluded


def test_each_state_is_covered_at_the_level_even_a_rare_one() -> None:
    rng = np.random.default_rng(0)

    def draw(n: int, share: float) -> tuple[np.ndarray, np.ndarray]:
        y = (rng.random(n) < share).astype(int)
        s = rng.normal(size=n) + 1.0 * y
        q = 1 / (1 + np.exp(-(s - 0.5 + np.log(share / (1 - share)))))
        return np.c_[1 - q, q], y

    held = np.zeros(2)
    asked = np.zeros(2)
    for _ in range(200):
        sets = ClassConditionalSets.fit([draw(120, 0.2)])
        p, y = draw(200, 0.2)
        right = sets.sets(p, 0.9)[np.arange(200), y]
        held += [right[y == 0].sum(), right[y == 1].sum()]
        asked += [(y == 0).sum(), (y == 1).sum()]
    assert (held / asked > 0.89).all()


def test_a_sample_like_no_state_gets_an_empty_set() -> None:
    y = np.repeat([0, 1], 30)
    p = np.where(y[:, None] == 1, [[0.02, 0.98]], [[0.98, 0.02]])
    assert not ClassConditionalSets.fit([(p, y)]).sets(np.array([[0.5, 0.5]]), 0.9).any()


def test_in_a_new_batch_a_state_is_excluded_only_if_every_batch_kept_aside_would() -> None:
    y = np.tile([0, 1], 40)
    batches = np.repeat([0, 1], 40)
    sure, unsure = np.array([0.05, 0.95]), np.array([0.45, 0.55])
    p = np.where((batches == 0)[:, None], sure, unsure)
    p = np.where((y == 0)[:, None], p[:, ::-1], p)
    pooled, sets = ClassConditionalSets.fit([(p, y)]), ClassConditionalSets.fit(with_batches(p, y, batches))
    new = np.array([[0.5, 0.5], [0.05, 0.95]])
    np.testing.assert_array_equal(pooled.sets(new, 0.9), [[False, False], [False, True]])
    between = np.array([[0.45, 0.55]])  # usual in the second batch, stranger than all of the first
    np.testing.assert_array_equal(pooled.sets(between, 0.6), [[False, True]])
    np.testing.assert_array_equal(pooled.sets(between, 0.4), [[False, False]])
    np.testing.assert_array_equal(sets.sets(between, 0.4), [[False, True]])


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_the_limits_exclude_what_p_values_exclude(level: float) -> None:
    rng = np.random.default_rng(3)
    for n in (5, 9, 19, 40, 199):
        p = rng.dirichlet([1, 1], n).round(2)  # with ties
        y = rng.integers(0, 2, n)
        y[:2] = 0, 1
        asked = np.r_[rng.dirichlet([1, 1], 200).round(2), p]
        expected = [conformal_p(np.sort(1 - p[y == k, k]), 1 - asked[:, k]) > 1 - level + 1e-12 for k in (0, 1)]
        found = ClassConditionalSets.fit([(p, y)]).sets(asked, level)
        np.testing.assert_array_equal(found, np.stack(expected, axis=1))


def test_a_batch_too_small_to_exclude_anything_does_not_make_every_set_full() -> None:
    y = np.tile([0, 1], 50)
    batches = np.repeat([0, 1], [84, 16])  # 8 of each state in the second: fewer than the 9 that 90 % needs
    p = np.where((y == 1)[:, None], [[0.1, 0.9]], [[0.9, 0.1]])
    sets = ClassConditionalSets.fit(with_batches(p, y, batches)).sets(np.array([[0.9, 0.1]]), 0.9)
    np.testing.assert_array_equal(sets, [[True, False]])
