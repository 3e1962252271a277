import numpy as np

from exoclassify.methods.novelty import PCAResidual


def drawn(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    loadings = np.random.default_rng(99).normal(size=(3, 200))
    return rng.normal(size=(n, 3)) @ loadings + rng.normal(size=(n, 200))


def test_residuals_of_new_samples_of_the_same_kind_are_near_the_noise() -> None:
    fitted = PCAResidual.fit(drawn(100, 0), 3)
    loadings = np.random.default_rng(99).normal(size=(3, 200))
    noise_share = (1 / (1 + (loadings**2).sum(axis=0))).mean()  # of each molecule's variance, the rest is shared
    assert abs(fitted.residuals(drawn(500, 1)).mean() / noise_share - 1) < 0.1


def test_a_shifted_sample_has_a_larger_residual() -> None:
    fitted = PCAResidual.fit(drawn(100, 0), 3)
    shift = np.random.default_rng(5).normal(size=200)
    assert fitted.residuals(drawn(50, 1) + shift).min() > np.quantile(fitted.residuals(drawn(50, 2)), 0.9)


def test_no_more_components_than_a_fifth_of_the_samples() -> None:
    assert len(PCAResidual.fit(drawn(12, 0), 10).components) == 2
