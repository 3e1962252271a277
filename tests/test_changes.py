"""Models that read a person's change: made alike in training and in answering, from two samples of that person alone."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from exoclassify.cli.main import app
from exoclassify.data.cargo import CargoTable
from exoclassify.data.changes import VisitTables, against_baseline, against_each_other, beside, of_response
from exoclassify.data.cohort import Cohort
from exoclassify.data.samples import SampleSheet
from exoclassify.data.visits import before_and_after
from exoclassify.errors import InputError, ModelError
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.course import followed
from exoclassify.model.retest import Retest
from exoclassify.scoring.stream import score_files
from exoclassify.simulation.simulate import SimulationDesign, simulate

pytestmark = pytest.mark.slow

MADE = simulate(
    SimulationDesign(
        4,
        180,
        ("control", "pain"),
        n_molecules=80,
        n_markers=8,
        effect=1.5,
        repeats=0.0,
        visits=2,
        responders=0.5,
        person_sd=0.8,
    )
)
RECIPE = """
[folds]
outer = 3
repeats = 1
inner = 3

[[voices]]
learner = "ridge"
view = "log"
"""
SHEET = pd.DataFrame(
    {"who": ["a", "a", "b", "b"], "when": ["before", "after"] * 2, "label": ["x", "x", "y", "y"]}, list("1234")
)


def table(unit: str, *rows: list[float]) -> CargoTable:
    molecules = tuple(f"M{i}" for i in range(len(rows[0])))
    return CargoTable(np.array(rows), tuple("1234")[: len(rows)], molecules, "other", unit)


def sheet(**columns: object) -> SampleSheet:
    return SampleSheet(SHEET.assign(**columns), "label", "who", source="samples.csv", time_column="when")


def test_a_change_is_a_log_ratio_less_that_of_the_usual_molecule() -> None:
    plan = VisitTables("baseline", ("before",), "other", "intensity", None)
    given = table("intensity", [1, 1, 1, 1, 1], [2, 4, 8, 16, 0], [1, 1, 1, 1, 1], [10, 10, 10, 40, 10])
    made = plan.tables(given, sheet())["other"]
    assert (made.sample_ids, made.unit) == (("2", "4"), "value")
    np.testing.assert_allclose(made.values, [[-1.5, -0.5, 0.5, 1.5, np.nan], [0, 0, 0, 2, 0]], atol=1e-12)


def test_depth_cancels_and_molecules_of_few_reads_say_nothing() -> None:
    plan = VisitTables("baseline", ("before",), "other", "counts", None)
    rows = [100.0, 200, 400, 5], [100.0, 800, 400, 9], [100.0, 200, 400, 5], [300.0, 2400, 1200, 27]
    one, three = plan.tables(table("counts", *rows), sheet())["other"].values
    np.testing.assert_allclose(one[:3], three[:3], atol=0.02)
    np.testing.assert_allclose(one[:3], [0, 2, 0], atol=0.02)
    assert np.isnan(one[3])
    assert not np.isnan(three[3])


def test_fewer_cycles_are_more_and_what_was_not_detected_is_not_known() -> None:
    plan = VisitTables("baseline", ("before",), "other", "ct", 40.0)
    given = table("ct", [30, 30, 30, 30], [30, 30, 28, 40], [30, 30, 30, 30], [31, 31, 31, 31])
    given = dataclasses.replace(given, not_detected=40.0)
    np.testing.assert_allclose(plan.tables(given, sheet())["other"].values, [[0, 0, 2, np.nan], [0, 0, 0, 0]])


@pytest.mark.parametrize("reads", ["baseline", "pair", "response"])
def test_no_other_person_has_a_say_in_a_change(reads: str) -> None:
    visits = ("V1",) if reads == "baseline" else ("V1", "V2")
    plan = VisitTables(reads, visits, "mirna", "counts", None)
    everyone = plan.tables(MADE.layers["mirna"], MADE.sheet)
    own = (MADE.sheet.frame["subject"] == "P0004").to_numpy()
    alone = plan.tables(MADE.layers["mirna"].take(own), MADE.sheet.take(own))
    for name, made in alone.items():
        np.testing.assert_array_equal(made.values, everyone[name].for_samples(made.sample_ids).values)


def test_the_two_of_a_pair_are_each_others_opposite() -> None:
    labelled = dataclasses.replace(MADE.sheet, label_column="visit", time_column=None)
    pairs, visits = before_and_after(Cohort.from_layers(MADE.layers, labelled))
    made = against_each_other(pairs, visits)
    order = np.lexsort((made.y, made.groups))
    np.testing.assert_array_equal(made.X[order[::2]], -made.X[order[1::2]])


def test_baselines_may_stand_in_a_table_of_their_own() -> None:
    plan = VisitTables("baseline", ("V1",), "mirna", "counts", None)
    made = plan.tables(MADE.layers["mirna"], MADE.sheet)["mirna"]
    frame = MADE.sheet.frame
    first = frame[frame["visit"] == "V1"].reset_index().set_index("subject")["sample_id"]
    base = MADE.layers["mirna"].for_samples([first[frame.loc[i, "subject"]] for i in made.sample_ids])
    base = dataclasses.replace(base, sample_ids=made.sample_ids, written=None)
    np.testing.assert_array_equal(beside(MADE.layers["mirna"].for_samples(made.sample_ids), base).values, made.values)
    with pytest.raises(
        InputError, match=r"1 of \d+ samples have no baseline \(SIM-.*\); give it under the id of its sample"
    ):
        beside(MADE.layers["mirna"].for_samples(made.sample_ids), base.take(np.arange(1, base.n_samples)))


def cohort(**columns: object) -> Cohort:
    given = table("intensity", [1.0, 2, 3], [1.0, 2, 3], [1.0, 2, 3], [1.0, 2, 3])
    return Cohort.from_layers({"other": given}, sheet(**columns))


def test_what_has_no_baseline_is_refused_or_left_out() -> None:
    with pytest.raises(InputError, match=r"samples\.csv, column when: there is no visit V1; it has before, after"):
        against_baseline(cohort(), "V1")
    with pytest.raises(InputError, match=r"a has 2 samples at visit before \(1, 2\); keep one of them"):
        against_baseline(cohort(when=["before", "before", "before", "after"]), "before")
    with pytest.raises(InputError, match="nobody has visit before and another; a change needs both"):
        against_baseline(cohort(who=list("abcd")), "before")
    made = against_baseline(cohort(who=["a", "a", "b", "c"]), "before")
    assert made.sheet.sample_ids == ("2",)
    assert "left out, for their person has no sample at visit before: 1 samples" in made.notes


def test_a_response_is_one_for_each_person() -> None:
    with pytest.raises(
        InputError, match=r"1 persons have another label at each visit \(a\); a response is one for each person"
    ):
        of_response(cohort(label=["x", "y", "y", "y"]), ("before", "after"))


def asked(folder: Path, *arguments: object) -> Result:
    with contextlib.chdir(folder):
        return CliRunner().invoke(app, [str(part) for part in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("changes")
    MADE.write(path, force=True)
    (path / "fast.toml").write_text(RECIPE)
    return path


def trained(folder: Path, label: str, out: str, *more: str) -> str:
    done = asked(
        folder, "train", "--cargo", "cargo.csv", "--kind", "mirna", "--unit", "counts", "--samples", "samples.csv", "--label",
        label, "--subject", "subject", "--batch", "batch", "--recipe", "fast.toml", "--jobs", "1", "--out", out, *more,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    return done.output


WHO = ("--samples", "samples.csv", "--subject", "subject", "--visit", "visit")


def test_a_model_of_changes_is_judged_beside_the_plain_one_and_answers_from_two_samples(folder: Path) -> None:
    said = trained(folder, "response", "of-change", "--visit", "visit", "--baseline", "V1")
    assert "It reads the change of a sample against its person's sample at V1" in said
    assert "on the same folds, the change moves the AUC from" in said
    done = asked(folder, "score", "of-change", "--cargo", "cargo.csv", *WHO, "--out", "answers.csv")
    assert done.exit_code == 0, done.output
    bundle = ModelBundle.load(folder / "of-change")
    plan = bundle.about.visit_tables
    assert plan is not None
    expected = bundle.predict(plan.tables(MADE.layers["mirna"], MADE.sheet)["mirna"]).to_frame().set_index("sample_id")
    found = pd.read_csv(folder / "answers.csv").set_index("sample_id")
    assert len(found) == 90
    np.testing.assert_allclose(found["p_responder"], expected.loc[found.index, "p_responder"], atol=1e-9)
    assert "on the same folds" in bundle.card


def test_a_model_of_changes_refuses_samples_by_themselves(folder: Path) -> None:
    done = asked(folder, "score", "of-change", "--cargo", "cargo.csv", "--out", "alone.csv")
    assert done.exit_code == 2
    assert (
        "of-change compares samples of one person (baseline: V1); give one --cargo with --samples SHEET" in done.output
    )
    bundle = ModelBundle.load(folder / "of-change")
    with pytest.raises(
        ModelError, match="of-change reads changes against a sample of the same person, and these are samples"
    ):
        score_files(bundle, folder / "cargo.csv", folder / "alone.csv")
    with pytest.raises(ModelError, match="trained on value"):
        bundle.predict(MADE.layers["mirna"])
    noise = Retest(np.ones(2), 9, 9, "here")
    with pytest.raises(InputError, match="no person has samples at two visits beside the baseline V1"):
        followed(bundle, MADE.layers["mirna"], MADE.sheet, noise=noise)


def test_a_plain_model_refuses_a_baseline(folder: Path) -> None:
    trained(folder, "response", "plain", "--no-judge")
    done = asked(folder, "score", "plain", "--cargo", "cargo.csv", *WHO, "--out", "alone.csv")
    assert done.exit_code == 2
    assert "plain reads each sample by itself; leave out --visit and --baseline" in done.output


def test_which_of_two_samples_is_the_later_is_learned_from_pairs(folder: Path) -> None:
    said = trained(folder, "visit", "of-pairs", "--paired", "V1,V2")
    assert "It says which of a person's two samples is the later, V1 or V2" in said
    done = asked(folder, "score", "of-pairs", "--cargo", "cargo.csv", *WHO, "--out", "pairs.csv")
    assert done.exit_code == 0, done.output
    assert len(pd.read_csv(folder / "pairs.csv")) == 180


def test_a_response_is_told_from_the_first_visit_the_change_and_both(folder: Path) -> None:
    said = trained(folder, "response", "of-response", "--visit", "visit", "--response", "V1,V2")
    for words in ("AUC by person: from V1 alone", "from the change alone", "from both"):
        assert words in said
    done = asked(folder, "score", "of-response", "--cargo", "cargo.csv", *WHO, "--out", "both.csv")
    assert done.exit_code == 0, done.output
    assert len(pd.read_csv(folder / "both.csv")) == 90
    frame = MADE.sheet.frame
    frame[frame["visit"] == "V1"].to_csv(folder / "first.csv")
    pd.read_csv(folder / "cargo.csv", index_col=0).loc[frame.index[frame["visit"] == "V1"]].to_csv(
        folder / "first-cargo.csv"
    )
    only = ("--samples", "first.csv", *WHO[2:])
    done = asked(folder, "score", "of-response", "--cargo", "first-cargo.csv", *only, "--out", "first-only.csv")
    assert done.exit_code == 0, done.output
    assert len(pd.read_csv(folder / "first-only.csv")) == 90


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--paired", "V1"), "name two visits, the earlier one first, as in --paired before,after"),
        (("--baseline", "V1", "--response", "V1,V2"), "say one of --baseline, --paired and --response"),
        (("--baseline", "V9", "--visit", "visit"), "there is no visit V9; it has V"),
    ],
)
def test_what_visits_cannot_be_trained_on_is_refused_with_the_fix(
    folder: Path, options: tuple[str, ...], said: str
) -> None:
    done = asked(
        folder, "train", "--cargo", "cargo.csv", "--kind", "mirna", "--unit", "counts", "--samples", "samples.csv", "--label",
        "response", "--subject", "subject", "--out", "none", *options,
    )  # fmt: skip
    assert done.exit_code == 2
    assert said in done.output
    assert not (folder / "none").exists()


def test_a_person_is_not_followed_with_a_model_that_compares_samples_itself(folder: Path) -> None:
    for name in ("of-pairs", "of-response"):
        done = asked(folder, "follow", name, "--cargo", "cargo.csv", "--samples", "samples.csv")
        assert done.exit_code == 2
        assert f"{name} compares samples of one person itself" in done.output


def test_a_model_of_visits_is_judged_on_the_visits_of_another_cohort(folder: Path) -> None:
    other = simulate(dataclasses.replace(MADE.design, seed=5))
    other.write(folder / "other", force=True)
    sheet = pd.read_csv(folder / "other" / "samples.csv")
    sheet["subject"], sheet["sample_id"] = "Q" + sheet["subject"], "Q" + sheet["sample_id"]
    sheet.to_csv(folder / "other" / "samples.csv", index=False)
    table = pd.read_csv(folder / "other" / "cargo.csv")
    table["sample_id"] = "Q" + table["sample_id"]
    table.to_csv(folder / "other" / "cargo.csv", index=False)
    given = ("--cargo", "other/cargo.csv", "--samples", "other/samples.csv", "--no-audit", "--json")
    for name, label, n in (("of-change", "response", 45), ("of-pairs", "visit", 180), ("of-response", "response", 45)):
        done = asked(folder, "evaluate", name, *given, "--label", label, "--subject", "subject", "--visit", "visit")
        assert done.exit_code == 0, (name, done.output)
        assert json.loads(done.stdout)["evaluation"]["n_samples"] == n
    done = asked(folder, "evaluate", "of-change", *given, "--label", "response")
    assert done.exit_code == 2
    assert "name the columns of the sheet with --subject and --visit" in done.output


def test_a_person_is_followed_by_the_changes_since_a_baseline(tmp_path: Path) -> None:
    made = simulate(dataclasses.replace(MADE.design, n_samples=162, visits=3))
    made.write(tmp_path, force=True)
    (tmp_path / "fast.toml").write_text(RECIPE)
    trained(tmp_path, "response", "since", "--visit", "visit", "--baseline", "V1")
    done = asked(
        tmp_path, "follow", "since", "--cargo", "cargo.csv", "--samples", "samples.csv", "--subject", "P0002", "--batch", "batch",
        "--out", "course",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    [told] = json.loads((tmp_path / "course" / "course.json").read_text())
    assert [visit["visit"] for visit in told["visits"]] == ["V2", "V3"]
    bundle = ModelBundle.load(tmp_path / "since")
    plan = bundle.about.visit_tables
    assert plan is not None
    changed = plan.tables(made.layers["mirna"], made.sheet)["mirna"]
    ids = [visit["sample_id"] for visit in told["visits"]]
    batches = made.sheet.frame.loc[ids, "batch"].tolist()
    expected = bundle.predict(changed.for_samples(ids), batches=batches).probabilities[
        :, bundle.states.index("responder")
    ]
    assert [visit["probabilities"]["responder"] for visit in told["visits"]] == expected.tolist()
    lacking = ("--cargo", "cargo.csv", "--samples", "later.csv", "--subject", "P0002")
    made.sheet.frame[made.sheet.frame["visit"] != "V1"].to_csv(tmp_path / "later.csv")
    pd.read_csv(tmp_path / "cargo.csv", index_col=0)[(made.sheet.frame["visit"] != "V1").to_numpy()].to_csv(
        tmp_path / "later-cargo.csv"
    )
    done = asked(tmp_path, "follow", "since", "--cargo", "later-cargo.csv", *lacking[2:])
    assert done.exit_code == 2
    assert "there is no visit V1; it has V2, V3" in " ".join(done.output.split())
