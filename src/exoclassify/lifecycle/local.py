"""The samples of a new site, and what a model finds in them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from exoclassify.data.cargo import CargoTable
from exoclassify.errors import DesignError, InputError
from exoclassify.learning.site import Local
from exoclassify.lifecycle.known import recognised
from exoclassify.methods.conformal import conformal_p
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import shifted_prevalence
from exoclassify.typing import Codes, Floats, Mask

__all__ = ["FEWEST", "FEWEST_LABELLED", "Here", "LocalSamples", "measured_here"]

FEWEST = 10
"""Local samples from which an offset is worth knowing: 10 cut the log-loss of new simulated batches by a third."""

FEWEST_LABELLED = 5
_RAREST = 0.05


@dataclass(frozen=True, eq=False)
class LocalSamples:
    """Samples of a site.

    Parameters
    ----------
    cargo : CargoTable or mapping of str to CargoTable
        Of the model's kind and unit; of several layers a table for each, by name, each of which may lack samples.
    labels : tuple of str
        The state of each of `sample_ids`, empty where it is not known; nothing where none is.
    subjects : tuple of str
        The person of each; nothing where not given.
    mix : mapping of str to float, optional
        Shares of the states among them.
    """

    cargo: CargoTable | Mapping[str, CargoTable]
    labels: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    mix: Mapping[str, float] | None = None

    @property
    def tables(self) -> tuple[CargoTable, ...]:
        """The table, or that of each layer."""
        return (self.cargo,) if isinstance(self.cargo, CargoTable) else tuple(self.cargo.values())

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """Every sample once, in the order of the tables."""
        return tuple(dict.fromkeys(sample for table in self.tables for sample in table.sample_ids))

    @property
    def source(self) -> str:
        """Names of the tables, for messages."""
        return ", ".join(dict.fromkeys(table.source for table in self.tables))

    def digest(self) -> str:
        """Give the sha256 of the tables."""
        each = [table.digest() for table in self.tables]
        return each[0] if len(each) == 1 else hashlib.sha256("".join(each).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Here:
    """The local samples as the model sees them.

    Parameters
    ----------
    local : Local
        What is known of them.
    eta : ndarray of shape (n_local, n_states)
        Log-odds as of an unknown batch, without an offset.
    residuals, groups : ndarray of shape (n_local,)
        How unlike training each is; codes of persons.
    """

    local: Local
    eta: Floats
    residuals: Floats
    groups: Codes

    @property
    def y(self) -> Codes:
        """State codes; -1 = not known."""
        return self.local.labels

    def take(self, rows: Codes) -> Here:
        """Give these samples alone."""
        mine = replace(self.local, w=self.local.w[rows], labels=self.local.labels[rows])
        groups = np.unique(self.groups[rows], return_inverse=True)[1]
        return Here(mine, self.eta[rows], self.residuals[rows], groups)


def measured_here(model: ModelBundle, samples: LocalSamples, site: str) -> tuple[Here, dict[str, Any]]:
    """Let a model look at local samples, those that it was trained on left out; also plain values that describe them."""
    source, states = samples.source, model.states
    for table in samples.tables:
        table.check_rows()
    ids, X = model.rows(samples.cargo)
    labels = samples.labels or ("",) * len(ids)
    unknown = sorted({label for label in labels if label and label not in states})
    if unknown:
        raise InputError(
            f"{source}: {unknown[0]} is not a state of {model.name}; its states are {', '.join(states)}; blank = not known"
        )
    mix = shifted_prevalence(states, model.blend.prevalence, samples.mix, what="mix")
    known, measured = _trained_on(model, samples, X), model.measure(X)
    unread = ~known & (measured.coverage < model.panel.min_coverage)
    # Scores of fewer layers lie closer together than the profile's model of them says, which would find a wrong offset.
    part = ~known & ~unread & ~measured.layers.all(axis=1)
    new = ~known & ~unread & ~part
    y = np.array([states.index(label) if label else -1 for label in labels], dtype=np.intp)[new]
    left_out = {"left_out_as_trained_on": int(known.sum()), "left_out_as_not_measured": int(unread.sum())}
    if model.layers:
        left_out["left_out_for_missing_layers"] = int(part.sum())
    _check_enough(model, y, mix, left_out, source)
    log_odds, residuals = measured.log_odds[new].transpose(1, 0, 2), measured.residuals[new]
    alpha = model.about.answers.novelty_alpha
    novel = conformal_p(model.blend.calibration.unknown.novelty, residuals) <= alpha
    if novel.all() and not (y >= 0).all():
        raise DesignError(
            f"{source}: all {len(y)} local samples are unlike the training samples; check unit, kind and preparation, or label "
            f"{FEWEST_LABELLED} subjects of every state"
        )
    head = model.blend.calibration.heads[0]
    share = model.blend.prevalence if mix is None else mix
    subjects = samples.subjects or ids
    groups = np.unique(np.asarray(subjects, dtype=np.str_)[new], return_inverse=True)[1]
    here = Here(Local(head.to_white(log_odds[0]), share, mix is not None, y), log_odds[0], residuals, groups)
    return here, {
        "site": site,
        "source": f"{model.name} {model.version}",
        "samples": {
            **{state: int((y == k).sum()) for k, state in enumerate(states)}, "not labelled": int((y < 0).sum()),
        },
        "mix": None if mix is None else dict(zip(states, map(float, mix), strict=True)),
        "subjects": len(np.unique(groups)) if samples.subjects else None,
        **left_out,
        "data_sha256": samples.digest(),
        "novel_before": float(novel.mean()),
    }  # fmt: skip


def _trained_on(model: ModelBundle, samples: LocalSamples, X: Floats) -> Mask:
    if model.trained_on is None:
        return np.zeros(len(X), dtype=bool)
    ways = recognised(model, samples.sample_ids, X, samples.subjects or None)
    known: Mask = np.any(list(ways.values()), axis=0)
    return known


def _check_enough(model: ModelBundle, y: Codes, mix: Floats | None, left_out: Mapping[str, int], source: str) -> None:
    if len(y) < FEWEST:
        ways = ("as trained on", "as hardly measured", "as they lack a layer, or it is unlike training")
        why = [f"{n} {how}" for n, how in zip(left_out.values(), ways, strict=False) if n]
        told = f" ({', '.join(why)} left out)" if why else ""
        whole = f", each with {' and '.join(model.layers)}; or train a model of one layer" if model.layers else ""
        raise DesignError(
            f"{source}: {len(y)} local samples{told}; a site needs {FEWEST} or more that the model has not seen{whole}"
        )
    counts = np.bincount(y[y >= 0], minlength=len(model.states))
    if mix is None and counts.max() < FEWEST_LABELLED:
        raise DesignError(
            f"{source}: neither the mix of the local samples is stated nor {FEWEST_LABELLED} of one state are labelled, and "
            f"without either the offset cannot be told from the mix; give --mix {','.join(f'{s}=…' for s in model.states)}, or "
            f"label {FEWEST_LABELLED} controls"
        )
    if mix is not None and mix.min() < _RAREST and (y < 0).all():
        rare = model.states[int(mix.argmin())]
        raise DesignError(
            f"mix: {rare}={mix.min():g} is below {_RAREST:g}; so rare a state says nothing of the offset: label some of the "
            "samples (controls are enough) instead"
        )
