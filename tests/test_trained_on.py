from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cohorts import FAST
from exoclassify.errors import ModelError
from exoclassify.lifecycle.fit import fit
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.trained_on import SHARES, TrainedOn
from exoclassify.simulation.design import SimulationDesign
from exoclassify.simulation.simulate import simulate

COHORT = simulate(SimulationDesign(seed=3, n_samples=120, n_molecules=200)).cohort
FIRST = COHORT.take(np.arange(80))
BUNDLE = fit(FIRST, FAST, judge=False)


def recognised(X: np.ndarray, ids: list[str], subjects: list[str] | None = None) -> dict[str, np.ndarray]:
    assert BUNDLE.trained_on is not None
    key = BUNDLE.about.training.data_sha256
    return BUNDLE.trained_on.recognised(BUNDLE.blend, BUNDLE.panel.molecules, X, ids, subjects, key)


def test_training_samples_are_known_by_id_subject_and_cargo() -> None:
    X = BUNDLE.panel.values(FIRST.cargo)
    found = recognised(X, list(FIRST.sheet.sample_ids), FIRST.groups.tolist())
    assert {way: known.all() for way, known in found.items()} == {
        "sample id": True, "subject": True, "near-duplicate cargo": True,
    }  # fmt: skip


def test_other_people_are_not_known() -> None:
    other = COHORT.take(~np.isin(COHORT.groups, FIRST.groups))
    assert other.n_samples > 10
    found = recognised(BUNDLE.panel.values(other.cargo), list(other.sheet.sample_ids), other.groups.tolist())
    assert {way: int(known.sum()) for way, known in found.items()} == {
        "sample id": 0, "subject": 0, "near-duplicate cargo": 0,
    }  # fmt: skip


def test_the_same_cargo_under_another_id_and_depth_is_known() -> None:
    rng = np.random.default_rng(0)
    X = rng.poisson(BUNDLE.panel.values(FIRST.cargo) * 0.8).astype(float)
    found = recognised(X, [f"new-{i}" for i in range(len(X))])
    assert not found["sample id"].any()
    assert "subject" not in found
    assert found["near-duplicate cargo"].mean() > 0.95


def test_quantiles_are_those_of_the_training_samples() -> None:
    assert BUNDLE.trained_on is not None
    log = BUNDLE.blend.views.log(BUNDLE.panel.values(FIRST.cargo))
    middle = int(np.flatnonzero(SHARES == 0.5)[0])
    np.testing.assert_allclose(BUNDLE.trained_on.log[:, middle], np.median(log, axis=0), rtol=1e-6)


def test_it_is_kept_with_the_model_and_a_model_without_it_is_read(tmp_path: Path) -> None:
    BUNDLE.save(tmp_path / "with")
    again = ModelBundle.load(tmp_path / "with", verify=True)
    assert again.trained_on is not None
    assert (again.trained_on.sketches == BUNDLE.trained_on.sketches).all()  # type: ignore[union-attr]
    replace(BUNDLE, trained_on=None).save(tmp_path / "without")
    assert ModelBundle.load(tmp_path / "without").trained_on is None


def test_an_incomplete_memory_is_refused() -> None:
    with pytest.raises(ModelError, match="what is kept of the training samples is incomplete"):
        TrainedOn.read({"trained_on.samples": np.zeros(3)})


def test_ids_are_not_written_in_the_clear(tmp_path: Path) -> None:
    BUNDLE.save(tmp_path / "M")
    content = b"".join(path.read_bytes() for path in (tmp_path / "M").iterdir())
    assert not any(name.encode() in content for name in FIRST.sheet.sample_ids)
