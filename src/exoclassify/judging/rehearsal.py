"""What a site profile would do: a batch left out is taken on board with some of its samples and asked about the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from exoclassify.learning.learn import Learned
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.samples import Samples
from exoclassify.learning.site import Local, site_place
from exoclassify.model.evaluation import NewSite
from exoclassify.model.layered import compiled
from exoclassify.model.prediction import Limits, Use

__all__ = ["Rehearsal", "at_new_sites", "rehearsed"]

_LOCAL = (10, 20)
"""Local samples, without labels, their mix stated."""

_DRAWS = 3
_FEWEST_ASKED = 8


class Rehearsal(NamedTuple):
    """Answers of one left-out batch after one draw of local samples.

    Parameters
    ----------
    n_local : int
        Local samples.
    batch : int
        Code of the batch.
    loss : float
        Sum of the log-losses of the others.
    n, called, wrong : int
        How many others there are, were called, and were called wrongly.
    """

    n_local: int
    batch: int
    loss: float
    n: int
    called: int
    wrong: int


def rehearsed(learned: Learned, samples: Samples, recipe: Recipe, test: NDArray[np.intp]) -> list[Rehearsal]:
    """Take a left-out batch on board with 10 and with 20 of its samples, without labels, and answer for the others.

    Returns
    -------
    list of Rehearsal
        None for a number of local samples that leaves too few others.
    """
    blend = learned.blend
    log_odds, residuals = compiled(blend).evaluate(samples.X[test][:, learned.support])
    w, y = blend.calibration.heads[0].to_white(log_odds[0]), samples.y[test]
    counts = np.bincount(y, minlength=len(samples.states)) + 0.01
    mix = np.asarray(counts / counts.sum(), dtype=np.float64)
    asked = recipe.answers
    limits = Limits(asked.level, asked.max_wrong, asked.novelty_alpha, 0.0)
    assert samples.batches is not None
    found = []
    with threadpool_limits(limits=1):
        for n in _LOCAL:
            for draw in range(_DRAWS if len(y) >= n + _FEWEST_ASKED else 0):
                own = np.random.default_rng([recipe.seed, n, draw]).permutation(len(y))
                local, rest = own[:n], own[n:]
                there = Local(w[local], mix, True, np.full(n, -1, dtype=np.intp))
                place = site_place(blend.calibration, there, blend.prevalence, seed=recipe.seed)
                known = replace(blend.calibration, site_names=("here",), sites=(place,))
                given = blend.with_calibration(known).judge(
                    log_odds[:, rest], residuals[rest], np.ones(len(rest)), Use(site="here"), limits
                )
                p = np.maximum(given.probabilities[np.arange(len(rest)), y[rest]], 1e-12)
                called = given.calls >= 0
                wrong = called & (given.calls != y[rest])
                batch = int(samples.batches[test[0]])
                found.append(
                    Rehearsal(n, batch, float(-np.log(p).sum()), len(rest), int(called.sum()), int(wrong.sum()))
                )
    return found


def at_new_sites(found: Sequence[Sequence[Rehearsal]]) -> tuple[NewSite, ...]:
    """Sum up what profiles from 10 and 20 local samples would do at a new site."""
    every = [one for fold in found for one in fold]
    rows = []
    for n in sorted({one.n_local for one in every}):
        mine = [one for one in every if one.n_local == n]
        total, called = sum(one.n for one in mine), sum(one.called for one in mine)
        rows.append(
            NewSite(
                n_local=n,
                n_batches=len({one.batch for one in mine}),
                log_loss=sum(one.loss for one in mine) / total,
                called=called / total,
                wrong_among_called=sum(one.wrong for one in mine) / called if called else None,
            )
        )
    return tuple(rows)
