"""What is known of molecules beforehand, as weights of tests: claims, and effects in tables other than the cohort's own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exoclassify.errors import InputError
from exoclassify.evidence.catalogue import Catalogue
from exoclassify.evidence.reanalysis import Reanalysis
from exoclassify.typing import Floats

__all__ = ["Prior", "learned_weights"]


LARGEST = 5.0
"""Weight of a known molecule at most."""

SHARE = 0.1
"""Largest share of the molecules that is taken for known: more would cost the others too much."""

_FOLDS = 5
"""Parts of the molecules: a part's weights are learned from the p of the others, so no p weighs itself."""

_SMALL = 0.01
"""p at which molecules are counted to see whether the known ones are richer in effects."""

_DOUBT = 0.05
"""Added to both shares of small p, so that weights need more than a few molecules to move from 1."""

_NULL = 0.434
"""Mean of -log10 p where there is no effect."""

_MOST = 4.0
"""-log10 p counts no further: one table is one table, however small its p."""

_LEAST = 1.0
"""Evidence from which a molecule can be known: about one independent claim on people, or p = .04 in a table of the condition."""


@dataclass(frozen=True)
class Prior:
    """Claims and tables that speak of a condition.

    Parameters
    ----------
    catalogue : Catalogue
        The claims.
    reanalysis : Reanalysis
        The tables, without the cohort's own: see `Reanalysis.without`.
    conditions : tuple of str
        The catalogue's names of the condition studied: what is known of others counts half.
    """

    catalogue: Catalogue
    reanalysis: Reanalysis
    conditions: tuple[str, ...] = ()

    def evidence(self, molecule: str) -> float:
        """Measure what is known of one molecule.

        1 for each independent study of people that claims a direction, and for each table -log10 p above what chance gives;
        half of both where they are of another condition. Vesicles of cells count as another condition.
        """
        studies = {
            (at.evidence.study_key, at.evidence.condition in self.conditions)
            for at in self.catalogue.of(molecule)
            if at.relation in ("same", "arm-not-stated")
            and at.evidence.system == "patients"
            and at.evidence.independent
            and at.evidence.measured == "cargo"
            and at.evidence.direction in ("up", "down")
        }
        claimed = sum(1.0 if here else 0.5 for _, here in studies)
        seen = sum(
            (min(-np.log10(max(effect.p, 1e-300)), _MOST) - _NULL)
            * (1.0 if effect.table.condition in self.conditions and effect.table.of_people else 0.5)
            for effect in self.reanalysis.of(molecule)
            if effect.molecule == molecule
        )
        return float(claimed + seen)

    def weights(self, molecules: Sequence[str], p: Floats) -> Floats:
        """Weigh the tests of a cohort.

        Above 0 with mean 1 in each part of the molecules.

        Parameters
        ----------
        p : ndarray of shape (n_molecules,)
            Of these tests.
        """
        return learned_weights(self.known(molecules), molecules, p)

    def known(self, molecules: Sequence[str]) -> NDArray[np.bool_]:
        """Say of which molecules enough is known: those with most evidence, `SHARE` of all at most.

        Shape (n_molecules,).
        """
        evidence = np.array([self.evidence(name) for name in molecules])
        order = np.argsort(-evidence, kind="stable")[: int(SHARE * len(evidence))]
        known = np.zeros(len(evidence), dtype=bool)
        known[order] = evidence[order] >= _LEAST
        if not known.any():
            raise InputError(
                "nothing is known beforehand of any of these molecules (a table of another species, or of another kind?); leave "
                "--informed out"
            )
        return known


def learned_weights(known: NDArray[np.bool_], molecules: Sequence[str], p: Floats) -> Floats:
    """Weigh known molecules as much as the cohort's own tests bear out: independent hypothesis weighting in two groups.

    Above 0 with mean 1 in each part; 1 where the known are no richer in small p than the others.

    Parameters
    ----------
    known : ndarray of bool, shape (n_molecules,)
        Chosen without these samples.
    p : ndarray of shape (n_molecules,)
        Of the tests.

    Notes
    -----
    Ignatiadis et al. 2016, doi 10.1038/nmeth.3885: with weights learned on other folds than they are used in, weighted
    Benjamini-Hochberg keeps its level. Measured in tests/benchmarks/informed.py.
    """
    fold = np.array([hashlib.blake2b(name.encode(), digest_size=4).digest()[0] % _FOLDS for name in molecules])
    weights = np.ones(len(p))
    for part in range(_FOLDS):
        here, others = fold == part, fold != part
        shares = [_share(p[others & group]) for group in (known, ~known)]
        ratio = float(np.clip(shares[0] / shares[1], 1.0, LARGEST))
        n, k = int(here.sum()), int((here & known).sum())
        if n:
            plain = n / (n - k + ratio * k)
            weights[here] = np.where(known[here], ratio * plain, plain)
    return weights


def _share(p: Floats) -> float:
    """Share of small p above what chance gives, in doubt until many are seen."""
    return max(float((p <= _SMALL).mean()) - _SMALL, 0.0) + _DOUBT if len(p) else _DOUBT
