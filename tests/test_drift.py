from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2

from cohorts import FAST
from exoclassify.lifecycle.fit import fit
from exoclassify.methods.conformal import conformal_p
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.trained_on import SHARES
from exoclassify.monitoring.bins import BINS
from exoclassify.monitoring.drift import count_bins, discoveries, input_drift, martingale, smoothed_p
from exoclassify.monitoring.tallies import Incoming
from exoclassify.simulation.design import SimulationDesign
from exoclassify.simulation.simulate import simulate

COHORT = simulate(SimulationDesign(seed=1, n_samples=400, n_molecules=80, n_batches=1)).cohort
SUBJECTS = np.unique(COHORT.groups)


def trained(seed: int) -> tuple[ModelBundle, NDArray[np.float64]]:
    """A model of a quarter of the persons, and 100 samples of others, one each."""
    rng = np.random.default_rng(seed)
    subjects = rng.permutation(SUBJECTS)
    quarter = len(subjects) // 4
    model = fit(COHORT.take(np.isin(COHORT.groups, subjects[:quarter])), FAST, judge=False)
    rows = [int(np.flatnonzero(COHORT.groups == subject)[0]) for subject in subjects[quarter : quarter + 100]]
    return model, model.panel.values(COHORT.take(np.array(rows)).cargo)


MODEL, NEW = trained(0)


# Neither the most abundant ones, which would move all others' shares, nor the scarcest.
MIDDLE = np.argsort(MODEL.blend.novelty.mean)[len(MODEL.panel.molecules) // 2 :][:10]


def shifted(X: NDArray[np.float64], sds: float) -> NDArray[np.float64]:
    X = X.copy()
    X[:, MIDDLE] = np.round(X[:, MIDDLE] * np.exp2(sds * MODEL.blend.novelty.scale[MIDDLE]))
    return X


def test_there_are_as_many_bins_as_a_model_remembers() -> None:
    assert len(SHARES) - 1 == BINS


def test_every_sample_is_counted_once_for_every_molecule() -> None:
    counts = count_bins(MODEL, NEW)
    assert counts.shape == (len(MODEL.panel.molecules), 20)
    assert (counts.sum(axis=1) == len(NEW)).all()


def test_counts_of_parts_add_up() -> None:
    assert (count_bins(MODEL, NEW[:40]) + count_bins(MODEL, NEW[40:]) == count_bins(MODEL, NEW)).all()


def test_the_training_samples_themselves_have_not_moved() -> None:
    rng = np.random.default_rng(0)
    subjects = rng.permutation(SUBJECTS)[: len(SUBJECTS) // 4]
    own = COHORT.take(np.isin(COHORT.groups, subjects))
    drift = input_drift(MODEL, count_bins(MODEL, MODEL.panel.values(own.cargo)))
    assert np.nanmax(drift.psi) < 0.1
    assert drift.ks.max() < 0.08


@pytest.mark.slow
def test_without_drift_molecules_are_found_no_more_often_than_stated() -> None:
    """30 trainings: at a rate of 0.05 seven alarms or more would come by chance one time in 1000."""
    alarms, small = 0, []
    for seed in range(30):
        model, X = trained(seed)
        p = input_drift(model, count_bins(model, X)).p
        alarms += bool(discoveries(p, 0.05).any())
        small.append(np.nanmean(p < 0.05))
    assert alarms < 7
    assert np.mean(small) < 0.06


def test_a_shift_of_ten_molecules_by_one_sd_is_found_within_sixty_samples() -> None:
    drift = input_drift(MODEL, count_bins(MODEL, shifted(NEW[:60], 1.0)))
    found = np.flatnonzero(discoveries(drift.p, 0.05))
    assert np.isin(found, MIDDLE).sum() >= 3
    assert (~np.isin(found, MIDDLE)).sum() <= 2
    assert (drift.direction[np.intersect1d(found, MIDDLE)] > 0).all()


def test_the_stability_index_is_held_against_what_chance_gives() -> None:
    few = input_drift(MODEL, count_bins(MODEL, NEW[:20]))
    many = input_drift(MODEL, count_bins(MODEL, NEW))
    assert np.nanmean(few.psi) > 0.12  # a fixed threshold of 0.1 would cry
    assert np.nanmean(few.psi) < 1.6 * few.psi_expected.mean()
    assert np.nanmean(many.psi) < 1.6 * many.psi_expected.mean()


def test_a_molecule_that_did_not_vary_tells_nothing() -> None:
    assert MODEL.trained_on is not None
    flat = MODEL.trained_on.log.copy()
    flat[0] = 1.0
    model = replace(MODEL, trained_on=replace(MODEL.trained_on, log=flat))
    drift = input_drift(model, count_bins(model, NEW))
    assert np.isnan(drift.p[0])
    assert not np.isnan(drift.p[1])


def test_discoveries_are_those_of_benjamini_and_hochberg_by_hand() -> None:
    p = np.array([0.9, 0.012, 0.04, 0.001, np.nan, 0.02])
    # Sorted: .001 .012 .02 .04 .9 against .01 .02 .03 .04 .05.
    assert discoveries(p, 0.05).tolist() == [False, True, True, True, False, True]
    assert not discoveries(np.array([np.nan]), 0.05).any()


def test_the_capital_is_the_mixture_of_all_bets() -> None:
    p = np.random.default_rng(0).random(20)
    e = np.linspace(0, 1, 200_001)[1:]
    by_hand = np.log(np.trapezoid(np.exp(len(p) * np.log(e) + (e - 1) * np.log(p).sum()), e))
    assert martingale(p)[-1] == pytest.approx(by_hand, abs=1e-6)


@pytest.mark.parametrize("n_reference", [20, 60])
def test_without_drift_the_capital_rarely_passes_its_limit_whatever_the_reference(n_reference: int) -> None:
    """Against one fixed reference, 400 streams of 300 samples; without the urn the reference's own luck would alarm."""
    alarms = plain = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        reference = np.sort(rng.normal(size=n_reference))
        novelty = conformal_p(reference, rng.normal(size=300))
        alarms += martingale(smoothed_p(novelty, n_reference)).max() >= np.log(100)
        plain += martingale(novelty - 0.5 / (n_reference + 1)).max() >= np.log(100)
    assert alarms <= 10  # 4 expected at most; more than 10 would come one time in 500
    assert plain > 3 * alarms


def test_samples_that_become_stranger_are_noticed_soon() -> None:
    rng = np.random.default_rng(0)
    reference = np.sort(rng.normal(size=60))
    stream = np.concatenate([rng.normal(size=20), rng.normal(2, 1, 60)])
    log = martingale(smoothed_p(conformal_p(reference, stream), 60))
    assert log[:20].max() < np.log(100)
    assert log[:70].max() >= np.log(100)


def test_p_values_after_the_urn_are_uniform() -> None:
    rng = np.random.default_rng(0)
    p = np.concatenate(
        [smoothed_p(conformal_p(np.sort(rng.normal(size=30)), rng.normal(size=50)), 30, seed) for seed in range(200)]
    )
    shares = np.histogram(p, bins=10, range=(0, 1))[0] / len(p)
    assert np.abs(shares - 0.1).max() < 0.012


def test_of_many_samples_each_has_the_same_chance_to_be_counted() -> None:
    rng, incoming = np.random.default_rng(0), Incoming()
    hits = np.zeros(1500)
    for _ in range(200):
        X = np.zeros((1500, len(MODEL.panel.molecules)))
        X[:, 0] = np.arange(1500)
        for part in np.split(X, np.sort(rng.choice(1500, 20, replace=False))):
            incoming.add(MODEL, part)
        ((model, drawn),) = incoming.take()
        assert model is MODEL
        assert len(set(drawn[:, 0])) == len(drawn) == 256
        hits[drawn[:, 0].astype(int)] += 1
    expected, share = 200 * 256 / 1500, 256 / 1500
    assert chi2.sf(((hits - expected) ** 2).sum() / (expected * (1 - share)), 1499) > 1e-4
    assert abs(hits[-100:].mean() / expected - 1) < 0.1


def test_few_samples_are_all_counted() -> None:
    incoming = Incoming()
    incoming.add(MODEL, NEW[:30])
    incoming.add(MODEL, NEW[30:50])
    ((_, drawn),) = incoming.take()
    np.testing.assert_array_equal(drawn, NEW[:50])
    assert incoming.take() == []
