"""Who the simulated samples come from: subjects, their states, their batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Numbers", "People", "people"]

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class People:
    """Who gave the samples: one entry a sample, all numbered from 0.

    Parameters
    ----------
    subject, state, batch : int arrays of shape (n_samples,)
        A subject has one state and one batch.
    """

    subject: Numbers
    state: Numbers
    batch: Numbers

    @property
    def n_subjects(self) -> int:
        """How many people there are."""
        return int(self.subject.max()) + 1


def people(
    rng: np.random.Generator, n_samples: int, n_states: int, n_batches: int, repeats: float, confounded: float
) -> People:
    """Draw the people: states in equal shares, batches in equal shares within a state unless confounded.

    Parameters
    ----------
    rng : numpy Generator
        Source of chance.
    n_samples, n_states, n_batches : int
        Sizes.
    repeats : float
        Share of the subjects that are sampled twice.
    confounded : float
        Share of the subjects whose batch follows their state.

    Returns
    -------
    People
        In shuffled order.
    """
    n_subjects = max(int(np.ceil(n_samples / (1.0 + repeats))), (n_samples + 1) // 2)
    states = np.arange(n_subjects) % n_states
    batches = np.arange(n_subjects) // n_states % n_batches
    follows = rng.permutation(n_subjects) < round(confounded * n_subjects)
    batches = np.where(follows, states % n_batches, batches)
    twice = rng.permutation(n_subjects)[: n_samples - n_subjects]
    subject = rng.permutation(np.concatenate([np.arange(n_subjects), twice]))
    return People(subject=subject, state=states[subject], batch=batches[subject])
