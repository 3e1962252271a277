"""A model taken on board at a new site: from unlabelled samples with their mix, from controls alone, from labels."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from cohorts import FAST
from exoclassify.cli.main import app
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.errors import DesignError, InputError, ModelError, RecipeError
from exoclassify.lifecycle.fit import fit
from exoclassify.lifecycle.recalibrate import LocalSamples, recalibrate
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import Use
from exoclassify.model.registry import Registry
from exoclassify.simulation.design import SimulationDesign
from exoclassify.simulation.simulate import simulate

pytestmark = pytest.mark.slow

COHORT = simulate(
    SimulationDesign(seed=5, n_samples=320, n_molecules=80, effect=1.0, n_batches=4, batch_effect=0.8)
).cohort
HOME = COHORT.take(COHORT.batches != "B4")
AWAY = COHORT.take((COHORT.batches == "B4") & ~np.isin(COHORT.groups, HOME.groups))
MODEL = fit(HOME, FAST, judge=False, name="pain")
MIX = {str(state): float((AWAY.y == state).mean()) for state in AWAY.states}

THIRDS = dict.fromkeys(MIX, 1 / 3)


def some(n: int, seed: int = 0) -> tuple[Cohort, Cohort]:
    """Give n local samples in the mix of the site, and the rest."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(AWAY.n_samples)[:n]
    return AWAY.take(np.sort(rows)), AWAY.take(np.setdiff1d(np.arange(AWAY.n_samples), rows))


def each(n: int, seed: int = 0) -> tuple[Cohort, Cohort]:
    """Give n local samples of each state, and the rest."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.permutation(np.flatnonzero(AWAY.y == state))[:n] for state in AWAY.states])
    return AWAY.take(np.sort(rows)), AWAY.take(np.setdiff1d(np.arange(AWAY.n_samples), rows))


def given(
    cohort: Cohort, labels: str = "none", mix: Mapping[str, float] | None = None, subjects: bool = False
) -> LocalSamples:
    """Say of local samples nothing, which are controls, or the state of each."""
    y = [str(state) for state in cohort.y]
    told = {"none": (), "all": tuple(y), "controls": tuple(s if s == "control" else "" for s in y)}[labels]
    return LocalSamples(cohort.cargo, told, tuple(map(str, cohort.groups)) if subjects else (), mix)


def loss(model: ModelBundle, cohort: Cohort, use: Use | None = None) -> float:
    p = model.predict(cohort.cargo, use).probabilities
    return float(-np.log(p[np.arange(len(p)), np.searchsorted(model.states, cohort.y)]).mean())


@pytest.mark.parametrize(("labels", "mix"), [("none", THIRDS), ("controls", None), ("controls", THIRDS), ("all", None)])
def test_answers_at_a_site_are_better_after_seven_samples_of_each_state(labels: str, mix: dict | None) -> None:
    gains, gains_over_guessing = [], []
    for seed in range(3):
        local, rest = each(7, seed)
        there = recalibrate(MODEL, given(local, labels, mix), site="away").bundle
        gains.append(loss(MODEL, rest) - loss(there, rest))
        guess = -np.mean(np.log([MIX[state] for state in rest.y]))
        gains_over_guessing.append(guess - loss(there, rest))
    assert np.mean(gains) > 0.02
    assert min(gains_over_guessing) > 0.2


def test_over_sites_calls_are_wrong_no_more_often_than_promised_and_sets_hold_the_true_state() -> None:
    """Each batch left out in turn, taken on board with 20 unlabelled samples: the promise is one over sites."""
    called = wrong = asked = held = 0
    for batch in ("B1", "B2", "B3", "B4"):
        home = COHORT.take(COHORT.batches != batch)
        away = COHORT.take((COHORT.batches == batch) & ~np.isin(COHORT.groups, home.groups))
        rows = np.random.default_rng(0).permutation(away.n_samples)
        local, rest = away.take(np.sort(rows[:20])), away.take(np.sort(rows[20:]))
        mix = {str(state): float((local.y == state).mean()) for state in away.states}
        model = fit(home, FAST, judge=False, name="pain")
        answers = recalibrate(model, LocalSamples(local.cargo, mix=mix), site="away").bundle.predict(rest.cargo)
        mine = np.array(answers.calls) != "uncertain"
        called, asked = called + mine.sum(), asked + len(mine)
        wrong += (mine & (np.array(answers.calls) != rest.y)).sum()
        held += answers.sets[np.arange(rest.n_samples), np.searchsorted(model.states, rest.y)].sum()
    assert called > 0.3 * asked
    assert wrong <= 0.08 * called
    assert held > 0.82 * asked


def test_without_labels_only_the_offset_is_learned_and_what_lacks_is_said() -> None:
    local, rest = some(12)
    done = recalibrate(MODEL, given(local, mix=MIX), site="away")
    assert done.decision["steps"] == ["offset"]
    assert done.decision["needs"] == {"judging it here": "5 labelled subjects of each state"}
    assert done.decision["judged"] is None
    assert any("8 more samples would narrow the offset" in line for line in done.decision["lines"])
    assert any("3 training batches that were left out" in line for line in done.decision["lines"])
    assert (done.bundle.blend.place(Use())[0].novelty == MODEL.blend.calibration.unknown.novelty).all()
    assert set(done.bundle.predict(rest.cargo).places) == {"site away"}
    assert set(done.bundle.predict(rest.cargo, Use(batch="elsewhere")).places) == {"unknown batch"}


def test_labels_of_all_states_support_more_than_the_offset() -> None:
    few = recalibrate(MODEL, given(each(6)[0], "all"), site="away").decision
    assert few["steps"] == ["offset", "prediction sets", "calls"]
    assert few["needs"]["slope"] == "4 more of control, 4 more of inflammatory, 4 more of neuropathic"
    assert few["needs"]["prediction sets"].startswith("3 more of control")
    assert few["needs"]["novelty"] == "1 more samples"
    many = recalibrate(MODEL, given(each(12)[0], "all"), site="away").decision
    assert {"novelty", "prediction sets", "calls"} <= set(many["steps"])
    assert "slope" not in many["needs"]
    judged = many["judged"]
    assert judged["log_loss"] < judged["log_loss_of_guessing"]
    assert judged["gain_over_guessing_low"] > 0
    assert 0.5 < judged["auc"] <= 1
    assert many["passed"]


def test_controls_alone_say_nothing_of_how_good_it_is_there() -> None:
    controls = AWAY.take(np.flatnonzero(AWAY.y == "control")[:12])
    done = recalibrate(MODEL, given(controls, "controls"), site="away").decision
    assert done["steps"] == ["offset"]
    assert done["judged"] is None
    assert "judging it here" in done["needs"]


def test_how_far_a_site_lies_is_told_in_units_of_the_usual_distance() -> None:
    done = recalibrate(MODEL, given(each(7)[0], "all"), site="away")
    held = MODEL.blend.calibration.held_out
    assert held is not None
    nodes = done.bundle.blend.place(Use())[0].nodes
    usual = float(held.tau @ held.tau_weight)
    found = done.bundle.about.recalibration
    assert found.distance == pytest.approx(np.sqrt((nodes.mean(axis=0) ** 2).mean()) / usual)
    assert found.uncertainty == pytest.approx(nodes.std(axis=0).mean() / usual)
    assert any(f"{found.distance:.1f} times as far" in line for line in done.decision["lines"])


def test_the_same_samples_give_the_same_profile() -> None:
    local = given(some(15)[0], mix=MIX)
    first, second = (recalibrate(MODEL, local, site="away").bundle for _ in range(2))
    assert (first.predict(AWAY.cargo).probabilities == second.predict(AWAY.cargo).probabilities).all()


def test_no_answer_at_a_site_depends_on_its_neighbours() -> None:
    there = recalibrate(MODEL, given(some(15)[0], mix=MIX), site="away").bundle
    together = there.predict(AWAY.cargo).to_frame()
    for i in (0, 9, AWAY.n_samples - 1):
        alone = there.predict(AWAY.cargo.take(np.array([i]))).to_frame()
        pd.testing.assert_frame_equal(alone, together.iloc[[i]].reset_index(drop=True), check_exact=True)


def test_the_model_is_bound_to_its_site_and_says_so(tmp_path: Path) -> None:
    done = recalibrate(MODEL, given(some(12)[0], mix=MIX), site="clinic-b")
    done.bundle.save(tmp_path / "M")
    again = ModelBundle.load(tmp_path / "M", verify=True)
    assert again.name == "pain-clinic-b"
    assert "clinic-b" in again.card
    assert again.about.recalibration.source == "pain 1.0.0"
    assert again.about.recalibration.mix == pytest.approx(MIX)
    assert (again.predict(AWAY.cargo).probabilities == done.bundle.predict(AWAY.cargo).probabilities).all()
    by_name = again.predict(AWAY.cargo, Use(site="clinic-b"))
    assert (by_name.probabilities == again.predict(AWAY.cargo).probabilities).all()
    with pytest.raises(InputError, match="site clinic-c: this model does not know it"):
        again.predict(AWAY.cargo, Use(site="clinic-c"))
    with pytest.raises(DesignError, match="is bound to clinic-b already; recalibrate the model it was made from"):
        recalibrate(again, given(some(12)[0], mix=MIX), site="clinic-c")


def test_a_model_of_a_site_still_answers_for_the_batches_of_its_training() -> None:
    there = recalibrate(MODEL, given(some(12)[0], mix=MIX), site="away").bundle
    for use in (Use(batch="B1"), Use(same_batch=True)):
        wanted = MODEL.predict(HOME.cargo, use)
        found = there.predict(HOME.cargo, use)
        assert (found.probabilities == wanted.probabilities).all()
        assert found.calls == wanted.calls


def test_samples_that_the_model_was_trained_on_are_left_out() -> None:
    both = COHORT.take(np.flatnonzero(np.isin(COHORT.groups, np.r_[HOME.groups[:20], AWAY.groups[:30]])))
    done = recalibrate(MODEL, given(both, mix=MIX, subjects=True), site="home").bundle
    inside = np.isin(both.groups, HOME.groups)
    assert done.about.recalibration.left_out_as_trained_on == inside.sum() > 0
    assert sum(done.about.recalibration.samples.values()) == (~inside).sum()
    with pytest.raises(DesignError, match=r"0 local samples \(\d+ as trained on left out\)"):
        recalibrate(MODEL, given(HOME, mix=MIX), site="home")


def test_a_model_of_a_site_remembers_its_local_samples() -> None:
    local, _ = some(12)
    there = recalibrate(MODEL, given(local, mix=MIX), site="away").bundle
    assert there.trained_on is not None
    ways = there.trained_on.recognised(
        there.blend, there.panel.molecules, there.panel.values(local.cargo), local.cargo.sample_ids, None,
        there.about.training.data_sha256,
    )  # fmt: skip
    assert np.any(list(ways.values()), axis=0).all()


def test_a_model_that_ranks_no_better_than_chance_does_not_pass() -> None:
    labels = tuple(map(str, np.random.default_rng(0).permutation(AWAY.y)))
    done = recalibrate(MODEL, LocalSamples(AWAY.cargo, labels), site="away")
    assert not done.decision["passed"]
    assert done.decision["sentence"].startswith("not passed")
    assert set(done.bundle.predict(AWAY.cargo).calls) == {"uncertain"}


@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        (given(some(1)[0], mix=MIX), DesignError, "1 local samples; a site needs 10 or more"),
        (given(some(9)[0], "all"), DesignError, "9 local samples; a site needs 10 or more"),
        (given(some(20)[0]), DesignError, r"neither the mix .* is stated nor 5 of one state are labelled.*give --mix"),
        (given(some(20)[0], mix={"control": 1.2}), InputError, r"mix: control=1\.2; give a share above 0 and below 1"),
        (
            given(some(20)[0], mix={"control": 0.5, "inflammatory": 0.2, "neuropathic": 0.2}), InputError,
            r"mix: the shares of all states add up to 0\.9; they must add up to 1",
        ),
        (given(some(20)[0], mix={"migraine": 0.5}), InputError, "mix: migraine is not a state of this model"),
        (
            given(some(20)[0], mix={"control": 0.6, "inflammatory": 0.37, "neuropathic": 0.03}), DesignError,
            r"mix: neuropathic=0\.03 is below 0\.05; .* label some of the samples",
        ),
        (
            LocalSamples(some(12)[0].cargo, ("migraine", *["control"] * 11)), InputError,
            "migraine is not a state of pain; its states are control, inflammatory, neuropathic; blank = not known",
        ),
    ],
    ids=["one", "nine", "nothing known", "a share above 1", "a mix below 1", "another state", "too rare", "a label"],
)  # fmt: skip
def test_what_says_too_little_of_a_site_is_refused(samples: LocalSamples, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        recalibrate(MODEL, samples, site="away")


def test_a_site_whose_samples_are_all_novel_is_refused() -> None:
    rng = np.random.default_rng(0)
    local = some(15)[0].cargo
    noise = replace(local, values=rng.poisson(5000, local.values.shape).astype(float))
    with pytest.raises(DesignError, match="all 15 local samples are unlike the training samples; check unit, kind"):
        recalibrate(MODEL, LocalSamples(noise, mix=MIX), site="away")


def test_another_unit_and_a_name_that_is_a_path_are_refused() -> None:
    logs = CargoTable.from_frame(np.log2(AWAY.cargo.to_frame() + 1), kind="mirna", unit="log2_intensity")
    with pytest.raises(ModelError, match="its unit is log2_intensity"):
        recalibrate(MODEL, LocalSamples(logs, mix=MIX), site="away")
    with pytest.raises(RecipeError, match="use letters, digits"):
        recalibrate(MODEL, given(AWAY, mix=MIX), site="../b")


def test_a_model_of_one_batch_learns_an_offset_and_still_calls_nothing_without_labels() -> None:
    one = fit(HOME.take(HOME.batches == "B1"), FAST, judge=False, name="one")
    done = recalibrate(one, given(some(20)[0], mix=MIX), site="away")
    assert not done.decision["passed"]
    assert set(done.bundle.predict(AWAY.cargo).calls) == {"uncertain"}
    assert {flag for flags in done.bundle.predict(AWAY.cargo).flags for flag in flags} >= {"one-batch"}


def run(tmp_path: Path, *words: object) -> Result:
    known = ("recalibrate", "pain", "--cargo", tmp_path / "cargo.csv", "--registry", tmp_path / "models")
    return CliRunner().invoke(app, [str(word) for word in (*known, *words)])


def labelled(tmp_path: Path) -> tuple[object, ...]:
    return ("--samples", tmp_path / "samples.csv", "--label", "label", "--subject", "subject")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    registry = Registry(tmp_path / "models")
    registry.add(MODEL)
    registry.promote("pain", "1.0.0", who="ann", why="first")
    local = each(12)[0]
    local.cargo.write(tmp_path / "cargo.csv")
    local.sheet.frame.to_csv(tmp_path / "samples.csv")
    return tmp_path


def test_the_command_keeps_and_promotes_a_model_of_the_site(place: Path) -> None:
    done = run(place, *labelled(place), "--site", "b", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["promoted"]
    registry = Registry(place / "models")
    assert registry.names() == ("pain", "pain-b")
    assert registry.champion("pain-b") == "1.0.0"
    assert registry.champion("pain") == "1.0.0"
    assert registry.decision("pain-b", "1.0.0")["passed"]  # type: ignore[index]
    again = run(place, *labelled(place), "--site", "b", "--promote", "never")
    assert "kept as" in again.stdout
    assert registry.champion("pain-b") == "1.0.0"
    assert len(registry.versions("pain-b")) == 2
    assert run(place, *labelled(place), "--site", "c", "--dry-run").exit_code == 0
    assert registry.names() == ("pain", "pain-b")
    listed = CliRunner().invoke(app, ["models", "list", "--registry", str(place / "models")])
    assert "passed" in listed.stdout


def test_the_command_takes_a_mix_instead_of_labels_and_says_what_it_learned(place: Path) -> None:
    done = run(place, "--mix", "control=.34,inflammatory=.33,neuropathic=.33", "--site", "b")
    assert done.exit_code == 0, done.output
    assert "this site lies" in done.stdout
    assert "learned: offset, from 36 samples" in done.stdout
    assert "passed" in done.stdout
    here = Registry(place / "models").load("pain-b", "1.0.0", verify=True)
    wanted = recalibrate(
        MODEL,
        LocalSamples(each(12)[0].cargo, mix={"control": 0.34, "inflammatory": 0.33, "neuropathic": 0.33}),
        site="b",
    ).bundle
    np.testing.assert_allclose(
        here.predict(AWAY.cargo).probabilities, wanted.predict(AWAY.cargo).probabilities, rtol=0, atol=1e-12
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "neither the mix"),
        (("--mix", "control=a"), "control"),
        (("--samples", "samples.csv"), "give both --samples and --label"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(place: Path, words: tuple[str, ...], message: str) -> None:
    done = run(place, *words, "--site", "b")
    assert done.exit_code == 2
    assert message in done.stderr
    assert Registry(place / "models").names() == ("pain",)


def test_a_required_signature_is_made_or_refused_before_any_work(place: Path) -> None:
    keys = ("--private", place / "k.pem", "--public", place / "k.pub")
    assert CliRunner().invoke(app, ["models", "keys", *map(str, keys)]).exit_code == 0
    refused = run(place, *labelled(place), "--site", "b", "--require-signature", place / "k.pub")
    assert refused.exit_code == 2
    assert "the new one would not be" in refused.stderr
    sign = ["models", "sign", "pain", "1.0.0", "--key", place / "k.pem", "--registry", place / "models"]
    assert CliRunner().invoke(app, [str(word) for word in sign]).exit_code == 0
    signing = ("--require-signature", place / "k.pub", "--sign-with", place / "k.pem")
    done = run(place, *labelled(place), "--site", "b", *signing)
    assert done.exit_code == 0, done.output
    assert Registry(place / "models").load("pain-b", require_signature=place / "k.pub").name == "pain-b"


def test_a_site_where_it_does_not_work_exits_3_and_is_not_put_into_use(place: Path) -> None:
    frame = pd.read_csv(place / "samples.csv", index_col=0)
    frame["label"] = frame["label"].sample(frac=1, random_state=1).to_numpy()
    frame.to_csv(place / "samples.csv")
    done = run(place, *labelled(place), "--site", "b")
    assert done.exit_code == 3, done.output
    with pytest.raises(ModelError, match="no version is in use"):
        Registry(place / "models").champion("pain-b")
