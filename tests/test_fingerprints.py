"""Public libraries known again, and tests weighed by what is known beforehand."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from exoclassify.auditing.duplicates import audit_public
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.samples import SampleSheet
from exoclassify.data.sketches import bits_apart, sketches
from exoclassify.discovery.discover import discover, tables_of_others
from exoclassify.errors import InputError
from exoclassify.evidence.catalogue import Catalogue
from exoclassify.evidence.fingerprints import Fingerprints, standardised
from exoclassify.evidence.priors import Prior, learned_weights
from exoclassify.evidence.reanalysis import Reanalysis
from exoclassify.simulation.simulate import SimulationDesign, simulate

OWN = Fingerprints.read()
MADE = simulate(SimulationDesign(seed=3, n_samples=40, states=("control", "pain"), n_molecules=200, n_markers=10))


def counts(n: int, seed: int = 0) -> CargoTable:
    """Libraries as different from each other as public ones are."""
    rng = np.random.default_rng(seed)
    levels = np.exp2(OWN.mean + OWN.scale * rng.normal(size=(n, len(OWN.molecules))) + 8)
    return CargoTable(
        values=rng.poisson(levels).astype(float), sample_ids=tuple(f"S{i}" for i in range(n)),
        molecules=OWN.molecules, kind="mirna", unit="counts",
    )  # fmt: skip


def published(table: CargoTable, n: int) -> Fingerprints:
    """Fingerprints in which the first n samples of a table are a project."""
    Z = standardised(table.values[:n], np.ones(len(OWN.molecules), dtype=bool), OWN.mean, OWN.scale)
    return dataclasses.replace(
        OWN,
        accessions=(*OWN.accessions, *["PRJNA1"] * n),
        runs=(*OWN.runs, *(f"SRR{i}" for i in range(n))),
        sketches=np.vstack([OWN.sketches, sketches(OWN.molecules, Z)]),
    )


def test_the_shipped_fingerprints_are_of_many_projects_and_hold_no_counts() -> None:
    assert OWN.sketches.shape == (len(OWN.runs), 32)
    assert len(set(OWN.accessions)) == 34
    assert "PRJNA878604" in OWN.accessions
    assert OWN.sketches.dtype == np.uint8


def test_libraries_are_known_again_and_others_are_not() -> None:
    table = counts(12)
    (found,) = published(table, 7).recognise(table)
    assert (found.accession, found.samples) == ("PRJNA1", tuple(f"S{i}" for i in range(7)))
    assert found.libraries == tuple(f"SRR{i}" for i in range(7))
    assert OWN.recognise(table) == ()


def test_they_are_known_again_thinned_renamed_and_with_molecules_missing() -> None:
    table = counts(12)
    rng = np.random.default_rng(1)
    thinned = rng.binomial(table.values.astype(int), 0.5).astype(float)
    kept = np.arange(len(OWN.molecules)) % 20 != 0
    other = CargoTable(
        values=thinned[:, kept], sample_ids=tuple(f"mine-{i}" for i in range(12)),
        molecules=tuple(np.array(OWN.molecules)[kept].tolist()), kind="mirna", unit="counts",
    )  # fmt: skip
    (found,) = published(table, 12).recognise(other)
    assert len(found.samples) >= 10


def test_two_near_samples_are_not_told() -> None:
    assert published(counts(12), 2).recognise(counts(12)) == ()


@pytest.mark.parametrize(("kind", "unit"), [("mirna", "cpm"), ("protein", "intensity")])
def test_of_other_tables_nothing_is_known(kind: str, unit: str) -> None:
    table = dataclasses.replace(counts(4), kind=kind, unit=unit)
    assert published(counts(4), 4).recognise(table) == ()


def test_a_molecules_side_comes_from_its_name_in_any_order() -> None:
    Z = np.random.default_rng(0).normal(size=(3, 50))
    names = [f"hsa-miR-{i}" for i in range(50)]
    order = np.random.default_rng(1).permutation(50)
    first, again = sketches(names, Z), sketches([names[i] for i in order], Z[:, order])
    assert (first == again).all()
    assert bits_apart(first, first[0])[0] == 0
    assert bits_apart(sketches(names, -Z), first[0])[0] == 256


def test_the_audit_tells_which_project_the_samples_are_of(monkeypatch: pytest.MonkeyPatch) -> None:
    table = counts(12)
    known = published(table, 8)
    monkeypatch.setattr(Fingerprints, "read", classmethod(lambda cls: known))
    cohort = Cohort.from_layers({"mirna": table}, SampleSheet(_labels(table), "label"))
    (finding,) = audit_public(cohort)
    assert finding.message.startswith("8 of your samples are PRJNA1 (S0, S1, S2, …)")
    assert (finding.severity, finding.value) == ("warning", 8.0)
    assert audit_public(MADE.cohort) == []


def _labels(table: CargoTable) -> pd.DataFrame:
    states = ["control", "pain"] * (table.n_samples // 2)
    return pd.DataFrame({"label": states}, index=list(table.sample_ids))


def test_a_cohorts_own_table_is_no_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    table = counts(12)
    known = published(table, 8)
    renamed = tuple("PRJNA878604" if name == "PRJNA1" else name for name in known.accessions)
    monkeypatch.setattr(Fingerprints, "read", classmethod(lambda cls: dataclasses.replace(known, accessions=renamed)))
    cohort = Cohort.from_layers({"mirna": table}, SampleSheet(_labels(table), "label"))
    left = {one.accession for one in tables_of_others(cohort).tables}
    assert not [name for name in left if name.startswith("PRJNA878604")]
    assert "PRJNA607912" in left
    assert "PRJNA607912" not in {one.accession for one in tables_of_others(cohort, ["PRJNA607912"]).tables}
    with pytest.raises(InputError, match="no table PRJNA0"):
        tables_of_others(cohort, ["PRJNA0"])


def test_weights_are_learned_from_other_molecules_and_have_mean_one() -> None:
    rng = np.random.default_rng(0)
    names = [f"m{i}" for i in range(400)]
    known = np.arange(400) < 40
    p = rng.uniform(size=400)
    p[:25] = 1e-5
    weights = learned_weights(known, names, p)
    assert weights[known].min() > 2
    assert weights[~known].max() < 1
    assert weights.mean() == pytest.approx(1, abs=0.02)
    changed = p.copy()
    changed[0] = 0.9  # a molecule's own p does not move its own weight
    assert learned_weights(known, names, changed)[0] == weights[0]
    assert learned_weights(known, names, rng.uniform(size=400)).max() < 1.6


def test_what_is_known_counts_more_in_the_condition_studied() -> None:
    catalogue, tables = Catalogue.read(), Reanalysis.read()
    here = Prior(catalogue, tables, ("rheumatoid arthritis",)).evidence("hsa-let-7a-5p")
    elsewhere = Prior(catalogue, tables).evidence("hsa-let-7a-5p")
    assert here == pytest.approx(elsewhere + 0.5)
    nothing = Prior(Catalogue(()), Reanalysis((), ()))
    assert nothing.evidence("hsa-let-7a-5p") == 0
    with pytest.raises(InputError, match=r"nothing is known beforehand of any.*another species"):
        nothing.known(["hsa-let-7a-5p"] * 20)


def test_a_table_of_mice_is_refused_a_prior() -> None:
    mice = [f"mmu-miR-{i}-5p" for i in range(500, 600)]
    with pytest.raises(InputError, match="another species"):
        Prior(Catalogue.read(), Reanalysis.read()).known(mice)


class Oracle(Prior):
    """Knows the true markers of the simulated cohort."""

    def known(self, molecules: Sequence[str]) -> NDArray[np.bool_]:
        truth = set(MADE.truth["molecule"])
        return np.array([name in truth for name in molecules])


@pytest.mark.slow
def test_a_right_prior_finds_no_fewer_and_says_how_it_weighed() -> None:
    plain = discover(MADE.cohort, panel=False)
    told = discover(MADE.cohort, prior=Oracle(Catalogue(()), Reanalysis((), ())), panel=False)
    truth = set(MADE.truth["molecule"])
    assert len(truth & set(told.markers)) >= len(truth & set(plain.markers))
    assert "Tests were weighed by claims and public tables" in " ".join(told.in_words())
    assert told.everything()["weight"].max() > 1
    assert plain.everything()["weight"].unique().tolist() == [1.0]
