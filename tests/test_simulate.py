"""The simulated cohort: what was asked for, the same each time, hard but not hopeless."""

import time

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from exoclassify.errors import DesignError, FileError
from exoclassify.methods.transformers import LogCPM, PrevalenceFilter
from exoclassify.simulation.names import mirna_names
from exoclassify.simulation.simulate import SimulatedCohort, SimulationDesign, simulate

EVERY_LAYER = ("mirna", "ct", "protein")


@pytest.fixture(scope="module")
def default() -> SimulatedCohort:
    return simulate(SimulationDesign(seed=7))


@pytest.fixture(scope="module")
def layered() -> SimulatedCohort:
    return simulate(SimulationDesign(seed=7, layers=EVERY_LAYER))


def auc(design: SimulationDesign) -> float:
    """Macro one-vs-rest AUC of logistic regression on log-CPM, folds grouped by subject."""
    made = simulate(design)
    frame = made.sheet.frame
    model = make_pipeline(PrevalenceFilter(), LogCPM(), StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    chances = cross_val_predict(
        model, made.layers["mirna"].values, frame["label"], groups=frame["subject"], cv=folds, method="predict_proba"
    )
    return float(roc_auc_score(frame["label"], chances, multi_class="ovr", average="macro"))


def test_the_default_cohort_is_what_its_design_says(default):
    table, frame = default.layers["mirna"], default.sheet.frame
    assert list(default.layers) == ["mirna"]
    assert table.values.shape == (120, 400)
    assert (table.kind, table.unit) == ("mirna", "counts")
    assert table.sample_ids[0] == "SIM-0001"
    assert list(frame.index) == list(table.sample_ids)
    assert frame["label"].value_counts().to_dict() == pytest.approx(dict.fromkeys(default.design.states, 40), abs=4)
    assert frame["batch"].value_counts().to_dict() == pytest.approx({"B1": 60, "B2": 60}, abs=6)
    assert default.cohort.simulated


def test_a_quarter_of_the_subjects_comes_twice_with_one_state_and_one_batch(default):
    subjects = default.sheet.frame.groupby("subject")
    assert subjects.size().value_counts().to_dict() == {1: 72, 2: 24}
    assert (subjects[["label", "batch"]].nunique() == 1).all().all()


def test_the_truth_names_the_markers_of_each_state_but_the_first(default):
    truth = default.truth
    assert list(truth.columns) == ["molecule", "state", "effect"]
    assert truth["state"].value_counts().to_dict() == {"neuropathic": 12, "inflammatory": 12}
    assert truth["molecule"].is_unique
    assert set(truth["molecule"]) <= set(default.layers["mirna"].molecules)
    assert truth["effect"].abs().between(0.5, 1.5).all()


def test_the_markers_move_as_the_truth_says():
    made = simulate(SimulationDesign(seed=3, n_samples=600, batch_effect=0.0, repeats=0.0))
    table, label = made.layers["mirna"], made.sheet.frame["label"].to_numpy()
    logs = LogCPM().fit_transform(table.values)
    column = {molecule: j for j, molecule in enumerate(table.molecules)}
    found = [
        logs[label == row.state, column[row.molecule]].mean() - logs[label == "control", column[row.molecule]].mean()
        for row in made.truth.itertuples()
    ]
    assert np.corrcoef(found, made.truth["effect"])[0, 1] > 0.95


def test_counts_look_like_exosome_counts(default):
    values = default.layers["mirna"].values
    depth = values.sum(axis=1)
    common = (values > 0).mean(axis=0) >= 0.2
    assert (values == np.round(values)).all()
    assert 5e5 < np.median(depth) < 2e6
    assert 0.5 < np.log(depth).std() < 1.0
    assert 0.2 < (values[:, common] == 0).mean() < 0.45


def test_molecules_move_together(default):
    logs = LogCPM().fit_transform(default.layers["mirna"].values)
    abundant = logs[:, np.argsort(-logs.mean(axis=0))[:100]]
    spectrum = np.linalg.eigvalsh(np.corrcoef(abundant.T))[::-1]
    assert spectrum[:8].sum() / spectrum.sum() > 0.45


def test_the_same_design_gives_the_same_bits_and_another_seed_does_not():
    design = SimulationDesign(seed=11, n_samples=24, layers=EVERY_LAYER)
    first, again, other = (simulate(design), simulate(design), simulate(SimulationDesign(seed=12, n_samples=24)))
    for name in EVERY_LAYER:
        assert first.layers[name].values.tobytes() == again.layers[name].values.tobytes()
        assert first.layers[name].sample_ids == again.layers[name].sample_ids
    pd.testing.assert_frame_equal(first.sheet.frame, again.sheet.frame)
    pd.testing.assert_frame_equal(first.truth, again.truth)
    assert first.layers["mirna"].values.tobytes() != other.layers["mirna"].values.tobytes()


def test_a_further_layer_leaves_the_counts_as_they_were(default, layered):
    assert default.layers["mirna"].values.tobytes() == layered.layers["mirna"].values.tobytes()
    pd.testing.assert_frame_equal(default.sheet.frame, layered.sheet.frame)


def test_further_layers_share_the_people_and_lack_a_tenth_of_the_samples(layered):
    assert layered.layers["mirna"].n_samples == 120
    for name in ("ct", "protein"):
        ids = layered.layers[name].sample_ids
        assert len(ids) == 108
        assert set(ids) < set(layered.sheet.frame.index)
    assert set(layered.layers["ct"].sample_ids) != set(layered.layers["protein"].sample_ids)


def test_cycles_fall_as_counts_rise_and_stop_at_forty(layered):
    table = layered.layers["ct"]
    assert (table.kind, table.unit, table.not_detected) == ("mirna", "ct", 40.0)
    assert table.values.shape == (108, 96)
    assert table.values.max() == 40.0
    assert 0.005 < (table.values == 40.0).mean() < 0.3
    assert set(layered.truth["molecule"][:24]) <= set(table.molecules)
    counted = layered.layers["mirna"].to_frame().loc[list(table.sample_ids), list(table.molecules)]
    per_million = np.log2(counted.to_numpy().mean(axis=0))
    assert np.corrcoef(per_million, table.values.mean(axis=0))[0, 1] < -0.9


def test_intensities_go_missing_more_often_where_they_are_low(layered):
    table = layered.layers["protein"]
    assert (table.kind, table.unit) == ("protein", "intensity")
    missing = np.isnan(table.values).mean(axis=0)
    order = np.argsort(np.nanmedian(np.where(missing < 1, table.values, 1.0), axis=0))
    assert 0.15 < np.isnan(table.values).mean() < 0.35
    assert missing[order[:50]].mean() > 0.5
    assert missing[order[-50:]].mean() < 0.05


def test_batches_follow_the_states_when_confounded():
    frame = simulate(SimulationDesign(seed=1, states=("a", "b"), confounded=1.0)).sheet.frame
    assert set(zip(frame["label"], frame["batch"], strict=True)) == {("a", "B1"), ("b", "B2")}
    frame = simulate(SimulationDesign(seed=1, states=("a", "b"), confounded=0.5)).sheet.frame
    assert 0.6 < (frame["label"].map({"a": "B1", "b": "B2"}) == frame["batch"]).mean() < 0.9


def test_the_default_is_hard_and_not_hopeless():
    # 0.88 over 20 seeds, 0.78 to 0.92.
    assert 0.83 < np.mean([auc(SimulationDesign(seed=seed)) for seed in range(4)]) < 0.94


def test_without_effect_the_labels_are_noise():
    assert 0.4 < np.mean([auc(SimulationDesign(seed=seed, effect=0.0)) for seed in range(4)]) < 0.6


def test_every_layer_takes_less_than_a_second():
    start = time.thread_time()
    simulate(SimulationDesign(seed=7, layers=EVERY_LAYER))
    assert time.thread_time() - start < 1.0


def test_names_are_distinct_however_many():
    names = mirna_names(3000)
    assert len(set(names)) == 3000
    assert names[0] == "hsa-let-7a-5p"


def test_a_small_design_and_one_without_markers_or_repeats_work():
    made = simulate(SimulationDesign(seed=0, n_samples=12, n_molecules=2, n_markers=0, repeats=0.0, n_batches=1))
    assert made.truth.empty
    assert made.sheet.frame["subject"].is_unique
    assert simulate(SimulationDesign(seed=0, n_samples=13, repeats=1.0)).sheet.frame["subject"].nunique() == 7


def test_the_files_hold_what_was_simulated(tmp_path, layered):
    written = layered.write(tmp_path / "cohort")
    assert sorted(path.name for path in written) == ["cargo.csv", "ct.csv", "protein.csv", "samples.csv", "truth.csv"]
    cargo = pd.read_csv(tmp_path / "cohort" / "cargo.csv", index_col="sample_id")
    np.testing.assert_array_equal(cargo.to_numpy(), layered.layers["mirna"].values)
    samples = pd.read_csv(tmp_path / "cohort" / "samples.csv")
    assert list(samples.columns) == ["sample_id", "subject", "batch", "label"]
    protein = pd.read_csv(tmp_path / "cohort" / "protein.csv", index_col="sample_id")
    np.testing.assert_array_equal(protein.to_numpy(), layered.layers["protein"].values)
    truth = pd.read_csv(tmp_path / "cohort" / "truth.csv")
    assert list(truth.columns) == ["molecule", "state", "effect"]


def test_a_file_already_there_is_kept_unless_forced(tmp_path, default):
    (tmp_path / "truth.csv").write_text("mine")
    with pytest.raises(FileError, match=r"1 files are there already \(truth\.csv\); use --force"):
        default.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["truth.csv"]
    default.write(tmp_path, force=True)
    assert (tmp_path / "truth.csv").read_text().startswith("molecule,state,effect")
    assert (tmp_path / "cargo.csv").read_text().splitlines()[1].count(".") == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seed": -1}, "seed is -1; it must be 0 or more"),
        ({"effect": float("nan")}, r"effect is nan; it must be from 0\.0 to 10\.0"),
        ({"batch_effect": -0.5}, r"batch_effect is -0\.5; it must be from"),
        ({"confounded": 1.5}, r"confounded is 1\.5; it must be from 0\.0 to 1\.0"),
        ({"repeats": 2.0}, r"repeats is 2\.0"),
        ({"n_batches": 0}, "n_batches is 0; it must be 1 or more"),
        ({"n_markers": -1}, "n_markers is -1"),
        ({"n_markers": 49}, "n_markers is 49, 98 in all; at most 96 fit"),
        ({"n_samples": 11}, "n_samples is 11; 3 states need at least 12"),
        ({"n_molecules": 23}, "n_molecules is 23; at least 24 are needed"),
        ({"states": ("pain",)}, "two or more names are needed"),
        ({"states": ("pain", " ")}, "none blank"),
        ({"states": ("pain", "pain")}, "states holds one twice: pain, pain"),
        ({"layers": ()}, "layers holds nothing; there are mirna, ct, protein"),
        ({"layers": ("mirna", "lipid")}, "layers holds lipid"),
        ({"layers": ("ct", "ct")}, "layers holds one twice"),
    ],
)
def test_a_design_out_of_range_is_refused(values, message):
    with pytest.raises(DesignError, match=message):
        SimulationDesign(**{"seed": 7, **values})
