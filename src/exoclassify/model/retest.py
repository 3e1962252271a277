"""Measurement noise: how far answers to samples of one person in one state lie apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from exoclassify.data.cargo import CargoTable
from exoclassify.errors import InputError, ModelError
from exoclassify.methods.fusion import code_of, named
from exoclassify.model.about import LayerRepeats, Repeats
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.layered import LayeredBlend
from exoclassify.model.prediction import Use
from exoclassify.typing import Codes, Floats, Mask

__all__ = ["FEWEST_REPEATS", "Retest", "log_odds_of", "retest_in", "retest_of"]

FEWEST_REPEATS = 5
"""Degrees of freedom from which on test-retest noise is told: with fewer it is known to no better than a factor of two."""

_LEAST = 1e-9
"""Probabilities closer to 0 or 1 have no log-odds worth telling apart."""


@dataclass(frozen=True, eq=False)
class Retest:
    """How far the answers to samples of one person in one state lie apart.

    Parameters
    ----------
    sd : ndarray of shape (n_states,)
        Standard deviation of one answer's log-odds, each state against all others: that among persons in the state where it is
        largest, for whose state is not known in use.
    freedom : float
        Degrees of freedom of it: repeated samples beyond the first of each person, in the state that has fewest of them.
    persons : int
        Persons with repeated samples.
    source : str
        Whose repeats: ``training``, held out, or the name of a file.
    by_layers : mapping of int to Retest
        Of a model of several layers: that of each set of layers (`set_codes`) of which there are enough repeats.
    """

    sd: Floats
    freedom: float
    persons: int
    source: str
    by_layers: Mapping[int, Retest] = field(default_factory=dict)

    @classmethod
    def of_model(cls, bundle: ModelBundle) -> Retest:
        """Give what training taught of it."""
        found = bundle.about.retest
        if found is None:
            raise ModelError(
                f"{bundle.name} {bundle.version}: how far repeated samples of one person lie apart was not learned (training "
                f"needs --subject, {FEWEST_REPEATS} repeats in one state, and to be judged); give repeats with --repeats"
            )
        if bundle.layers and found.layers is None:
            raise ModelError(
                f"{bundle.name} {bundle.version} was trained before noise was learned for each set of layers; train it again, "
                "or give repeats with --repeats-layer"
            )

        def read(one: Repeats | LayerRepeats, parts: Mapping[int, Retest]) -> Retest:
            sd = np.array([one.sd[state] for state in bundle.states])
            return cls(sd, one.freedom, one.persons, "training", parts)

        parts = {code_of(one.layers, bundle.layers): read(one, {}) for one in found.layers or ()}
        return read(found, parts)

    def of(self, bundle: ModelBundle, layers: int) -> Retest:
        """Give the noise where a set of layers is read (`set_codes`)."""
        if not bundle.layers:
            return self
        if layers not in self.by_layers:
            names = " and ".join(named(layers, bundle.layers)) or "no layer"
            raise InputError(
                f"{bundle.name}: how far repeated samples of one person lie apart is not known by {names} alone "
                f"({self.source}: fewer than {FEWEST_REPEATS} repeats have it); give repeats with --repeats-layer"
            )
        return self.by_layers[layers]

    @staticmethod
    def check(bundle: ModelBundle) -> None:
        """Refuse a model that no single person is followed with."""
        plan = bundle.about.visits
        if plan is not None and plan.reads != "baseline":
            raise ModelError(
                f"{bundle.name} compares samples of one person itself, and answers once for a person; score it, or follow with "
                "another model"
            )

    def at(self, bundle: ModelBundle, layers: int, use: Use, batches: Sequence[str] = ()) -> Retest:
        """Give the noise where samples are from: log-odds of a new batch or a site may be steeper or flatter."""
        known = bundle.blend.calibration
        where = {bundle.blend.place(replace(use, batch=batch))[0].head for batch in (batches or [use.batch])}
        usual = bundle.blend.steepness(known.some.head, layers)
        steepest = max(bundle.blend.steepness(head, layers) for head in where)
        return replace(self, sd=self.sd * (steepest / usual if usual > 0 else 1.0))

    def told(self, states: Sequence[str], layers: Sequence[str] = ()) -> Repeats:
        """Give it as a bundle keeps it; of several layers with their names."""
        parts = [
            LayerRepeats(layers=tuple(named(code, layers)), **one.told(states).to_json())
            for code, one in self.by_layers.items()
        ]
        sd = dict(zip(states, self.sd.tolist(), strict=True))
        found = Repeats(sd=sd, freedom=self.freedom, persons=self.persons, source=self.source)
        return found.model_copy(update={"layers": tuple(parts)}) if layers else found


def log_odds_of(probabilities: Floats) -> Floats:
    """Give the log-odds of each state against all others; both of shape (n_samples, n_states).

    Parameters
    ----------
    probabilities : ndarray
        Rows sum to 1.
    """
    p = np.clip(probabilities, _LEAST, 1 - _LEAST)
    result: Floats = np.log(p) - np.log1p(-p)
    return result


def retest_of(probabilities: Sequence[Floats], persons: Codes, y: Codes, source: str) -> Retest | None:
    """Learn the noise from answers to repeated samples of one person in one state.

    Parameters
    ----------
    probabilities : sequence of ndarray of shape (n_samples, n_states)
        Answers to the same samples by models that were not trained on them, one array a pass.
    persons, y : ndarray of shape (n_samples,)
        Codes.
    """
    found = [_pooled(probabilities, persons, y == state) for state in np.unique(y)]
    noisy = [one for one in found if one is not None]
    if not noisy:
        return None
    sd = np.max([sd for sd, _, _ in noisy], axis=0)
    freedom = min(freedom for _, freedom, _ in noisy)
    return Retest(sd, float(freedom), sum(repeated for _, _, repeated in noisy), source)


def _pooled(probabilities: Sequence[Floats], persons: Codes, inside: Mask) -> tuple[Floats, int, int] | None:
    """Give the standard deviation within persons, its degrees of freedom, and who has repeats; of one state."""
    of = np.unique(persons[inside], return_inverse=True)[1]
    n = np.bincount(of)
    freedom = int((n - 1).sum())
    if freedom < FEWEST_REPEATS:
        return None
    variances = []
    for p in probabilities:
        eta = log_odds_of(p[inside])
        mean = np.stack([np.bincount(of, column) / n for column in eta.T], axis=1)
        variances.append(((eta - mean[of]) ** 2).sum(axis=0) / freedom)
    return np.sqrt(np.mean(variances, axis=0)), freedom, int((n > 1).sum())


def retest_in(
    bundle: ModelBundle, table: CargoTable | Mapping[str, CargoTable], person_of: Mapping[str, str], use: Use
) -> Retest:
    """Learn the noise from a file of repeated samples, or one a layer, every person of it in one state throughout."""
    source = table.source if isinstance(table, CargoTable) else ", ".join(one.source for one in table.values())
    ids, X = bundle.rows(table)
    persons = np.unique([person_of[sample] for sample in ids], return_inverse=True)[1]

    def learned(rows: Mask, shown: Floats) -> Retest | None:
        answers = bundle.judge(bundle.measure(shown[rows]), use).probabilities
        return retest_of([answers], persons[rows], np.zeros(int(rows.sum()), dtype=np.intp), source)

    found = learned(np.ones(len(ids), dtype=bool), X)
    if found is None:
        raise InputError(
            f"{source}: {len(ids)} samples of {len(np.unique(persons))} persons; measurement noise needs {FEWEST_REPEATS} "
            "samples beyond the first of a person"
        )
    if not isinstance(bundle.blend, LayeredBlend):
        return found
    parts = {code: learned(*bundle.blend.only(X, code)) for code in range(1, 2 ** len(bundle.layers))}
    return replace(found, by_layers={code: one for code, one in parts.items() if one is not None})
