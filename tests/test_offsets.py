"""Offsets between batches: the mixed model by hand and by error contrasts, and what is fitted around it."""

import numpy as np
import pytest
from scipy.linalg import null_space
from scipy.stats import lognorm, multivariate_normal, norm

from exoclassify.methods.offsets import Offsets, batch_mix, fit_link, fit_scale, offsets_of, whitening


def prior(tau: np.ndarray) -> np.ndarray:
    """Of the spread, on a grid that is even in its log: log-normal, median .9, sd of the log .7."""
    return lognorm(0.7, scale=0.9).pdf(tau) * tau


def of_two_batches(first: float, second: float, n: int) -> Offsets:
    """One state, n samples a batch, the batches' means given."""
    w = np.r_[np.full(n, first), np.full(n, second)][:, None]
    return offsets_of(w, np.zeros(2 * n, dtype=np.intp), np.repeat([0, 1], n), 2, 1)


@pytest.mark.parametrize("apart", [0.1, 1.0, 6.0])
def test_the_spread_of_two_batches_rests_on_their_difference_alone(apart: float) -> None:
    """By hand: the difference of two means is N(0, 2 / n + 2 tau^2), whatever their common mean."""
    found = of_two_batches(5 - apart / 2, 5 + apart / 2, n=8)
    by_hand = prior(found.tau) * norm.pdf(apart, scale=np.sqrt(2 / 8 + 2 * found.tau**2))
    np.testing.assert_allclose(found.weight, by_hand / by_hand.sum(), rtol=1e-9)


def test_offsets_are_shrunk_and_their_variance_is_that_of_the_mixed_model() -> None:
    """By hand at each tau: mean 5, offset +-1 tau^2 / (tau^2 + 1/n), variance tau^2 - tau^4 / (2 (tau^2 + 1/n))."""
    found = of_two_batches(4.0, 6.0, n=4)
    square, noise = found.tau**2, found.tau**2 + 1 / 4
    offset = found.weight @ (square / noise)
    np.testing.assert_allclose(found.means, [[5.0]], atol=1e-12)
    np.testing.assert_allclose(found.offsets, [[-offset], [offset]], rtol=1e-9)
    inside = found.weight @ (square - square**2 / (2 * noise))
    between = found.weight @ (square / noise - offset) ** 2
    np.testing.assert_allclose(found.variance, [inside + between] * 2, rtol=1e-9)


def test_restricted_likelihood_is_that_of_the_error_contrasts() -> None:
    """Two states, three batches, cells of other sizes, one empty; two dimensions that share one spread."""
    rng = np.random.default_rng(3)
    cells = [(0, 0, 5), (0, 1, 2), (1, 0, 3), (1, 1, 7), (2, 1, 4)]
    batch, y = (np.repeat([cell[i] for cell in cells], [n for *_, n in cells]) for i in (0, 1))
    w = rng.normal(size=(len(y), 2)) + np.array([[-1, 0], [2, 0.5], [0, -2]])[batch]
    found = offsets_of(w, y, batch, 3, 2)
    X = np.array([[s == k for k in (0, 1)] for _, s, _ in cells], dtype=float)
    Z = np.array([[b == j for j in (0, 1, 2)] for b, _, _ in cells], dtype=float)
    means = np.array([w[(batch == b) & (y == s)].mean(axis=0) for b, s, _ in cells])
    A = null_space(X.T)
    brute = np.log(prior(found.tau))
    for i, tau in enumerate(found.tau):
        V = np.diag([1 / n for *_, n in cells]) + tau**2 * Z @ Z.T
        brute[i] += sum(multivariate_normal.logpdf(A.T @ means[:, d], cov=A.T @ V @ A) for d in (0, 1))
    np.testing.assert_allclose(found.weight, np.exp(brute - brute.max()) / np.exp(brute - brute.max()).sum())


def test_of_one_batch_nothing_is_known_of_the_spread_but_the_prior() -> None:
    rng = np.random.default_rng(0)
    found = offsets_of(rng.normal(size=(20, 1)), np.arange(20) % 2, np.zeros(20, dtype=np.intp), 1, 2)
    np.testing.assert_allclose(found.weight, prior(found.tau) / prior(found.tau).sum(), rtol=1e-9)


def test_offsets_of_large_batches_are_found() -> None:
    rng = np.random.default_rng(1)
    batch, y = np.arange(4000) % 4, np.arange(4000) // 4 % 2
    made = np.array([-2.0, 0.5, 0.0, 1.5])
    w = rng.normal(size=(4000, 1)) + made[batch][:, None] + 2.0 * y[:, None]
    found = offsets_of(w, y, batch, 4, 2)
    np.testing.assert_allclose(found.offsets[:, 0] - found.offsets[:, 0].mean(), made - made.mean(), atol=0.15)
    np.testing.assert_allclose(found.means[1] - found.means[0], 2.0, atol=0.1)
    assert 0.6 < found.tau @ found.weight < 2.5


def test_a_batch_s_mix_is_its_own_and_two_samples_of_that_of_all() -> None:
    y, batch = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 0, 0, 1])
    found = batch_mix(y, batch, 3, np.array([0.6, 0.4]))
    np.testing.assert_allclose(found, [[4.2 / 6, 1.8 / 6], [1.2 / 3, 1.8 / 3], [0.6, 0.4]])


def of_scores(offset: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True log-odds of two states, half of the batches moved up and half down."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(0, 2, 4000)
    y = (rng.random(4000) < 1 / (1 + np.exp(-logit))).astype(np.intp)
    batch = np.arange(4000) % 4
    moved = logit + np.array([offset, -offset, offset, -offset])[batch]
    return np.stack([-moved / 2, moved / 2], axis=1), y, batch


def test_the_scale_of_a_learner_does_not_suffer_from_offsets() -> None:
    scores, y, batch = of_scores(4.0)
    prevalence = np.bincount(y) / len(y)
    within, _ = fit_scale(scores, y, batch, batch_mix(y, batch, 4, prevalence), prevalence)
    pooled, _ = fit_scale(scores, y, np.zeros_like(batch), prevalence[None], prevalence)
    assert within == pytest.approx(1.0, abs=0.06)
    assert pooled < 0.5


def test_scores_that_point_the_wrong_way_get_no_scale() -> None:
    scores, y, batch = of_scores(0.5)
    prevalence = np.bincount(y) / len(y)
    scale, loss = fit_scale(-scores, y, batch, batch_mix(y, batch, 4, prevalence), prevalence)
    assert scale == 0.0
    assert loss == pytest.approx(np.log(2), abs=0.01)


def test_what_states_and_batches_leave_unexplained_becomes_white() -> None:
    rng = np.random.default_rng(2)
    y, batch = rng.integers(0, 3, 6000), rng.integers(0, 4, 6000)
    mixing = np.array([[2.0, 0.5, 0.0], [0.0, 1.0, 0.3], [0.1, 0.0, 0.4]])
    scores = rng.normal(size=(6000, 3)) @ mixing + 5 * np.eye(3)[y] + 3 * rng.normal(size=(4, 3))[batch]
    scores -= scores.mean(axis=1, keepdims=True)
    white = whitening(scores, y, batch)
    assert white is not None
    w = scores @ white.T
    left = np.concatenate(
        [w[(y == k) & (batch == j)] - w[(y == k) & (batch == j)].mean(axis=0) for k in range(3) for j in range(4)]
    )
    np.testing.assert_allclose(np.cov(left.T), np.eye(2), atol=0.05)


def test_scores_that_do_not_vary_cannot_be_made_white() -> None:
    assert whitening(np.zeros((20, 3)), np.arange(20) % 3, np.arange(20) % 2) is None


@pytest.mark.parametrize(("told", "gamma"), [(1.0, 1.0), (2.0, 0.5)])
def test_means_told_too_far_apart_are_believed_less(told: float, gamma: float) -> None:
    """Two normal distributions 2 apart: told of 4 apart, the log-odds are believed by half."""
    rng = np.random.default_rng(4)
    y = np.arange(6000) % 2
    w = rng.normal(size=(6000, 1)) + np.array([-1.0, 1.0])[y][:, None]
    link = fit_link(w, told * np.array([[-1.0], [1.0]]), y, np.full((6000, 2), np.log(0.5)))
    assert link.gamma == pytest.approx(gamma, rel=0.1)
    np.testing.assert_allclose(link.constant, 0, atol=0.1)
