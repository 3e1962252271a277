import numpy as np
import pytest
from scipy.special import softmax

from exoclassify.methods.offsets import fit_scale


def drawn(scale: float, n: int = 4000, k: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores whose true log-odds are `scale` times them."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, k))
    scores -= scores.mean(axis=1, keepdims=True)
    p = softmax(scale * scores, axis=1)
    return scores, (rng.random((n, 1)) > p.cumsum(axis=1)).sum(axis=1)


def of_one_batch(scores: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    mix = np.bincount(y, minlength=scores.shape[1]) / len(y)
    return fit_scale(scores, y, np.zeros_like(y), mix[None], mix)


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("k", [2, 3])
def test_the_true_scale_is_found(scale: float, k: int) -> None:
    scores, y = drawn(scale, k=k)
    found, loss = of_one_batch(scores, y)
    assert found == pytest.approx(scale, rel=0.1)
    log_p = np.log(softmax(scale * scores, axis=1))
    assert loss == pytest.approx(-log_p[np.arange(len(y)), y].mean(), abs=0.002)


def test_scores_that_point_the_wrong_way_lose_their_say() -> None:
    scores, y = drawn(2.0)
    found, loss = of_one_batch(-scores, y)
    assert found == 0
    shares = np.bincount(y) / len(y)
    assert loss == pytest.approx(-(shares * np.log(shares)).sum(), abs=1e-4)


def test_separated_scores_do_not_become_certainties() -> None:
    y = np.repeat([0, 1], 10)
    scores = np.where(y == 1, 1.0, -1.0)[:, None] * np.array([-0.5, 0.5])
    p = softmax(of_one_batch(scores, y)[0] * scores, axis=1)
    assert p.max() <= 11 / 12 + 1e-6  # Platt's target (n + 1) / (n + 2)


def test_scores_that_are_all_the_same_tell_what_the_mix_tells() -> None:
    y = np.r_[np.zeros(30, int), np.ones(10, int)]
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert of_one_batch(np.zeros((40, 2)), y)[1] == pytest.approx(entropy, abs=0.002)


def test_log_loss_of_knowing_nothing_is_log_of_the_number_of_states() -> None:
    assert of_one_batch(np.zeros((9, 3)), np.arange(9) % 3)[1] == pytest.approx(np.log(3))
