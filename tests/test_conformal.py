import numpy as np
import pytest

from exoclassify.methods.conformal import ClassConditionalSets, conformal_p


def test_p_counts_the_new_sample_among_the_reference() -> None:
    reference = np.array([0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(conformal_p(reference, np.array([0.0, 0.25, 0.4, 0.9])), [1.0, 0.6, 0.4, 0.2])


@pytest.mark.parametrize(("n", "level"), [(9, 0.9), (19, 0.95), (99, 0.99)])
def test_a_state_can_be_excluded_from_that_many_samples_on(n: int, level: float) -> None:
    stranger = np.array([[0.999, 0.001]])  # state 1 is very strange here
    for size, excluded in ((n, True), (n - 1, False)):
        y = np.r_[np.zeros(200, int), np.ones(size, int)]
        p = np.where(y[:, None] == 1, [[0.1, 0.9]], [[0.9, 0.1]])
        assert (not ClassConditionalSets.fit(p, y).sets(stranger, level)[0, 1]) == excluded


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
        sets = ClassConditionalSets.fit(*draw(120, 0.2))
        p, y = draw(200, 0.2)
        right = sets.sets(p, 0.9)[np.arange(200), y]
        held += [right[y == 0].sum(), right[y == 1].sum()]
        asked += [(y == 0).sum(), (y == 1).sum()]
    assert (held / asked > 0.89).all()


def test_a_sample_like_no_state_gets_an_empty_set() -> None:
    y = np.repeat([0, 1], 30)
    p = np.where(y[:, None] == 1, [[0.02, 0.98]], [[0.98, 0.02]])
    assert not ClassConditionalSets.fit(p, y).sets(np.array([[0.5, 0.5]]), 0.9).any()
