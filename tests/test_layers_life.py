"""A model of several layers in use: judged elsewhere, taken to a new site, followed, watched and trained again."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from cohorts import FAST
from exoclassify.cli.main import app
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.samples import SampleSheet
from exoclassify.errors import DesignError, InputError, ModelError
from exoclassify.lifecycle.external import evaluate
from exoclassify.lifecycle.fit import fit
from exoclassify.lifecycle.recalibrate import LocalSamples, recalibrate
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.course import followed
from exoclassify.model.prediction import Use
from exoclassify.model.registry import Registry
from exoclassify.simulation.design import SimulationDesign
from exoclassify.simulation.simulate import simulate

pytestmark = pytest.mark.slow

MADE = simulate(
    SimulationDesign(
        6, 300, ("control", "pain"), n_molecules=60, n_markers=8, effect=1.2, n_batches=3, batch_effect=0.6, repeats=0.0,
        visits=3, responders=0.5, layers=("mirna", "protein"), lacking=0.15,
    )
)  # fmt: skip
WHOLE = MADE.cohort
PERSON = np.array([int(person[1:]) for person in WHOLE.groups])
AWAY = WHOLE.take(WHOLE.batches == "B3")
NEW = WHOLE.take((WHOLE.batches != "B3") & (PERSON > 80))
HOME = WHOLE.take((WHOLE.batches != "B3") & (PERSON <= 80))
MIX = {state: float((AWAY.y == state).mean()) for state in AWAY.states}


@pytest.fixture(scope="module")
def model() -> ModelBundle:
    return fit(HOME, FAST, name="both", n_jobs=1)


def write(cohort: Cohort, folder: Path) -> None:
    folder.mkdir()
    for name, table in cohort.layers.items():
        table.write(folder / f"{name}.csv")
    cohort.sheet.frame.to_csv(folder / "samples.csv")


@pytest.fixture(scope="module")
def folder(model: ModelBundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("life")
    for name, cohort in (("home", HOME), ("new", NEW), ("away", AWAY)):
        write(cohort, where / name)
    model.save(where / "model")
    registry = Registry(where / "models")
    registry.add(model)
    registry.promote("both", "1.0.0", who="ann", why="first")
    return where


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def layers(folder: Path, *names: str, option: str = "--layer") -> list[object]:
    return [word for name in names or ("mirna", "protein") for word in (option, f"{name}={folder / name}.csv")]


COLUMNS = ("--label", "label", "--subject", "subject", "--batch", "batch")


def test_layers_are_judged_on_another_cohort_as_the_library_judges_them(model: ModelBundle, folder: Path) -> None:
    sheet = ("--samples", folder / "new" / "samples.csv")
    done = run(
        "evaluate", folder / "model", *layers(folder / "new"), *sheet, *COLUMNS, "--no-audit", "--jobs", 1, "--json"
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)["evaluation"]
    expected = evaluate(model, NEW)
    assert told["n_samples"] == NEW.n_samples
    assert told["figures"]["log_loss"]["value"] == pytest.approx(expected.figures.log_loss.value, abs=1e-9)
    alone = run(
        "evaluate", folder / "model", *layers(folder / "new", "protein"), *sheet, *COLUMNS, "--no-audit", "--jobs", 1, "--json"
    )  # fmt: skip
    one = json.loads(alone.stdout)["evaluation"]
    assert one["n_samples"] == NEW.layers["protein"].n_samples < NEW.n_samples
    assert one["figures"]["log_loss"]["value"] == pytest.approx(
        evaluate(model, NEW.of_layer("protein")).figures.log_loss.value, abs=1e-9
    )


def test_a_study_file_names_the_layers_for_every_command(folder: Path) -> None:
    study = folder / "new" / "cohort.toml"
    study.write_text(
        'samples = "samples.csv"\nlabel = "label"\nsubject = "subject"\nbatch = "batch"\ntime = "visit"\n'
        '[layers.mirna]\ncargo = "mirna.csv"\nkind = "mirna"\nunit = "counts"\n'
        '[layers.protein]\ncargo = "protein.csv"\nkind = "protein"\nunit = "intensity"\n'
    )
    for words in (
        ("evaluate", folder / "model", study, "--no-audit", "--jobs", 1),
        ("follow", folder / "model", study, "--subject", "P0081"),
        ("monitor", "both", study, "--registry", folder / "models"),
        ("recalibrate", "both", study, "--site", "here", "--registry", folder / "models", "--dry-run"),
    ):
        done = run(*words)
        assert done.exit_code == 0, (words, done.output)


def test_samples_that_were_trained_on_are_known_again_by_their_layers(folder: Path) -> None:
    sheet = pd.read_csv(folder / "home" / "samples.csv")
    sheet["subject"] = "Q" + sheet["subject"]
    sheet["sample_id"] = "again-" + sheet["sample_id"]
    (folder / "again").mkdir()
    sheet.to_csv(folder / "again" / "samples.csv", index=False)
    for name in ("mirna", "protein"):
        table = pd.read_csv(folder / "home" / f"{name}.csv")
        table["sample_id"] = "again-" + table["sample_id"]
        table.to_csv(folder / "again" / f"{name}.csv", index=False)
    done = run(
        "evaluate", folder / "model", *layers(folder / "again"), "--samples", folder / "again" / "samples.csv", *COLUMNS,
        "--no-audit", "--jobs", 1,
    )  # fmt: skip
    assert done.exit_code == 2
    assert f"was trained on all {HOME.n_samples} samples ({HOME.n_samples} by near-duplicate cargo)" in done.output


# A new site.


def local(rows: np.ndarray, *names: str, **said: Any) -> LocalSamples:
    part = AWAY.take(rows)
    return LocalSamples({name: part.layers[name] for name in names or part.layers}, **said)


def loss(bundle: ModelBundle, cohort: Cohort) -> float:
    p = bundle.interpret(cohort.sheet.sample_ids, bundle.measure(bundle.values(cohort)), USE).probabilities
    return float(-np.log(p[np.arange(cohort.n_samples), [AWAY.states.index(state) for state in cohort.y]]).mean())


USE = Use()
FIRST = np.flatnonzero(np.isin(AWAY.groups, np.unique(AWAY.groups)[:12]))
REST = AWAY.take(np.setdiff1d(np.arange(AWAY.n_samples), FIRST))


def test_a_profile_of_the_fused_score_helps_samples_with_and_without_each_layer(model: ModelBundle) -> None:
    bundle = recalibrate(model, local(FIRST, mix=MIX), site="b").bundle
    for cohort in (REST, REST.of_layer("mirna"), REST.of_layer("protein")):
        assert loss(bundle, cohort) < loss(model, cohort)
    with pytest.raises(DesignError, match=r"lack a layer.*each with mirna and protein; or train a model of one layer"):
        recalibrate(model, local(FIRST, "protein", mix=MIX), site="b")


def test_the_command_makes_the_library_s_profile_and_no_answer_depends_on_its_neighbours(
    model: ModelBundle, folder: Path
) -> None:
    done = run(
        "recalibrate", "both", *layers(folder / "away"), "--samples", folder / "away" / "samples.csv", "--label", "label",
        "--subject", "subject", "--site", "b", "--registry", folder / "models",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    here = Registry(folder / "models").load("both-b", verify=True)
    ids = local(np.arange(AWAY.n_samples)).sample_ids
    said = AWAY.sheet.frame.loc[list(ids)]
    whole = local(np.arange(AWAY.n_samples), labels=tuple(said["label"]), subjects=tuple(said["subject"]))
    wanted = recalibrate(model, whole, site="b").bundle
    X = here.values(AWAY)
    found = here.judge(here.measure(X), USE)
    assert (found.probabilities == wanted.judge(wanted.measure(X), USE).probabilities).all()
    for i in range(0, len(X), 9):
        assert (here.judge(here.measure(X[i : i + 1]), USE).probabilities[0] == found.probabilities[i]).all()


def test_a_steeper_head_of_a_site_reads_the_weights_of_the_first(model: ModelBundle) -> None:
    known = model.blend.calibration
    heads = (*known.heads, known.heads[0].steeper(0.5))
    bent = model.blend.with_calibration(dataclasses.replace(known, heads=heads))
    log_odds = bent.evaluate(model.values(AWAY))[0]
    np.testing.assert_allclose(log_odds[-1], 0.5 * log_odds[0], rtol=1e-9, atol=1e-9)


def test_local_samples_in_which_too_little_was_measured_are_left_out_and_counted(model: ModelBundle) -> None:
    part = AWAY.take(FIRST)
    table = part.layers["mirna"]
    values = table.values.copy()
    values[:4, 5:] = np.nan  # of the first four samples only five molecules are left, and no proteins
    protein = part.layers["protein"]
    others = protein.take(~np.isin(protein.sample_ids, table.sample_ids[:4]))
    tables = {"mirna": dataclasses.replace(table, values=values), "protein": others}
    done = recalibrate(model, LocalSamples(tables, mix=MIX), site="b").bundle
    told = done.about.recalibration
    assert told.left_out_as_not_measured == 4
    assert sum(told.samples.values()) + told.left_out_for_missing_layers == len(FIRST) - 4
    few = {name: one.take(np.arange(6)) for name, one in tables.items()}
    with pytest.raises(
        DesignError,
        match=r"2 local samples \(4 as hardly measured, 4 as they lack a layer.* left out\); a site needs 10",
    ):
        recalibrate(model, LocalSamples(few, mix=MIX), site="b")


# Over time.


def test_a_course_compares_visits_by_the_layers_that_all_of_them_have(model: ModelBundle, folder: Path) -> None:
    done = run(
        "follow", folder / "model", *layers(folder / "new"), "--samples", folder / "new" / "samples.csv", "--batch", "batch",
        "--out", folder / "course",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    told = {one["subject"]: one for one in json.loads((folder / "course" / "course.json").read_text())}
    has = set(NEW.layers["protein"].sample_ids)
    for person, one in told.items():
        mine = [visit["sample_id"] in has for visit in one["visits"]]
        shared = ["mirna", "protein"] if all(mine) else ["mirna"]
        assert one["compared_on"] == shared, person
        assert [len(visit["layers"]) for visit in one["visits"]] == [1 + there for there in mine]
        noise = next(part for part in model.about.retest.layers if list(part.layers) == shared)
        assert one["noise"]["sd"] == pytest.approx(noise.sd)
    assert {tuple(one["compared_on"]) for one in told.values()} == {("mirna",), ("mirna", "protein")}
    recovered = set(NEW.sheet.frame.loc[NEW.sheet.frame["response"] == "responder", "subject"])
    seen = {person: told[person]["changed"] for person in told if len(told[person]["compared_on"]) == 2}
    assert np.mean([changed for person, changed in seen.items() if person in recovered]) > 0.6
    assert np.mean([changed for person, changed in seen.items() if person not in recovered]) < 0.4


def test_a_layer_that_is_lost_is_no_change(model: ModelBundle) -> None:
    has = set(NEW.layers["protein"].sample_ids)
    person = next(p for p in np.unique(NEW.groups) if set(np.array(NEW.sheet.sample_ids)[NEW.groups == p]) <= has)
    first = NEW.sheet.sample_ids[int(np.flatnonzero(NEW.groups == person)[0])]
    tables = {name: table.for_samples([first]) for name, table in NEW.layers.items()}
    later = {name: dataclasses.replace(table, sample_ids=("later",)) for name, table in tables.items()}
    both = {"mirna": beneath(tables["mirna"], later["mirna"]), "protein": tables["protein"]}
    frame = pd.DataFrame({"subject": person, "visit": ["V1", "V2"]}, index=[first, "later"])
    [found] = followed(model, both, SampleSheet(frame, subject_column="subject", time_column="visit"))
    assert found.answers.layers == (("mirna", "protein"), ("mirna",))
    assert (found.change == 0).all()
    apart = {"mirna": later["mirna"], "protein": tables["protein"]}
    with pytest.raises(InputError, match=r"no layer .* is read at every visit \(V1: protein, V2: mirna\)"):
        followed(model, apart, SampleSheet(frame, subject_column="subject", time_column="visit"))


def beneath(one: CargoTable, two: CargoTable) -> CargoTable:
    values = np.concatenate([one.values, two.values])
    return dataclasses.replace(one, values=values, sample_ids=one.sample_ids + two.sample_ids)


def test_noise_of_each_set_of_layers_may_come_from_files_of_repeats(folder: Path) -> None:
    sheet = folder / "new" / "samples.csv"
    done = run(
        "follow", folder / "model", *layers(folder / "new"), "--samples", sheet, "--subject", "P0082",
        *layers(folder / "new", option="--repeats-layer"), "--repeats-samples", sheet,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "(mirna.csv, protein.csv)" in done.output


def test_a_model_whose_noise_was_learned_for_all_layers_together_says_what_it_needs(model: ModelBundle) -> None:
    old = model.about.model_copy(update={"retest": model.about.retest.model_copy(update={"layers": None})})
    with pytest.raises(ModelError, match=r"before noise was learned for each set of layers; train it again, or give"):
        followed(dataclasses.replace(model, about=old), NEW.layers, NEW.sheet)


# Watched.


def test_a_missing_layer_is_no_drift_and_one_that_moved_is_named(folder: Path) -> None:
    asked = ("monitor", "both", "--registry", folder / "models", "--json")
    usual = json.loads(run(*asked, *layers(folder / "new")).stdout)
    assert usual["alarms"] == []
    assert usual["input"]["n"] == NEW.n_samples
    alone = json.loads(run(*asked, *layers(folder / "new", "mirna")).stdout)
    assert alone["input"]["n_moved"] == 0
    (folder / "moved").mkdir()
    table = pd.read_csv(folder / "new" / "protein.csv", index_col=0)
    (table * np.exp2(np.linspace(-4, 4, table.shape[1]))).to_csv(folder / "moved" / "protein.csv")
    moved = json.loads(run(*asked, *layers(folder / "moved", "protein")).stdout)
    assert moved["input"]["n_moved"] > 20
    assert all(one["molecule"].startswith("protein:") for one in moved["input"]["moved"])


# Trained again.


def test_a_challenger_of_layers_is_trained_on_earlier_and_new_samples_and_judged(folder: Path) -> None:
    recipe = folder / "fast.toml"
    recipe.write_text(
        "[folds]\nouter = 3\nrepeats = 1\ninner = 3\n[gate]\naudit = false\nmargin = 1\ngroup_margin = 1\n"
        '[[voices]]\nlearner = "ridge"\n'
    )
    place = Path(shutil.copytree(folder / "models", folder / "again-models"))
    asked = ("--label", "label", "--subject", "subject", "--batch", "batch", "--registry", place, "--jobs", 1)
    done = run(
        "retrain", "both", *layers(folder / "new"), "--samples", folder / "new" / "samples.csv", *asked, "--recipe", recipe,
        "--add-to", folder / "home", "--keep-data", folder / "kept", *layers(folder / "away", option="--external-layer"),
        "--external-samples", folder / "away" / "samples.csv", "--json", "--promote", "never",
    )  # fmt: skip
    assert done.exit_code in (0, 3), done.output
    told = json.loads(done.stdout)
    assert f"on {NEW.n_samples} samples that 1.0.0 was not trained on" in told["sentence"]
    assert {line.split(",")[0].split("  ")[1] for line in told["lines"]} == {"new samples", "external samples"}
    challenger = ModelBundle.load(told["kept"], verify=True)
    assert challenger.layers == ("mirna", "protein")
    assert sum(challenger.training.samples.values()) == HOME.n_samples + NEW.n_samples
    assert sorted(path.name for path in (folder / "kept").iterdir()) == [
        "mirna.parquet",
        "protein.parquet",
        "samples.csv",
    ]
    wrong = run(
        "retrain", "both", *layers(folder / "new"), "--samples", folder / "new" / "samples.csv", *asked, "--add-to",
        folder / "away",
    )  # fmt: skip
    assert wrong.exit_code == 2
    assert "give the data it was trained on" in wrong.output
    same = run("retrain", "both", *layers(folder / "home"), "--samples", folder / "home" / "samples.csv", *asked)
    assert same.exit_code == 3
    assert "nothing new: both 1.0.0 was made of these samples by this recipe" in same.output


# What does not fit.


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--cargo", "new/mirna.csv"), "both reads layers .* give each with --layer NAME=TABLE"),
        (("--layer", "mrna=new/mirna.csv"), "layer mrna is none of this model's; its layers are mirna, protein"),
        (("--layer", "protein=new/protein.csv:protein:log2_intensity"), "its unit is log2_intensity"),
        (("--layer", "mirna=new/mirna.csv", "--layer", "mirna=new/mirna.csv"), "--layer mirna is given twice"),
        (("--layer", "mirna=new/nowhere.csv"), "nowhere.csv: there is no such file"),
        ((), "give one table with --cargo, or layers with --layer"),
    ],
)
def test_layers_that_do_not_fit_the_model_are_one_line_at_every_door(
    folder: Path, words: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    sheet = ("--samples", "new/samples.csv")
    doors: list[tuple[str, ...]] = [
        ("evaluate", "model", *sheet, "--label", "label"),
        ("follow", "model", *sheet),
        ("recalibrate", "both", "--site", "x", "--mix", "control=.5,pain=.5"),
        ("retrain", "both", *sheet, "--label", "label"),
    ]
    if words:  # without a table it looks at records
        doors.append(("monitor", "both"))
    for door in doors:
        done = run(*door, *words)
        assert done.exit_code == 2, (door, done.output)
        assert re.search(message, " ".join(done.output.split())), (door, done.output)


def test_covariates_of_a_model_are_read_from_the_sheet_at_every_door(folder: Path, tmp_path: Path) -> None:
    cohorts = {}
    for name, cohort in (("home", HOME), ("new", NEW), ("away", AWAY)):
        rng = np.random.default_rng(len(name))
        age = np.where(cohort.y == "pain", 60, 50) + rng.normal(0, 8, cohort.n_samples).round(1)
        frame = cohort.sheet.frame.assign(age=age, sex=rng.choice(["F", "M"], cohort.n_samples))
        cohorts[name] = dataclasses.replace(cohort, sheet=dataclasses.replace(cohort.sheet, frame=frame))
        write(cohorts[name], tmp_path / name)
    bundle = fit(cohorts["home"], FAST, name="aged", covariates=("age", "sex"), with_covariates=True, judge=False)
    assert bundle.layers == ("mirna", "protein", "covariates")
    bundle.save(tmp_path / "model")
    registry = Registry(tmp_path / "models")
    registry.add(bundle)
    registry.promote("aged", "1.0.0", who="ann", why="first")
    expected = evaluate(bundle, cohorts["new"]).figures.log_loss.value
    assert expected != pytest.approx(evaluate(bundle, NEW).figures.log_loss.value, abs=1e-6)
    said = ("--samples", tmp_path / "new" / "samples.csv")
    done = run(
        "evaluate", tmp_path / "model", *layers(tmp_path / "new"), *said, *COLUMNS, "--no-audit", "--jobs", 1, "--json"
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["evaluation"]["figures"]["log_loss"]["value"] == pytest.approx(expected, abs=1e-9)
    site = run(
        "recalibrate", "aged", *layers(tmp_path / "away"), "--samples", tmp_path / "away" / "samples.csv", "--label", "label",
        "--site", "b", "--registry", tmp_path / "models", "--dry-run",
    )  # fmt: skip
    assert site.exit_code == 0, site.output
    same = run(
        "retrain", "aged", *layers(tmp_path / "home"), "--samples", tmp_path / "home" / "samples.csv", *COLUMNS, "--registry",
        tmp_path / "models", "--dry-run", "--jobs", 1,
    )  # fmt: skip
    assert "nothing new: aged 1.0.0 was made of these samples by this recipe" in same.output
