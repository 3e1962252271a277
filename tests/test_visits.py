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
from exoclassify.data.cohort import Cohort
from exoclassify.data.samples import SampleSheet
from exoclassify.data.visits import before_and_after, in_order
from exoclassify.discovery.contrast import Contrast
from exoclassify.discovery.discover import discover
from exoclassify.discovery.marker_tests import MarkerTests, Measured
from exoclassify.errors import DesignError, InputError
from exoclassify.lifecycle.fit import fit
from exoclassify.methods.detection import test_discordant as discordant
from exoclassify.methods.linear_fits import fit_linear, fit_within
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.course import followed
from exoclassify.model.retest import Retest, retest_of
from exoclassify.simulation.simulate import SimulationDesign, simulate
from tests.cohorts import FAST

pytestmark = pytest.mark.slow

VISITED = simulate(
    SimulationDesign(
        3,
        180,
        ("control", "pain"),
        n_molecules=150,
        n_markers=10,
        effect=1.5,
        repeats=0.0,
        visits=2,
        responders=1.0,
        person_sd=0.8,
    )
)
"""90 people at two visits; those in pain at V1 are not at V2."""


def visits_as_labels(**columns: object) -> Cohort:
    """The people in pain at V1, with the visit as label, and more columns in the sheet."""
    sheet = VISITED.sheet
    frame = sheet.frame.assign(**columns)
    cohort = Cohort.from_layers(VISITED.layers, SampleSheet(frame, "visit", "subject", source="samples.csv"))
    return cohort.take((frame["response"] == "responder").to_numpy())


@pytest.mark.parametrize(
    ("visits", "expected"),
    [
        (["10", "9", "100"], ("9", "10", "100")),
        (["after", "before"], ("before", "after")),
        (["post", "Pre"], ("Pre", "post")),
        (["T10", "T2", "T1"], ("T1", "T2", "T10")),
        (["week 12", "baseline", "week 4"], ("baseline", "week 4", "week 12")),
        (["6 months", "week 4", "day 3", "screening"], ("screening", "day 3", "week 4", "6 months")),
        (["2026-03-01", "2025-12-31"], ("2025-12-31", "2026-03-01")),
        (["1.3.2026", "31.12.2025"], ("31.12.2025", "1.3.2026")),
        (["C", "A", "B"], ("A", "B", "C")),
        (["second", "first"], ("first", "second")),
        (["post2", "pre", "post1"], ("pre", "post1", "post2")),
        (["Day 7", "Day -1"], ("Day -1", "Day 7")),
    ],
)
def test_names_of_visits_tell_their_order(visits: list[str], expected: tuple[str, ...]) -> None:
    assert in_order(visits, "samples.csv, column visit") == expected


@pytest.mark.parametrize(
    "visits", [["rest", "stress"], ["week 4", "post"], ["03/04/2026", "04/04/2026"], ["T1", "V2"], ["week 1", "7 days"]]
)
def test_visits_that_tell_no_order_ask_for_it(visits: list[str]) -> None:
    with pytest.raises(
        InputError, match=r"samples\.csv, column visit: the visits .* tell no order in time; give it, as in --order"
    ):
        in_order(visits, "samples.csv, column visit")
    assert in_order(visits, "samples.csv", visits[::-1]) == tuple(visits[::-1])


def test_an_order_that_lacks_a_visit_is_refused() -> None:
    with pytest.raises(InputError, match=r"the order given is rest; name each of rest, stress once in it"):
        in_order(["rest", "stress"], "samples.csv", ["rest"])


def test_a_fit_within_persons_is_that_with_a_column_for_every_person() -> None:
    rng = np.random.default_rng(0)
    persons = np.repeat(np.arange(8), 2)
    Y = rng.normal(size=(16, 5)) + 3 * rng.normal(size=(8, 5))[persons]
    Y[3, 1] = Y[8, 2] = np.nan
    weights = rng.uniform(0.5, 2, Y.shape)
    later = np.tile([0.0, 1.0], 8)
    dose = rng.normal(size=16)
    levels = np.eye(8)[persons]
    whole = fit_linear(Y, np.column_stack([levels, later, dose]), weights=weights)
    within = fit_within(Y, np.column_stack([np.ones(16), later, dose]), persons, weights=weights)
    np.testing.assert_allclose(within.coefficients[:, 1:], whole.coefficients[:, 8:], rtol=1e-8)
    np.testing.assert_allclose(within.unscaled[:, 1:], whole.unscaled[:, 8:], rtol=1e-8)
    complete = ~np.isnan(Y).any(axis=0)
    np.testing.assert_allclose(within.variance[complete], whole.variance[complete], rtol=1e-8)
    np.testing.assert_array_equal(within.freedom, [6, 5, 5, 6, 6])


def test_detection_within_persons_counts_those_in_whom_it_changes() -> None:
    # Five people gain it, none loses it, three have it throughout: 2 * 0.5**5 less half of that, for the mid-p.
    earlier = np.array([0, 0, 0, 0, 0, 1, 1, 1], dtype=bool)
    found = np.concatenate([earlier, np.ones(8, dtype=bool)])[:, None]
    later = np.repeat([False, True], 8)
    tests = discordant(np.hstack([found, np.ones_like(found)]), later, np.tile(np.arange(8), 2))
    assert tests.p[0] == pytest.approx(0.5**5)
    assert tests.log_odds[0] == pytest.approx(np.log(5.5 / 0.5))
    assert np.isnan(tests.p[1])


@pytest.mark.slow
def test_what_changes_within_persons_is_found_with_its_direction() -> None:
    pairs, (earlier, later) = before_and_after(visits_as_labels())
    assert (earlier, later) == ("V1", "V2")
    found = discover(pairs, state=later, reference=[earlier], paired=True, seed=1)
    truth = VISITED.truth[VISITED.truth["state"] == "pain"].set_index("molecule")["effect"]
    table = found.frame().set_index("molecule")
    true = [name for name in table.index if name in truth.index]
    assert len(true) >= 5
    assert len(table) - len(true) <= 1
    assert (np.where(table.loc[true, "direction"] == "up", 1, -1) == -np.sign(truth[true])).all()  # they recover
    assert not found.panel
    assert "a level for every person" in " ".join(found.in_words())


def test_a_difference_between_persons_is_no_change() -> None:
    pairs, _ = before_and_after(visits_as_labels())
    table = pairs.cargo
    high = np.where(np.arange(pairs.n_samples) % 2 == 0, 1.0, 40.0)[:, None]
    level = np.array([dict(zip(np.unique(pairs.groups), high[:, 0], strict=False))[g] for g in pairs.groups])
    raised = table.values.copy()
    raised[:, :3] = np.round(raised[:, :3] * level[:, None])
    again = CargoTable(raised, table.sample_ids, table.molecules, table.kind, table.unit)
    effects = []
    for cohort in (pairs, dataclasses.replace(pairs, layers={"mirna": again})):
        contrast = Contrast.of(cohort, state="V2", reference=["V1"], within=True)
        tests = MarkerTests.of(contrast, measured := Measured.of(contrast))
        effects.append(dict(zip(measured.molecules, tests.p, strict=True)))
    for name in table.molecules[:3]:
        if name in effects[0] and name in effects[1]:
            assert effects[1][name] > 1e-3


def test_a_batch_that_is_the_visit_is_refused_and_one_that_is_the_person_is_no_matter() -> None:
    pairs, _ = before_and_after(visits_as_labels())
    frame = pairs.sheet.frame.assign(run=pairs.y, home=pairs.groups)
    by_visit = dataclasses.replace(pairs, sheet=dataclasses.replace(pairs.sheet, frame=frame, batch_column="run"))
    with pytest.raises(
        DesignError, match=r"the design cannot be estimated: column run = V2 is collinear with visit = V2"
    ):
        Contrast.of(by_visit, state="V2", reference=["V1"], within=True)
    by_person = dataclasses.replace(pairs, sheet=dataclasses.replace(pairs.sheet, frame=frame, batch_column="home"))
    assert Contrast.of(by_person, state="V2", reference=["V1"], within=True).columns == ("intercept", "visit = V2")


def test_a_person_with_two_samples_at_a_visit_is_named_with_the_fix() -> None:
    cohort = visits_as_labels()
    person = cohort.groups[0]
    both = np.flatnonzero(cohort.groups == person)
    sheet = cohort.sheet.frame.copy()
    sheet.iloc[both, sheet.columns.get_loc("visit")] = "V1"
    twice = dataclasses.replace(cohort, sheet=dataclasses.replace(cohort.sheet, frame=sheet))
    with pytest.raises(
        InputError, match=rf"samples\.csv: {person} has 2 samples at visit V1 \(.*\); keep one of them \(leave column"
    ):
        before_and_after(twice)


def test_dates_that_contradict_the_visits_are_named_with_the_fix() -> None:
    cohort = visits_as_labels(date=np.where(VISITED.sheet.frame["visit"] == "V1", "2026-01-01", "2026-02-01"))
    before_and_after(cohort)
    sheet = cohort.sheet.frame.copy()
    row = np.flatnonzero(cohort.y == "V2")[0]
    sheet.iloc[row, sheet.columns.get_loc("date")] = "2025-12-01"
    wrong = dataclasses.replace(cohort, sheet=dataclasses.replace(cohort.sheet, frame=sheet))
    with pytest.raises(
        InputError, match=r"visits of 1 person are out of order: P\d+'s visit V2 \(2025-12-01\) is dated before"
    ):
        before_and_after(wrong)


def test_more_than_two_visits_ask_which_and_unknown_ones_are_named() -> None:
    cohort = visits_as_labels()
    sheet = cohort.sheet.frame.copy()
    sheet.iloc[0, sheet.columns.get_loc("visit")] = "V3"
    more = dataclasses.replace(cohort, sheet=dataclasses.replace(cohort.sheet, frame=sheet))
    with pytest.raises(InputError, match=r"it has 3 visits \(.*\); name the two to compare with --between"):
        before_and_after(more)
    with pytest.raises(InputError, match=r"there is no visit V9; it has V.*write --between EARLIER,LATER"):
        before_and_after(cohort, ("V1", "V9"))
    _, visits = before_and_after(cohort, ("V2", "V1"))
    assert visits == ("V2", "V1")


def test_persons_who_lack_a_visit_are_left_out_and_named() -> None:
    cohort = visits_as_labels()
    pairs, _ = before_and_after(cohort.take(np.arange(1, cohort.n_samples)))
    assert pairs.n_samples == cohort.n_samples - 2
    assert f"left out, for they lack one of the two visits: 1 persons ({cohort.groups[0]})" in pairs.notes


def test_visits_without_a_column_of_persons_are_refused() -> None:
    cohort = visits_as_labels()
    nobody = dataclasses.replace(cohort, sheet=dataclasses.replace(cohort.sheet, subject_column=None))
    with pytest.raises(
        DesignError, match="visits are compared within a person; name the column of persons with --subject"
    ):
        before_and_after(nobody)


def test_simulated_visits_hold_their_truth() -> None:
    frame = VISITED.sheet.frame
    assert (frame.groupby("subject")["visit"].nunique() == 2).all()
    assert set(frame.loc[frame["visit"] == "V2", "label"]) == {"control"}
    assert set(frame.loc[frame["label"] == "pain", "response"]) == {"responder"}
    assert set(VISITED.truth["state"]) == {"pain", "responder"}
    assert VISITED.truth["molecule"].is_unique


def test_one_visit_is_simulated_as_before() -> None:
    made = simulate(SimulationDesign(7, 60))
    assert list(made.sheet.frame.columns) == ["subject", "batch", "label"]
    assert made.cohort.digest().startswith("eea993ac0c3a8ab2")


def test_responders_need_a_second_visit() -> None:
    with pytest.raises(DesignError, match="a response needs 2 visits or more"):
        SimulationDesign(1, responders=0.5)


# One person over time.


def test_noise_is_the_spread_within_person_and_state_where_it_is_largest() -> None:
    # Log-odds of two persons in state 0: 1, 3 and 0, 2; five more repeats make the freedom; state 1 has no repeats.
    eta = np.array([1.0, 3.0, 0.0, 2.0, 5.0, 7.0, 5.0, 7.0, -1.0, 1.0, 9.0])
    p = np.stack([1 / (1 + np.exp(eta)), 1 / (1 + np.exp(-eta))], axis=1)
    persons, y = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5]), np.array([0] * 10 + [1])
    noise = retest_of([p], persons, y, "here")
    assert noise is not None
    np.testing.assert_allclose(noise.sd, np.sqrt(2), rtol=1e-6)
    assert (noise.freedom, noise.persons) == (5, 5)
    assert retest_of([p[:8]], persons[:8], y[:8], "here") is None


OVER_TIME = simulate(
    SimulationDesign(
        5, 240, ("control", "pain"), n_molecules=120, n_markers=10, effect=1.5, repeats=0.0, visits=3, responders=0.5
    )
)
NEW = OVER_TIME.sheet.frame["subject"] < "P0021"


@pytest.fixture(scope="module")
def model() -> ModelBundle:
    return fit(OVER_TIME.cohort.take(~NEW.to_numpy()), FAST, name="visits", n_jobs=1)


@pytest.fixture(scope="module")
def folder(model: ModelBundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("visits")
    OVER_TIME.write(path, force=True)
    model.save(path / "model")
    return path


def asked(folder: Path, *arguments: object) -> Result:
    with contextlib.chdir(folder):
        return CliRunner().invoke(app, [str(part) for part in arguments])


@pytest.mark.slow
def test_those_who_recover_are_seen_and_others_seldom(model: ModelBundle) -> None:
    sheet = OVER_TIME.sheet.take(NEW.to_numpy())
    found = followed(model, OVER_TIME.layers["mirna"], sheet)
    responds = sheet.frame.groupby("subject")["response"].first() == "responder"
    changed = pd.Series({one.person: bool(one.reliable.any()) for one in found})
    assert changed[responds].mean() >= 0.6
    assert changed[~responds].mean() <= 0.15
    for one in found:
        assert (one.low <= one.answers.probabilities + 1e-12).all()
        assert (one.answers.probabilities <= one.high + 1e-12).all()
        assert not one.reliable[0].any()


@pytest.mark.slow
def test_a_course_is_what_predict_says_and_depends_on_no_one_else(model: ModelBundle) -> None:
    sheet, table = OVER_TIME.sheet.take(NEW.to_numpy()), OVER_TIME.layers["mirna"]
    everyone = {one.person: one for one in followed(model, table, sheet)}
    alone = followed(model, table, sheet, persons=["P0004"])[0]
    np.testing.assert_array_equal(alone.answers.probabilities, everyone["P0004"].answers.probabilities)
    np.testing.assert_array_equal(alone.low, everyone["P0004"].low)
    said = model.predict(table.for_samples(alone.answers.sample_ids), batches=[p[6:] for p in alone.answers.places])
    np.testing.assert_array_equal(said.probabilities, alone.answers.probabilities)
    assert alone.visits == ("V1", "V2", "V3")


def test_a_model_keeps_its_noise_when_saved(model: ModelBundle, folder: Path) -> None:
    again = Retest.of_model(ModelBundle.load(folder / "model"))
    np.testing.assert_array_equal(again.sd, Retest.of_model(model).sd)
    assert again.freedom >= 20


def test_the_command_writes_table_json_and_figure(folder: Path) -> None:
    done = asked(
        folder, "follow", "model", "--cargo", "cargo.csv", "--samples", "samples.csv", "--subject", "P0002", "--batch", "batch",
        "--out", "course",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "P0002    V1" in done.output
    table = pd.read_csv(folder / "course" / "course.csv")
    said = json.loads((folder / "course" / "course.json").read_text())
    assert list(table["visit"]) == [visit["visit"] for visit in said[0]["visits"]] == ["V1", "V2", "V3"]
    np.testing.assert_allclose(
        table["p_pain"], [visit["probabilities"]["pain"] for visit in said[0]["visits"]], rtol=1e-9
    )
    page = (folder / "course" / "course.html").read_text()
    assert page.count("<svg") == 1
    assert "Course of P0002" in page


@pytest.mark.slow
def test_persons_and_visits_may_be_columns_of_the_table_itself(folder: Path) -> None:
    frame = pd.read_csv(folder / "samples.csv", index_col=0).drop(columns=["label", "response", "batch"])
    cargo = pd.read_csv(folder / "cargo.csv", index_col=0)
    pd.concat([frame, cargo], axis=1).to_csv(folder / "joined.csv")
    one = asked(folder, "follow", "model", "--cargo", "joined.csv", "--subject", "P0002")
    two = asked(folder, "follow", "model", "--cargo", "cargo.csv", "--samples", "samples.csv", "--subject", "P0002")
    assert one.exit_code == 0, one.output
    assert one.output == two.output


def test_noise_may_come_from_a_file_of_repeats(folder: Path) -> None:
    done = asked(
        folder, "follow", "model", "--cargo", "cargo.csv", "--samples", "samples.csv", "--subject", "P0002", "--repeats",
        "cargo.csv", "--repeats-samples", "samples.csv",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "of 80 persons (cargo.csv)" in done.output


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, ["--subject", "P9"], r"samples\.csv: there is no P9 in column subject"),
        ({"visit": "V1"}, ["--subject", "P0002"], r"P0002 has 3 samples at visit V1"),
        (
            {"visit": lambda v: "at " + v.str.replace("V", "x y")},
            ["--subject", "P0002"],
            "tell no order in time; give it",
        ),
        ({}, ["--level", "1.5"], r"level: 1\.5; give a share"),
        ({}, ["--visit", "when"], "there is no visit column when"),
        ({}, ["--batch", "batch", "--same-batch"], "say one of --batch"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_the_fix(
    folder: Path, change: dict[str, object], options: list[str], message: str
) -> None:
    frame = pd.read_csv(folder / "samples.csv", index_col=0)
    for name, value in change.items():
        frame[name] = value(frame[name]) if callable(value) else value
    (folder / "wrong").mkdir(exist_ok=True)
    frame.to_csv(folder / "wrong" / "samples.csv")
    done = asked(folder, "follow", "model", "--cargo", "cargo.csv", "--samples", "wrong/samples.csv", *options)
    assert done.exit_code == 2
    assert pd.Series([done.output]).str.contains(message).all(), done.output


def test_a_model_without_repeats_says_what_it_needs(model: ModelBundle) -> None:
    bare = dataclasses.replace(model, about=model.about.model_copy(update={"retest": None}))
    with pytest.raises(
        Exception,
        match=r"how far repeated samples of one person lie apart was not learned.*give repeats with --repeats",
    ):
        followed(bare, OVER_TIME.layers["mirna"], OVER_TIME.sheet)


@pytest.mark.slow
def test_discover_paired_runs_from_the_command_line(folder: Path) -> None:
    base = [
        "discover",
        "--cargo",
        "cargo.csv",
        "--kind",
        "mirna",
        "--unit",
        "counts",
        "--samples",
        "samples.csv",
        "--subject",
        "subject",
    ]
    done = asked(
        folder,
        *base,
        "--paired",
        "visit",
        "--between",
        "V1,V2",
        "--label",
        "response",
        "--state",
        "responder",
        "--out",
        "found",
    )
    assert done.exit_code == 0, done.output
    assert "V2 (20 samples) against V1 (20)" in done.output
    refused = asked(folder, *base, "--paired", "visit", "--reference", "V1", "--out", "found2")
    assert refused.exit_code == 2
    assert "pairs are compared with the earlier visit" in refused.output
    lacking = asked(folder, *base, "--out", "found2")
    assert lacking.exit_code == 2
    assert "--label" in lacking.output


def test_a_study_file_says_the_visits_once(folder: Path) -> None:
    (folder / "cohort.toml").write_text(
        'cargo = "cargo.csv"\nsamples = "samples.csv"\nkind = "mirna"\nunit = "counts"\nlabel = "label"\nsubject = "subject"\n'
        'batch = "batch"\ntime = "visit"\n'
    )
    one = asked(folder, "follow", "model", "cohort.toml", "--subject", "P0002")
    two = asked(
        folder, "follow", "model", "--cargo", "cargo.csv", "--samples", "samples.csv", "--subject", "P0002", "--batch", "batch"
    )  # fmt: skip
    assert one.exit_code == 0, one.output
    assert one.output == two.output
    other = asked(folder, "follow", "model", "cohort.toml", "--subject", "P0002", "--visit", "when")
    assert "there is no visit column when" in other.output
    assert Cohort.of_study(folder / "cohort.toml").sheet.time_column == "visit"
