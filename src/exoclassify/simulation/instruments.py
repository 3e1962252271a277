"""What an instrument sees of the simulated vesicles: a sequencer, a qPCR plate, a mass spectrometer."""

from __future__ import annotations

import numpy as np

from exoclassify.typing import Floats

__all__ = ["counts", "cycles", "intensities"]


def counts(rng: np.random.Generator, logs: Floats, depth: float, depth_sd: float) -> Floats:
    """Sequence the samples: negative-binomial counts at log-normal depth.

    Whole numbers; the dispersion is 0.12 + 8 / mean, DESeq2's trend.
    """
    share = np.exp2(logs - logs.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    mean = share * depth * np.exp(rng.normal(0.0, depth_sd, (len(logs), 1)))
    size = 1.0 / (0.12 + 8.0 / np.maximum(mean, 1e-6))
    drawn: Floats = rng.poisson(mean * rng.gamma(size) / size).astype(np.float64)
    return drawn


def cycles(rng: np.random.Generator, logs: Floats, not_detected: float) -> Floats:
    """Run qPCR: one cycle a doubling, more misses the later the cycle.

    Ct with two decimals.
    """
    loading = rng.normal(0.0, 0.7, (len(logs), 1))
    drawn = 38.0 - logs + loading + rng.normal(0.0, 0.25, logs.shape)
    missed = rng.random(logs.shape) < 1.0 / (1.0 + np.exp(-(drawn - 37.0) / 0.8))
    shown = np.maximum(drawn, 5.0).round(2)
    return np.where(missed | (shown >= not_detected), not_detected, shown)


def intensities(rng: np.random.Generator, logs: Floats) -> Floats:
    """Run mass spectrometry: intensities that go missing more often the lower they are.

    Intensities; NaN = not found, about a quarter.
    """
    loading = rng.normal(0.0, 0.3, (len(logs), 1))
    drawn = logs + loading + rng.normal(0.0, 0.2, logs.shape)
    limit = np.quantile(logs, 0.2)
    missed = rng.random(logs.shape) < 1.0 / (1.0 + np.exp((drawn - limit) / 0.6))
    missed |= rng.random(logs.shape) < 0.02
    return np.where(missed, np.nan, np.round(np.exp2(drawn), 1))
