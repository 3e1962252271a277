import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from typer.testing import CliRunner, Result

from cohorts import FAST
from exoclassify.cli.main import app
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.simulate import simulate
from exoclassify.data.simulation_design import SimulationDesign
from exoclassify.errors import DesignError, InputError, ModelError, RecipeError
from exoclassify.learning.fit import fit
from exoclassify.learning.recalibrate import recalibrate
from exoclassify.methods.calibrate import ScaleAndShift
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.registry import Registry

COHORT = simulate(SimulationDesign(seed=5, n_samples=200, n_molecules=80, effect=1.0, n_batches=1)).cohort
SUBJECTS = np.unique(COHORT.groups)
HOME = COHORT.take(np.isin(COHORT.groups, SUBJECTS[: len(SUBJECTS) // 2]))
MODEL = fit(HOME, FAST, judge=False, name="pain")


def moved(cohort: Cohort, sd: float = 3.0) -> Cohort:
    """The same samples as another laboratory would measure them: each molecule with a factor of its own."""
    factors = np.exp2(np.random.default_rng(1).normal(0, sd, cohort.cargo.n_molecules))
    table = replace(cohort.cargo, values=np.round(cohort.cargo.values * factors))
    return Cohort.from_layers({"mirna": table}, cohort.sheet)


AWAY = moved(COHORT.take(~np.isin(COHORT.groups, SUBJECTS[: len(SUBJECTS) // 2])))


def some(n: int, seed: int = 0) -> tuple[Cohort, Cohort]:
    """Give n local samples of each state, and the rest."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.permutation(np.flatnonzero(AWAY.y == state))[:n] for state in AWAY.states])
    return AWAY.take(np.sort(rows)), AWAY.take(np.setdiff1d(np.arange(AWAY.n_samples), rows))


def loss(model: ModelBundle, cohort: Cohort) -> float:
    p = model.predict(cohort.cargo).probabilities
    return float(-np.log(p[np.arange(len(p)), np.searchsorted(model.states, cohort.y)]).mean())


def test_a_shift_that_is_fitted_is_the_one_that_was_made() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 2, (20_000, 1)) * np.array([[-0.5, 0.5]])
    y = (rng.random(20_000) < expit(scores[:, 1] - scores[:, 0] + 1.0)).astype(np.intp)
    found = ScaleAndShift.fit_shift(scores, y)
    assert found.scale == 1
    assert abs(found.shift[1] - found.shift[0] - 1.0) < 0.06
    assert abs(found.shift.sum()) < 1e-9


def test_a_model_in_another_laboratory_answers_better_after_a_few_samples_of_it() -> None:
    local, rest = some(12)
    done = recalibrate(MODEL, local, site="away")
    assert done.decision["steps"][-2:] == ["prediction sets", "novelty"]
    assert "intercept" in done.decision["steps"]
    guess = float(np.log(3))
    assert loss(done.bundle, rest) < loss(MODEL, rest)
    assert loss(done.bundle, rest) < guess
    assert done.decision["passed"]


def test_sets_hold_the_true_state_as_promised_on_average_over_splits() -> None:
    held = []
    for seed in range(3):
        local, rest = some(15, seed)
        answers = recalibrate(MODEL, local, site="away").bundle.predict(rest.cargo)
        held.append(answers.sets[np.arange(rest.n_samples), np.searchsorted(MODEL.states, rest.y)].mean())
    assert np.mean(held) > 0.87


def test_what_few_samples_do_not_support_is_left_and_said() -> None:
    local, rest = some(6)
    done = recalibrate(MODEL, local, site="away")
    assert done.decision["steps"] == ["intercept", "prediction sets"]
    assert (
        done.decision["needs"]["slope"] == "4 more of control, 4 more of inflammatory, 4 more of neuropathic"
    )
    assert done.decision["needs"]["prediction sets"].startswith("3 more of control")
    assert done.decision["needs"]["novelty"].startswith("1 more samples")
    answers = done.bundle.predict(rest.cargo)
    assert answers.sets.all()
    assert set(answers.calls) == {"uncertain"}
    assert (done.bundle.blend.novelty_reference == MODEL.blend.novelty_reference).all()


def test_too_few_samples_say_how_many_more_are_needed() -> None:
    with pytest.raises(
        DesignError, match="too few local subjects: 2 more of control, 2 more of inflammatory"
    ):
        recalibrate(MODEL, some(3)[0], site="away")


def test_novelty_is_that_of_the_site_once_it_is_refitted() -> None:
    local, rest = some(15)
    before = MODEL.predict(rest.cargo).novelty_p <= 0.05
    after = recalibrate(MODEL, local, site="away").bundle.predict(rest.cargo).novelty_p <= 0.05
    assert before.mean() > 0.5
    assert after.mean() < 0.2


def test_the_model_is_bound_to_its_site_and_says_so(tmp_path: Path) -> None:
    done = recalibrate(MODEL, some(12)[0], site="clinic-b")
    done.bundle.save(tmp_path / "M")
    again = ModelBundle.load(tmp_path / "M", verify=True)
    assert again.name == "pain-clinic-b"
    assert "**For clinic-b alone**: pain 1.0.0, recalibrated on 12 control, 12 inflammatory" in again.card
    assert again.about["recalibration"]["from"] == "pain 1.0.0"
    assert (again.predict(AWAY.cargo).probabilities == done.bundle.predict(AWAY.cargo).probabilities).all()


def test_samples_that_the_model_was_trained_on_are_left_out() -> None:
    mixed = COHORT.take(np.arange(120))
    done = recalibrate(MODEL, mixed, site="home").bundle
    inside = np.isin(mixed.groups, HOME.groups)
    assert done.about["recalibration"]["left_out_as_trained_on"] == inside.sum()
    assert sum(done.about["recalibration"]["samples"].values()) == (~inside).sum()
    with pytest.raises(DesignError, match="were trained on, and the rest lacks a state"):
        recalibrate(MODEL, HOME, site="home")


def test_a_recalibrated_model_remembers_its_local_samples_too() -> None:
    local, rest = some(12)
    again = recalibrate(MODEL, local, site="away").bundle
    with pytest.raises(DesignError, match="were trained on"):
        recalibrate(again, local, site="away")
    assert recalibrate(again, rest, site="away").bundle.about["recalibration"][
        "left_out_as_trained_on"
    ] == sum(np.isin(rest.groups, local.groups))


def test_a_model_that_ranks_no_better_than_chance_does_not_pass() -> None:
    frame = AWAY.sheet.frame.copy()
    frame["label"] = np.random.default_rng(0).permutation(frame["label"].to_numpy())
    dealt = replace(AWAY, sheet=replace(AWAY.sheet, frame=frame))
    decision = recalibrate(MODEL, dealt, site="away").decision
    assert not decision["passed"]
    assert decision["sentence"].startswith("not passed, not surely better than guessing")


def test_a_model_that_is_right_as_it_is_keeps_its_calibration() -> None:
    near = COHORT.take(~np.isin(COHORT.groups, HOME.groups))
    done = recalibrate(MODEL, near, site="near")
    assert loss(done.bundle, near) < loss(MODEL, near) + 0.02
    assert done.decision["passed"]


def test_other_states_and_units_are_refused() -> None:
    with pytest.raises(InputError, match="its states are inflammatory, neuropathic, and pain tells apart"):
        recalibrate(MODEL, AWAY.take(AWAY.y != "control"), site="away")
    logs = CargoTable.from_frame(np.log2(AWAY.cargo.to_frame() + 1), kind="mirna", unit="log2_intensity")
    with pytest.raises(ModelError, match="its unit is log2_intensity"):
        recalibrate(MODEL, Cohort.from_layers({"mirna": logs}, AWAY.sheet), site="away")
    with pytest.raises(RecipeError, match="use letters, digits"):
        recalibrate(MODEL, AWAY, site="../b")


def run(tmp_path: Path, *words: object) -> Result:
    given = ("recalibrate", "pain", "--cargo", tmp_path / "cargo.csv", "--samples", tmp_path / "samples.csv")
    place = ("--label", "label", "--subject", "subject", "--registry", tmp_path / "models")
    return CliRunner().invoke(app, [str(word) for word in (*given, *place, *words)])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    registry = Registry(tmp_path / "models")
    registry.add(MODEL)
    registry.promote("pain", "1.0.0", who="ann", why="first")
    local = some(12)[0]
    local.cargo.write(tmp_path / "cargo.csv")
    local.sheet.frame.to_csv(tmp_path / "samples.csv")
    return tmp_path


def test_the_command_keeps_and_promotes_a_model_of_the_site(place: Path) -> None:
    done = run(place, "--site", "b", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["promoted"]
    registry = Registry(place / "models")
    assert registry.names() == ("pain", "pain-b")
    assert registry.champion("pain-b") == "1.0.0"
    assert registry.champion("pain") == "1.0.0"
    assert registry.decision("pain-b", "1.0.0")["passed"]  # type: ignore[index]
    again = run(place, "--site", "b", "--promote", "never")
    assert "kept as" in again.stdout
    assert registry.champion("pain-b") == "1.0.0"
    assert len(registry.versions("pain-b")) == 2
    assert run(place, "--site", "c", "--dry-run").exit_code == 0
    assert registry.names() == ("pain", "pain-b")
    listed = CliRunner().invoke(app, ["models", "list", "--registry", str(place / "models")])
    assert "passed" in listed.stdout


def test_a_required_signature_is_made_or_refused_before_any_work(place: Path) -> None:
    keys = ("--private", place / "k.pem", "--public", place / "k.pub")
    assert CliRunner().invoke(app, ["models", "keys", *map(str, keys)]).exit_code == 0
    refused = run(place, "--site", "b", "--require-signature", place / "k.pub")
    assert refused.exit_code == 2
    assert "the new one would not be" in refused.stderr
    sign = ["models", "sign", "pain", "1.0.0", "--key", place / "k.pem", "--registry", place / "models"]
    assert CliRunner().invoke(app, [str(word) for word in sign]).exit_code == 0
    done = run(place, "--site", "b", "--require-signature", place / "k.pub", "--sign-with", place / "k.pem")
    assert done.exit_code == 0, done.output
    assert Registry(place / "models").load("pain-b", require_signature=place / "k.pub").name == "pain-b"


def test_a_site_where_it_does_not_work_exits_3_and_is_not_put_into_use(place: Path) -> None:
    frame = pd.read_csv(place / "samples.csv", index_col=0)
    frame["label"] = frame["label"].sample(frac=1, random_state=1).to_numpy()
    frame.to_csv(place / "samples.csv")
    done = run(place, "--site", "b")
    assert done.exit_code == 3, done.output
    with pytest.raises(ModelError, match="no version is in use"):
        Registry(place / "models").champion("pain-b")
