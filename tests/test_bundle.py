import dataclasses
import json
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from cohorts import EVERY_VOICE, FAST, cohort_of, counts
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.errors import DesignError, FileError, InputError, ModelError, RecipeError
from exoclassify.lifecycle.fit import fit
from exoclassify.model.answers import REASONS
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.folder import fill_folder, read_folder
from exoclassify.model.panel import Panel
from exoclassify.model.prediction import Use
from exoclassify.simulation.design import SimulationDesign
from exoclassify.simulation.simulate import simulate

COHORT = simulate(SimulationDesign(seed=3, n_samples=90, n_molecules=80)).cohort
BUNDLE = fit(COHORT, EVERY_VOICE, judge=False, name="pain")
TABLE = COHORT.cargo


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    BUNDLE.save(tmp_path / "MODEL")
    return tmp_path / "MODEL"


def test_a_model_read_again_answers_the_same(saved: Path) -> None:
    again = ModelBundle.load(saved, verify=True)
    pd.testing.assert_frame_equal(again.predict(TABLE).to_frame(), BUNDLE.predict(TABLE).to_frame())
    assert again.about == BUNDLE.about
    assert again.card == BUNDLE.card


def test_the_columns_of_an_answer_are_these() -> None:
    assert list(BUNDLE.predict(TABLE).to_frame()) == [
        "sample_id", "call", "best_guess", "p_best_guess", "p_control", "p_inflammatory", "p_neuropathic", "prediction_set",
        "novelty_p", "coverage", "flags", "reason", "place", "model", "version",
    ]  # fmt: skip


def test_probabilities_are_probabilities() -> None:
    p = BUNDLE.predict(TABLE).probabilities
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (p > 0).all()


def test_one_sample_by_names_gets_the_answer_of_the_table() -> None:
    together = BUNDLE.predict(TABLE)
    for i in (0, 17, 42):
        named = dict(zip(TABLE.molecules, TABLE.values[i], strict=True))
        turned = {name.replace("miR", "mir").replace("-5p", "_5p"): named[name] for name in reversed(TABLE.molecules)}
        for cargo in (named, turned):
            alone = BUNDLE.predict_one(cargo, sample_id=TABLE.sample_ids[i])
            assert (alone.probabilities[0] == together.probabilities[i]).all()
            assert alone.calls[0] == together.calls[i]
            assert alone.flags[0] == together.flags[i]


def test_a_name_given_twice_is_refused() -> None:
    name = BUNDLE.panel.molecules[0]
    with pytest.raises(InputError, match="are both"):
        BUNDLE.predict_one({name: 3.0, name.upper(): 4.0})


@pytest.mark.parametrize(
    ("value", "message"), [(2.5, "not whole"), (-1.0, "negative"), (np.inf, "infinite"), ("many", "a number")]
)
def test_a_value_that_is_no_count_is_refused(value: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        BUNDLE.predict_one({BUNDLE.panel.molecules[0]: value})  # type: ignore[dict-item]


def test_the_order_of_rows_and_columns_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    rows, columns = rng.permutation(TABLE.n_samples), rng.permutation(TABLE.n_molecules)
    frame = TABLE.to_frame().iloc[rows, columns]
    turned = BUNDLE.predict(CargoTable.from_frame(frame, kind="mirna", unit="counts"))
    assert (turned.probabilities == BUNDLE.predict(TABLE).probabilities[rows]).all()


def test_a_table_of_another_unit_is_refused() -> None:
    logs = CargoTable.from_frame(np.log2(TABLE.to_frame() + 1), kind="mirna", unit="log2_intensity")
    with pytest.raises(ModelError, match="its unit is log2_intensity, and this model was trained on counts"):
        BUNDLE.predict(logs)


def test_a_table_that_lacks_too_much_of_the_panel_is_refused() -> None:
    lacking = set(BUNDLE.panel.molecules[:30])
    frame = TABLE.to_frame().drop(columns=list(lacking))
    with pytest.raises(
        ModelError, match=r"30 of the \d+ molecules of the model's panel are missing .*coverage is at most"
    ):
        BUNDLE.predict(CargoTable.from_frame(frame, kind="mirna", unit="counts"))


def test_a_sample_with_little_measured_is_uncertain_and_says_why() -> None:
    values = TABLE.to_frame().astype(float)
    values.iloc[0, : len(values.columns) // 2] = np.nan
    values.iloc[1] = np.nan
    found = BUNDLE.predict(CargoTable.from_frame(values, kind="mirna", unit="counts"))
    assert found.calls[:2] == ("uncertain", "uncertain")
    assert "low-coverage" in found.flags[0]
    assert found.coverage[1] == 0
    assert found.sets[1].all()  # where nothing was measured, no state is excluded
    assert np.isfinite(found.probabilities).all()


def test_a_sample_unlike_all_others_is_novel() -> None:
    rng = np.random.default_rng(0)
    noise = pd.DataFrame(
        rng.poisson(200, (5, TABLE.n_molecules)).astype(float), columns=list(TABLE.molecules), index=list("abcde")
    )
    found = BUNDLE.predict(CargoTable.from_frame(noise, kind="mirna", unit="counts"))
    assert all("novel" in flags for flags in found.flags)
    assert set(found.calls) == {"uncertain"}


@pytest.mark.parametrize("use", [Use(), Use(same_batch=True), Use(batch="B1")], ids=lambda use: repr(use.batch))
def test_a_stated_prevalence_shifts_the_log_odds_at_every_offset_and_nothing_else(use: Use) -> None:
    """By hand: softmax of log-odds + log share at each node, their mean, drawn to the stated mix as far as said."""
    plain = BUNDLE.predict(TABLE, use)
    shifted = BUNDLE.predict(TABLE, replace(use, prevalence={"neuropathic": 0.05}))
    assert (plain.sets == shifted.sets).all()
    training = dict(zip(BUNDLE.states, BUNDLE.blend.prevalence, strict=True))
    rest = {state: share * 0.95 / (1 - training["neuropathic"]) for state, share in training.items()}
    stated = np.array([0.05 if state == "neuropathic" else rest[state] for state in BUNDLE.states])
    place, _ = BUNDLE.blend.place(use)
    head = BUNDLE.blend.calibration.heads[place.head]
    log_odds = BUNDLE.blend.evaluate(BUNDLE.panel.values(TABLE))[0][place.head]
    moved = log_odds[:, None, :] - place.nodes @ head.means.T + np.log(stated)
    by_hand = softmax(moved, axis=2).mean(axis=1)
    drawn = np.where(["novel" in flags for flags in shifted.flags], max(0.5, place.untested), place.untested)
    by_hand = (1 - drawn[:, None]) * by_hand + drawn[:, None] * stated
    np.testing.assert_allclose(shifted.probabilities, by_hand, rtol=1e-6)


def test_the_state_called_is_the_most_probable_at_the_stated_prevalence() -> None:
    found = BUNDLE.predict(TABLE, Use(batch="B1", prevalence={"neuropathic": 0.001, "inflammatory": 0.001}))
    assert found.calls.count("control") > 10
    for call, guess, p in zip(found.calls, found.best_guesses, found.probabilities, strict=True):
        assert guess == found.states[p.argmax()]
        assert call in ("uncertain", guess)


def test_every_uncertain_answer_says_what_would_settle_it_and_no_call_does() -> None:
    found = BUNDLE.predict(TABLE)
    assert 0 < found.calls.count("uncertain") < TABLE.n_samples
    for call, flags, reason in zip(found.calls, found.flags, found.reasons, strict=True):
        assert bool(flags) == bool(reason) == (call == "uncertain")
        assert all(REASONS[flag] in reason for flag in flags)


def test_more_errors_allowed_make_more_calls_and_none_fewer() -> None:
    called = [
        np.array(BUNDLE.predict(TABLE, Use(max_wrong=share)).calls) != "uncertain" for share in (0.01, 0.05, 0.2, 0.5)
    ]
    for fewer, more in pairwise(called):
        assert not (fewer & ~more).any()
    assert called[0].sum() < called[-1].sum()


def test_a_call_is_made_from_the_probability_on_that_its_place_names() -> None:
    found = BUNDLE.predict(TABLE, Use(batch="B1", max_wrong=0.04))
    limit = BUNDLE.blend.calibration.known[0].call_from(0.04)
    for call, flags, p in zip(found.calls, found.flags, found.probabilities.max(axis=1), strict=True):
        assert ("unsure" in flags) == (p < limit)
        assert (call == "uncertain") == bool(flags)


def test_a_higher_level_makes_larger_sets() -> None:
    sizes = [BUNDLE.predict(TABLE, Use(level=level)).sets for level in (0.6, 0.8, 0.9, 0.95)]
    for smaller, larger in pairwise(sizes):
        assert not (smaller & ~larger).any()
    assert sizes[0].sum() < sizes[-1].sum()
    assert (BUNDLE.predict(TABLE).sets == sizes[2]).all()


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (Use(max_wrong=0.0), r"max-wrong: 0; give a share from 0\.01 to 0\.5, such as 0\.05"),
        (Use(max_wrong=0.6), "max-wrong: 0.6"),
        (Use(level=1.0), r"level: 1; give a share above 0\.5 and below 1, such as 0\.9"),
        (Use(level=float("nan")), "level: nan"),
        (Use(batch="B1", same_batch=True), "batch and same-batch: say one of them"),
        (Use(batch="B1", site="x"), "batch and site: say one of them"),
        (Use(site="clinic-b"), "site clinic-b: this model does not know it .* recalibrate NAME --site clinic-b"),
    ],
)
def test_what_cannot_be_asked_is_refused(use: Use, message: str) -> None:
    with pytest.raises(InputError, match=message):
        BUNDLE.predict(TABLE, use)


def test_an_answer_says_which_place_it_is_for() -> None:
    assert set(BUNDLE.predict(TABLE).places) == {"unknown batch"}
    assert set(BUNDLE.predict(TABLE, Use(batch="B9")).places) == {"unknown batch"}
    assert set(BUNDLE.predict(TABLE, Use(batch="B2")).places) == {"batch B2"}
    assert set(BUNDLE.predict(TABLE, Use(same_batch=True)).places) == {"a training batch"}
    each = BUNDLE.predict(TABLE, batches=[("B1", "B9", "B2")[i % 3] for i in range(TABLE.n_samples)])
    assert each.places[:4] == ("batch B1", "unknown batch", "batch B2", "batch B1")


def test_each_sample_of_a_batch_of_its_own_is_answered_as_by_the_name_of_its_batch() -> None:
    names = [("B1", "B9", "B2")[i % 3] for i in range(TABLE.n_samples)]
    mixed = BUNDLE.predict(TABLE, batches=names).to_frame()
    for name in ("B1", "B9", "B2"):
        rows = [i for i, mine in enumerate(names) if mine == name]
        alone = BUNDLE.predict(TABLE, Use(batch=name)).to_frame()
        pd.testing.assert_frame_equal(mixed.iloc[rows], alone.iloc[rows], check_exact=True)


@pytest.mark.parametrize(
    ("prevalence", "message"),
    [
        ({"migraine": 0.1}, "migraine is not a state of this model; its states are control, inflammatory, neuropathic"),
        ({"neuropathic": 1.2}, "neuropathic=1.2; give a share above 0 and below 1"),
        ({"neuropathic": 0.6, "inflammatory": 0.6}, "add up to 1.2; leave something"),
        ({"neuropathic": 0.2, "inflammatory": 0.2, "control": 0.2}, "add up to 0.6; they must add up to 1"),
    ],
)
def test_a_prevalence_that_cannot_be_is_refused(prevalence: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        BUNDLE.predict(TABLE, Use(prevalence=prevalence))


def test_a_model_of_one_batch_calls_nothing_unless_the_batch_is_known() -> None:
    sheet = COHORT.sheet
    blind = Cohort.from_layers(COHORT.layers, type(sheet)(sheet.frame, sheet.label_column, sheet.subject_column, None))
    bundle = fit(blind, FAST, judge=False)
    assert set(bundle.predict(TABLE).calls) == {"uncertain"}
    assert all("one-batch" in flags for flags in bundle.predict(TABLE).flags)
    assert len(set(bundle.predict(TABLE, Use(same_batch=True)).calls)) > 1


def test_of_a_batch_that_could_not_be_tested_half_of_the_answer_is_the_mix_and_nothing_is_called() -> None:
    bundle = fit(COHORT.take(COHORT.batches == "B1"), FAST, judge=False)
    known, new = bundle.predict(TABLE, Use(same_batch=True)), bundle.predict(TABLE)
    assert (new.probabilities >= bundle.blend.prevalence / 2 - 1e-12).all()
    assert known.probabilities.max() > 0.95
    assert set(new.calls) == {"uncertain"}
    assert all("one-batch" in flags for flags in new.flags)


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "jsonl"])
def test_answers_are_written_and_read_back(tmp_path: Path, ending: str) -> None:
    found = BUNDLE.predict(TABLE)
    path = tmp_path / f"p.{ending}"
    found.write(path)
    read = {
        "csv": pd.read_csv,
        "tsv": lambda p: pd.read_csv(p, sep="\t"),
        "parquet": pd.read_parquet,
        "jsonl": lambda p: pd.read_json(p, lines=True),
    }[ending](path)
    np.testing.assert_allclose(read["p_neuropathic"], found.to_frame()["p_neuropathic"], atol=1e-12)
    assert list(read["call"]) == list(found.calls)
    with pytest.raises(FileError, match="--force"):
        found.write(path)


def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"unknown ending .doc; use .csv"):
        BUNDLE.predict(TABLE).write(tmp_path / "p.doc")


@pytest.mark.parametrize("name", ["arrays.npz", "golden.csv", "README.md"])
def test_a_changed_file_is_refused_before_it_is_opened(saved: Path, name: str) -> None:
    content = bytearray((saved / name).read_bytes())
    content[len(content) // 2] ^= 1
    (saved / name).write_bytes(bytes(content))
    with pytest.raises(ModelError, match=f"{name} was changed after the model was saved"):
        ModelBundle.load(saved)


@pytest.mark.parametrize("name", ["arrays.npz", "golden.csv", "README.md"])
def test_a_missing_file_is_refused(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(ModelError, match=f"{name} cannot be read"):
        ModelBundle.load(saved)


@pytest.mark.parametrize("key", ["panel", "answers", "files", "version", "fitted"])
def test_a_changed_bundle_json_is_refused(saved: Path, key: str) -> None:
    described = json.loads((saved / "bundle.json").read_text())
    described[key] = {"arrays.npz": "0"} if key == "files" else "other"
    (saved / "bundle.json").write_text(json.dumps(described))
    with pytest.raises(ModelError, match=r"bundle\.json was changed"):
        ModelBundle.load(saved)


def test_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a model folder"):
        ModelBundle.load(tmp_path)
    (tmp_path / "bundle.json").write_text('{"a": 1}')
    with pytest.raises(ModelError, match="not that of an exoclassify model"):
        ModelBundle.load(tmp_path)
    (tmp_path / "bundle.json").write_text('{"a": ')
    with pytest.raises(ModelError, match="cannot be read"):
        ModelBundle.load(tmp_path)


def test_another_format_is_refused(saved: Path) -> None:
    described = json.loads((saved / "bundle.json").read_text())
    described["format"] = 99
    (saved / "bundle.json").write_text(json.dumps(described))
    with pytest.raises(ModelError, match="made in format 99, this version reads formats 1 and 2"):
        ModelBundle.load(saved)


def test_nothing_in_a_model_is_a_pickle(saved: Path) -> None:
    with np.load(saved / "arrays.npz", allow_pickle=False) as archive:
        assert all(archive[name].dtype != object for name in archive.files)
    assert sorted(path.name for path in saved.iterdir()) == [
        "README.md",
        "arrays.npz",
        "bundle.json",
        "golden.csv",
        "report.html",
    ]


def test_an_existing_model_is_replaced_only_when_asked(saved: Path) -> None:
    with pytest.raises(FileError, match="--force"):
        BUNDLE.save(saved)
    BUNDLE.save(saved, force=True)
    assert ModelBundle.load(saved).name == "pain"
    assert [path.name for path in saved.parent.iterdir()] == ["MODEL"]


def test_a_model_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.savez_compressed", full)
    with pytest.raises(FileError, match=r"No space left on device|disk is full"):
        BUNDLE.save(tmp_path / "MODEL")
    assert not list(tmp_path.iterdir())


def test_golden_profiles_are_nobody_s(saved: Path) -> None:
    golden = pd.read_csv(saved / "golden.csv")
    panel = TABLE.aligned(BUNDLE.panel.molecules)
    assert len(golden) == 20
    for profile in golden[list(BUNDLE.panel.molecules)].to_numpy():
        assert (panel == profile).mean(axis=1).max() < 0.9


def test_golden_answers_that_differ_are_refused_when_verified(saved: Path, tmp_path: Path) -> None:
    parts = read_folder(saved)
    golden = parts.golden.assign(p_control=parts.golden["p_control"].astype(float) + 1e-3)
    (tmp_path / "M").mkdir()
    fill_folder(tmp_path / "M", described=parts.described, arrays=parts.arrays, golden=golden, card=parts.card)
    ModelBundle.load(tmp_path / "M")
    with pytest.raises(ModelError, match="the golden profiles differ by up to"):
        ModelBundle.load(tmp_path / "M", verify=True)


def test_the_card_of_simulated_training_says_so_in_its_first_line() -> None:
    assert "simulated" in BUNDLE.card.splitlines()[0]
    assert "Not judged" in BUNDLE.card


@pytest.mark.slow
def test_a_judged_card_gives_the_figures() -> None:
    card = fit(COHORT, FAST, n_jobs=1).card
    assert "Not judged" not in card
    for words in ("**AUC 0.", "leaving out each batch", "calibration slope", "90% sets that hold neuropathic"):
        assert words in card


def test_three_against_three_are_refused() -> None:
    rows = np.concatenate([np.flatnonzero(COHORT.y == state)[:3] for state in ("control", "neuropathic")])
    with pytest.raises(DesignError, match=r"fewer than 5 in a state nothing can be concluded"):
        fit(COHORT.take(rows), FAST, judge=False)


def test_a_name_with_a_slash_is_refused() -> None:
    with pytest.raises(RecipeError, match="use letters, digits"):
        fit(COHORT, FAST, judge=False, name="../x")


@pytest.mark.slow
def test_the_same_training_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        fit(COHORT, EVERY_VOICE, judge=False).save(tmp_path / name)
    for file in ("arrays.npz", "golden.csv"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    shutil.rmtree(tmp_path / "a")


def test_a_library_that_failed_for_want_of_reads_counts_as_not_measured() -> None:
    deep = counts(n=30, p=40)
    deep = dataclasses.replace(deep, X=np.ceil(deep.X * 60_000 / deep.X.sum(axis=1, keepdims=True)) * 2)
    table = cohort_of(deep).cargo
    panel = Panel.fit(table, np.arange(20), 0.8)
    assert 0 < panel.fewest_reads < 50_000
    X = table.values[:, :20].copy()
    X[3] //= 100
    X[4, 0] = np.nan
    assert np.flatnonzero(panel.coverage(X) == 0).tolist() == [3]
    assert Panel.fit(cohort_of(counts(n=30, p=40)).cargo, np.arange(20), 0.8).fewest_reads == 0
