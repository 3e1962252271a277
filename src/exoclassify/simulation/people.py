"""Who the simulated samples come from: subjects, their states, their batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exoclassify.typing import Mask

__all__ = ["Numbers", "People", "people"]

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class People:
    """Who gave the samples: one entry a sample, all numbered from 0.

    Parameters
    ----------
    subject, state, batch, visit : int arrays of shape (n_samples,)
        A subject has one batch, and one state but for responders, who are in state 0 from the second visit on.
    responds : bool array of shape (n_samples,)
        Whether the sample is of a responder, at whatever visit.
    ill : bool array of shape (n_samples,)
        Whether the subject was in another state than 0 at the first visit.
    """

    subject: Numbers
    state: Numbers
    batch: Numbers
    visit: Numbers
    responds: Mask
    ill: Mask

    @property
    def n_subjects(self) -> int:
        """How many people there are."""
        return int(self.subject.max()) + 1


def people(
    rng: np.random.Generator, n_samples: int, n_states: int, n_batches: int, repeats: float, confounded: float,
    visits: int = 1, responders: float = 0.0,
) -> People:  # fmt: skip
    """Draw the people: states in equal shares, batches in equal shares within a state unless confounded.

    Parameters
    ----------
    visits : int
        At which every subject is sampled; a few lack the last where `n_samples` does not suffice.
    responders : float
        Share of the subjects in another state than 0 who are in state 0 from the second visit on.
    """
    n_subjects = max(int(np.ceil(n_samples / (visits + repeats))), int(np.ceil(n_samples / (visits + 1))))
    states = np.arange(n_subjects) % n_states
    batches = np.arange(n_subjects) // n_states % n_batches
    follows = rng.permutation(n_subjects) < round(confounded * n_subjects)
    batches = np.where(follows, states % n_batches, batches)
    twice = rng.permutation(n_subjects)[: max(0, n_samples - visits * n_subjects)]
    order = rng.permutation(n_samples)
    subject = np.concatenate([np.tile(np.arange(n_subjects), visits)[:n_samples], twice])[order]
    seen = np.repeat(np.arange(visits), n_subjects)[:n_samples]
    visit = np.concatenate([seen, rng.integers(0, visits, len(twice))])[order]
    ill = states > 0
    n_responders = round(responders * int(ill.sum()))
    responds = np.isin(np.arange(n_subjects), rng.permutation(np.flatnonzero(ill))[:n_responders])
    state = np.where(responds[subject] & (visit > 0), 0, states[subject])
    return People(subject, state, batches[subject], visit, responds[subject], ill[subject])
