import numpy as np
import pytest
from scipy.special import softmax

from exoclassify.methods.calibrate import ScaleAndShift, log_loss


def drawn(scale: float, n: int = 4000, k: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores whose true log-odds are `scale` times them."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, k))
    scores -= scores.mean(axis=1, keepdims=True)
    p = softmax(scale * scores, axis=1)
    return scores, (rng.random((n, 1)) > p.cumsum(axis=1)).sum(axis=1)


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("k", [2, 3])
def test_the_true_scale_is_found(scale: float, k: int) -> None:
    scores, y = drawn(scale, k=k)
    fitted = ScaleAndShift.fit(scores, y)
    assert fitted.scale == pytest.approx(scale, rel=0.1)
    np.testing.assert_allclose(fitted.shift, 0, atol=0.12)


def test_scores_that_point_the_wrong_way_lose_their_say() -> None:
    scores, y = drawn(2.0)
    fitted = ScaleAndShift.fit(-scores, y)
    assert fitted.scale == 0
    shares = softmax(fitted.apply(scores)[:1], axis=1)[0]
    np.testing.assert_allclose(shares, np.bincount(y) / len(y), atol=0.01)


def test_separated_scores_do_not_become_certainties() -> None:
    y = np.repeat([0, 1], 10)
    scores = np.where(y == 1, 1.0, -1.0)[:, None] * np.array([-0.5, 0.5])
    p = softmax(ScaleAndShift.fit(scores, y).apply(scores), axis=1)
    assert p.max() <= 11 / 12 + 1e-6  # Platt's target (n + 1) / (n + 2)


def test_scores_that_are_all_the_same_give_the_prevalence() -> None:
    y = np.r_[np.zeros(30, int), np.ones(10, int)]
    p = softmax(ScaleAndShift.fit(np.zeros((40, 2)), y).apply(np.zeros((1, 2))), axis=1)
    assert p[0, 1] == pytest.approx(11 / 42, abs=0.03)


def test_log_loss_of_knowing_nothing_is_log_of_the_number_of_states() -> None:
    assert log_loss(np.zeros((9, 3)), np.arange(9) % 3) == pytest.approx(np.log(3))
