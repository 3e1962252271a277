"""Several layers of the same people: one model, whatever is missing."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control
from sklearn.base import clone
from typer.testing import CliRunner

from exoclassify.auditing.layers import missing_layers
from exoclassify.cli.main import app
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.covariates import covariate_table, with_covariates
from exoclassify.data.layers import LayerFile
from exoclassify.data.samples import SampleSheet
from exoclassify.data.study import Study
from exoclassify.discovery.discover import discover_layers
from exoclassify.errors import DesignError, InputError, ModelError
from exoclassify.learning.fuse import fit_weights
from exoclassify.learning.learn import learn
from exoclassify.learning.samples import Samples
from exoclassify.lifecycle.estimator import ExoClassifier
from exoclassify.lifecycle.fit import fit
from exoclassify.methods.fusion import fused, trusted
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.explain import contributions
from exoclassify.model.layered import LayeredBlend
from exoclassify.model.prediction import Use
from exoclassify.scoring.layers import joined_layers
from exoclassify.scoring.stream import score_files
from exoclassify.simulation.simulate import simulate
from service.predict import check_asked, result, rows_of
from service.schemas import PredictRequest
from tests.cohorts import FAST

pytestmark = pytest.mark.slow

SAME = Use(same_batch=True)


def layered(n: int = 72, seed: int = 0, *, lacking: int = 12, with_state: bool = False, noise: bool = False) -> Cohort:
    """Counts and scores of the same people in two batches, two samples each; the last layer lacks some samples."""
    rng = np.random.default_rng(seed)
    person = np.arange(n) // 2
    y = person % 2
    log_mean = rng.normal(5, 1.5, 40) + np.zeros((n, 1)) + rng.normal(0, 0.4, (n // 2, 40))[person]
    log_mean[y == 1, :4] += 0.7
    counts = rng.poisson(np.exp2(log_mean)).astype(float)
    scores = rng.normal(0, 1, (n, 30)) + rng.normal(0, 0.4, (n // 2, 30))[person]
    if not noise:
        scores[y == 1, :4] += 0.7
    ids = tuple(f"S{i:03d}" for i in range(n))
    frame = pd.DataFrame(
        {"label": np.where(y == 1, "pain", "control"), "who": [f"P{p:02d}" for p in person], "run": person // 2 % 2},
        index=list(ids),
    ).astype(str)
    gone = np.flatnonzero(y == 1)[:lacking] if with_state else rng.permutation(n)[:lacking]
    has = ~np.isin(np.arange(n), gone)
    tables = {
        "mirna": CargoTable(counts, ids, tuple(f"hsa-miR-{i + 1}-5p" for i in range(40)), "mirna", "counts"),
        "cells": CargoTable(
            scores[has], tuple(np.array(ids)[has]), tuple(f"cell {i}" for i in range(30)), "other", "value"
        ),
    }
    return Cohort.from_layers(tables, SampleSheet(frame, "label", "who", "run"))


COHORT = layered()


@cache
def model_of_layers():
    return fit(COHORT, FAST, judge=False)


@cache
def judged_on_layers():
    return fit(COHORT, FAST, n_jobs=1)


NEW = layered(seed=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The new samples as files, and the model."""
    where = tmp_path_factory.mktemp("layers")
    for name, table in NEW.layers.items():
        table.write(where / f"{name}.csv")
    NEW.sheet.frame.to_csv(where / "samples.csv", index_label="sample_id")
    model_of_layers().save(where / "model")
    return where


def test_one_layer_under_a_name_gives_the_model_of_one_table() -> None:
    alone = COHORT.of_layer("mirna")
    named = Cohort.from_layers({"anything": alone.cargo}, alone.sheet)
    one, other = (fit(cohort, FAST, judge=False) for cohort in (alone, named))
    assert one.layers == other.layers == ()
    X = alone.cargo.values[:5, : len(one.panel.molecules)]
    assert (one.measure(X).log_odds == other.measure(X).log_odds).all()


def test_layers_sum_over_whatever_is_there_and_a_missing_one_adds_nothing() -> None:
    log_odds = np.array([[[1.0, -1.0], [2.0, -2.0]], [[np.nan, np.nan], [1.0, -1.0]]])
    weights = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.5, 0.25]])
    np.testing.assert_array_equal(fused(log_odds, weights), [[1.0, -1.0], [1.25, -1.25]])
    nothing = np.full((2, 1, 2), np.nan)
    np.testing.assert_array_equal(fused(nothing, weights), [[0.0, 0.0]])


def test_weights_are_equal_for_layers_that_say_the_same_and_lean_to_the_one_that_says_more() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    told = (y * 2 - 1) * 0.8 + rng.normal(size=200)
    signal, noise = (np.stack([-v, v], axis=1) for v in (told, rng.normal(size=200)))
    batch, prevalence = np.zeros(200, dtype=np.intp), np.array([0.5, 0.5])
    same = fit_weights(np.stack([signal, signal]), y, batch, 1, prevalence)[3]
    np.testing.assert_allclose(same[0], same[1], rtol=1e-4)
    apart = fit_weights(np.stack([signal, noise]), y, batch, 1, prevalence)
    assert apart[3, 0] > 2 * apart[3, 1]
    np.testing.assert_array_equal(apart[1:3], np.eye(2))
    few = fit_weights(np.stack([signal, noise])[:, :6], y[:6], batch[:6], 1, prevalence)
    np.testing.assert_array_equal(few[3], [0.5, 0.5])


def test_a_layer_unlike_training_is_not_read_beside_one_that_is_usual() -> None:
    known = [np.linspace(0, 1, 99)] * 2
    residuals = np.array([[0.5, 0.5, 5.0, 5.0], [0.5, 5.0, 5.0, np.nan]])
    assert trusted(residuals, known).T.tolist() == [[True, True], [True, False], [True, True], [True, False]]


def test_every_row_is_answered_as_it_is_alone_whatever_others_lack() -> None:
    ids, X = model_of_layers().rows(NEW.layers)
    whole = model_of_layers().predict(NEW.layers, SAME)
    for i in range(0, len(ids), 7):
        alone = model_of_layers().interpret(ids[i : i + 1], model_of_layers().measure(X[i : i + 1]), SAME)
        assert (alone.probabilities[0] == whole.probabilities[i]).all()
        cargo = {
            name: {m: None if np.isnan(v) else v for m, v in zip(t.molecules, t.values[t.sample_ids.index(ids[i])], strict=True)}
            for name, t in NEW.layers.items()
            if ids[i] in t.sample_ids
        }  # fmt: skip
        one = model_of_layers().predict_one(cargo, SAME, sample_id=ids[i])
        assert (one.probabilities[0] == whole.probabilities[i]).all()
        assert one.layers[0] == whole.layers[i]
    lacking = [
        used for sample, used in zip(ids, whole.layers, strict=True) if sample not in NEW.layers["cells"].sample_ids
    ]
    assert len(lacking) == 12
    assert set(lacking) == {("mirna",)}


def test_a_layer_alone_is_answered_as_by_the_model_of_that_layer_but_for_the_common_shift() -> None:
    samples = Samples.of(COHORT)
    learned = learn(samples, FAST)
    for layer in samples.layers:
        _, alone = samples.of_layer(layer)
        own = learn(alone, FAST)
        X = np.full((20, samples.X.shape[1]), np.nan)
        X[:, layer.start : layer.stop] = alone.X[:20]
        both = learned.blend.evaluate(X[:, learned.support])[0][-1]
        mine = own.blend.evaluate(alone.X[:20, own.support])[0][-1]
        difference = (both - mine)[:, 1] - (both - mine)[:, 0]
        np.testing.assert_allclose(difference, difference[0], atol=1e-6)


def test_a_saved_model_answers_the_same_and_knows_its_layers(folder: Path) -> None:
    again = ModelBundle.load(folder / "model", verify=True)
    assert again.layers == ("mirna", "cells")
    assert (again.predict(NEW.layers).probabilities == model_of_layers().predict(NEW.layers).probabilities).all()


def test_explanations_add_up_over_the_layers() -> None:
    _, X = model_of_layers().rows(NEW.layers)
    X = X[:30]
    for head in range(len(model_of_layers().blend.calibration.heads)):
        parts, base = contributions(model_of_layers(), X, head)
        np.testing.assert_allclose(base + parts.sum(axis=1), model_of_layers().compiled.evaluate(X)[0][head], atol=1e-9)
    lacks = np.isnan(X[:, -1])
    assert (parts[lacks][:, X.shape[1] - 1] == 0).all()


def test_every_set_of_layers_is_judged_in_the_same_folds_and_so_is_what_a_layer_adds() -> None:
    found = judged_on_layers().evaluation.cross_validation.layers
    assert [one.layers for one in found.sets] == [("mirna", "cells"), ("mirna",), ("cells",)]
    assert [one.n_samples for one in found.sets] == [60, 72, 60]
    by_name = {"+".join(one.layers): one.figures.auc for one in found.sets}
    assert by_name["mirna+cells"].value > 0.8
    added = {one.layer: one for one in found.added}
    gain = added["cells"].figures.auc
    assert gain.low < gain.value < gain.high
    assert f"Adding cells to mirna changes the AUC by {gain.value:+.3f}" in judged_on_layers().card
    assert added["cells"].sentence in (judged_on_layers().report or "")


@pytest.mark.slow
def test_a_layer_without_signal_costs_little() -> None:
    useless = fit(layered(100, seed=3, noise=True), FAST, n_jobs=1).evaluation.cross_validation.layers
    lost = next(one for one in useless.added if one.layer == "cells").figures.auc.value
    assert lost > -0.01


@pytest.mark.slow
def test_a_layer_missing_with_the_state_is_critical_and_never_a_feature() -> None:
    [finding] = missing_layers(layered(with_state=True, lacking=20))
    assert finding.severity == "critical"
    assert "20 of 72 samples lack layer cells" in finding.message
    [chance] = missing_layers(layered())
    assert chance.severity == "info"
    noise = layered(120, seed=4, noise=True, lacking=30, with_state=True)
    shuffled = replace(noise.layers["mirna"], values=np.random.default_rng(0).permutation(noise.layers["mirna"].values))
    blind = Cohort.from_layers({"mirna": shuffled, "cells": noise.layers["cells"]}, noise.sheet)
    figures = fit(blind, FAST, n_jobs=1).evaluation.cross_validation.figures
    assert figures.auc.value < 0.65  # which samples lack the layer alone would give .75


@pytest.mark.slow
def test_the_command_line_trains_and_scores_layers_and_says_which_were_used(folder: Path) -> None:
    run = CliRunner()
    said = ["--samples", str(folder / "samples.csv"), "--label", "label", "--subject", "who", "--batch", "run"]
    layers = [
        "--layer",
        f"mirna={folder / 'mirna.csv'}:mirna:counts",
        "--layer",
        f"cells={folder / 'cells.csv'}:other:value",
    ]
    done = run.invoke(app, ["train", *layers, *said, "--no-judge", "--out", str(folder / "again")])
    assert done.exit_code == 0, done.output
    given = ["--layer", f"cells={folder / 'cells.csv'}", "--layer", f"mirna={folder / 'mirna.csv'}"]
    done = run.invoke(
        app,
        ["score", str(folder / "model"), *given, "--same-batch", "--out", str(folder / "out.csv"), "--explain", "2"],
    )
    assert done.exit_code == 0, done.output
    answers = pd.read_csv(folder / "out.csv", index_col=0)
    expected = model_of_layers().predict(NEW.layers, SAME).to_frame().set_index("sample_id").loc[answers.index]
    assert (answers["p_pain"] == expected["p_pain"]).all()
    assert answers["layers"].tolist() == expected["layers"].tolist()
    assert set(answers["layers"]) >= {"mirna", "mirna;cells"}
    moved = pd.read_csv(folder / "out.explained.csv")["molecule"].str.partition(":")[0]
    assert set(moved) == {"mirna", "cells"}


def test_one_table_with_names_of_layers_is_read_as_a_stream_and_gives_the_same(folder: Path) -> None:
    with joined_layers(
        model_of_layers().panel, [LayerFile(name, str(folder / f"{name}.csv")) for name in NEW.layers]
    ) as path:
        score_files(model_of_layers(), path, folder / "joined.csv")
    answers = pd.read_csv(folder / "joined.csv", index_col=0)
    expected = model_of_layers().predict(NEW.layers).to_frame().set_index("sample_id").loc[answers.index]
    assert (answers["p_pain"] == expected["p_pain"]).all()


@pytest.mark.slow
def test_a_study_file_names_layers(folder: Path) -> None:
    text = (
        'samples = "samples.csv"\nlabel = "label"\nsubject = "who"\nbatch = "run"\n'
        '[layers.mirna]\ncargo = "mirna.csv"\nkind = "mirna"\nunit = "counts"\n'
        '[layers.cells]\ncargo = "cells.csv"\nkind = "other"\nunit = "value"\n'
    )
    (folder / "cohort.toml").write_text(text)
    study = Study.read(folder / "cohort.toml")
    assert Cohort.of_study(study).digest() == NEW.digest()
    (folder / "written.toml").write_text(study.write_text({}))
    done = CliRunner().invoke(
        app, ["train", str(folder / "cohort.toml"), "--no-judge", "--out", str(folder / "of-study")]
    )
    assert done.exit_code == 0, done.output
    about = json.loads((folder / "of-study" / "bundle.json").read_text())
    assert about["training"]["data_sha256"] == NEW.digest()


@pytest.mark.parametrize(
    ("text", "match"), [("protein", "write NAME=TABLE:KIND:UNIT"), ("a b=x.csv", "write NAME=TABLE:KIND:UNIT")]
)
def test_a_layer_is_written_with_its_name(text: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        LayerFile.parse(text)


def test_a_colon_in_a_path_is_no_kind() -> None:
    assert LayerFile.parse("p=C:/a/b.csv") == LayerFile("p", "C:/a/b.csv")
    assert LayerFile.parse("p=C:/a/b.csv:protein:npx") == LayerFile("p", "C:/a/b.csv", "protein", "log2_intensity")


def test_what_does_not_fit_is_said_in_one_line() -> None:
    other = dict(COHORT.layers)
    renamed = tuple(f"T{i}" for i in range(other["cells"].n_samples))
    frame = pd.concat([COHORT.sheet.frame, COHORT.sheet.frame.iloc[: len(renamed)].set_axis(list(renamed))])
    sheet = replace(COHORT.sheet, frame=frame)
    apart = {**other, "cells": CargoTable(other["cells"].values, renamed, other["cells"].molecules, "other", "value")}
    with pytest.raises(
        DesignError, match=r"layer mirna .* shares no sample with the other layers .* write the sample ids alike"
    ):
        Cohort.from_layers(apart, sheet)
    cells = NEW.layers["cells"]
    with pytest.raises(ModelError, match="its unit is log2_intensity, and this model was trained on value"):
        model_of_layers().predict(
            {"cells": CargoTable(cells.values, cells.sample_ids, cells.molecules, "other", "log2_intensity")}
        )
    with pytest.raises(ModelError, match="layer lipids is none of this model's; its layers are mirna, cells"):
        model_of_layers().predict({"lipids": cells})
    with pytest.raises(ModelError, match="this model reads 2 layers; give each table with its name"):
        model_of_layers().predict(cells)
    with pytest.raises(ModelError, match="no layer is given"):
        model_of_layers().predict({})
    with pytest.raises(InputError, match="hsa-miR-1-5p is of no layer"):
        model_of_layers().predict_one({"hsa-miR-1-5p": 3.0})


def test_the_service_takes_cargo_by_layer_and_says_which_layers_it_used() -> None:
    ids, X = model_of_layers().rows(NEW.layers)
    lacks, whole = (int(np.flatnonzero(np.isnan(X).any(axis=1) == missing)[0]) for missing in (True, False))
    samples = []
    for i in (whole, lacks):
        values = dict(zip(model_of_layers().panel.molecules, X[i].tolist(), strict=True))
        cargo: dict[str, dict[str, float]] = {}
        for name, value in values.items():
            layer, _, molecule = name.partition(":")
            if not np.isnan(value):
                cargo.setdefault(layer, {})[molecule] = value
        samples.append({"sample_id": ids[i], "cargo": cargo})
    asked = msgspec.json.decode(
        msgspec.json.encode({"kind": "layers", "unit": "layers", "samples": samples}), type=PredictRequest
    )
    check_asked(asked, model_of_layers())
    rows = rows_of(asked.samples, model_of_layers())
    np.testing.assert_array_equal(rows, X[[whole, lacks]])
    found = model_of_layers().interpret((ids[whole], ids[lacks]), model_of_layers().measure(rows), SAME)
    answers = [result(found, i, sample) for i, sample in enumerate(asked.samples)]
    assert answers[1].layers == ["mirna"]
    expected = model_of_layers().predict(NEW.layers, SAME).probabilities[[whole, lacks], 1]
    assert [answer.probabilities["pain"] for answer in answers] == expected.tolist()


def aged() -> Cohort:
    """The counts alone, with an age that goes with the state, a sex that does not, and some cells empty."""
    alone = layered(seed=2).of_layer("mirna")
    rng = np.random.default_rng(1)
    pain = alone.sheet.frame["label"] == "pain"
    frame = alone.sheet.frame.assign(
        age=np.round(50 + 10 * pain + rng.normal(0, 8, len(pain))).astype(int).astype(str),
        sex=rng.permutation(np.resize(["F", "M"], len(pain))),
        clinic=[f"C{i}" for i in range(len(pain))],
    )
    frame.iloc[:3, frame.columns.get_loc("sex")] = None
    return replace(alone, sheet=replace(alone.sheet, frame=frame))


AGED = aged()


def test_covariates_alone_cargo_alone_and_both_are_judged_in_the_same_folds() -> None:
    plain, told = (fit(AGED, FAST, n_jobs=1, covariates=named) for named in ((), ("age", "sex")))
    found = told.evaluation.covariates
    assert plain.evaluation.covariates is None
    sets = {"+".join(one.layers): one.figures.auc.value for one in found.sets}
    assert set(sets) == {"mirna", "covariates", "mirna+covariates"}
    assert 0.65 < sets["covariates"] < 0.95
    assert told.layers == ()
    assert [one.layer for one in found.added] == ["mirna", "covariates"]
    assert "Adding mirna to covariates changes the AUC by" in told.card
    assert (told.golden == plain.golden).all()


def test_covariates_are_shipped_as_a_layer_when_asked_and_read_from_a_sheet(tmp_path: Path) -> None:
    model = fit(AGED, FAST, judge=False, covariates=("age", "sex"), with_covariates=True)
    assert model.layers == ("mirna", "covariates")
    assert [name for name in model.panel.molecules if name.startswith("covariates:")] == [
        "covariates:age",
        "covariates:sex=M",
    ]
    AGED.cargo.write(tmp_path / "cargo.csv")
    AGED.sheet.frame.to_csv(tmp_path / "sheet.csv", index_label="sample_id")
    files = [LayerFile("mirna", str(tmp_path / "cargo.csv")), LayerFile("covariates", str(tmp_path / "sheet.csv"))]
    with joined_layers(model.panel, files) as path:
        score_files(model, path, tmp_path / "out.csv")
    answers = pd.read_csv(tmp_path / "out.csv", index_col=0)
    table = covariate_table(AGED.sheet.frame, ["age", "sex=M"], "sheet")
    expected = model.predict({"mirna": AGED.cargo, "covariates": table}).to_frame().set_index("sample_id")
    assert (answers["p_pain"] == expected.loc[answers.index, "p_pain"]).all()
    one = model.predict_one({"covariates": {"age": 61.0}}, SAME)
    assert one.layers == (("covariates",),)
    assert one.flags == model.predict_one({"covariates": {"age": 61.0, "sex=M": None}}, SAME).flags


@pytest.mark.parametrize(
    ("columns", "match"),
    [(("height",), "there is no covariate column height"), (("clinic",), "clinic cannot be used as covariates")],
)
def test_a_covariate_that_cannot_be_used_is_named(columns: tuple[str, ...], match: str) -> None:
    with pytest.raises(InputError, match=match):
        with_covariates(AGED, columns)


def test_markers_are_sought_in_each_layer_with_q_values_over_all(folder: Path) -> None:
    found = discover_layers(COHORT, state="pain", seed=0)
    assert list(found) == ["mirna", "cells"]
    p = np.concatenate([one.tests.p for one in found.values()])
    np.testing.assert_allclose(np.concatenate([one.tests.q for one in found.values()]), false_discovery_control(p))
    layers = [
        "--layer",
        f"mirna={folder / 'mirna.csv'}:mirna:counts",
        "--layer",
        f"cells={folder / 'cells.csv'}:other:value",
    ]
    said = ["--samples", str(folder / "samples.csv"), "--label", "label", "--subject", "who", "--state", "pain"]
    done = CliRunner().invoke(app, ["discover", *layers, *said, "--out", str(folder / "markers")])
    assert done.exit_code == 0, done.output
    everything = pd.read_csv(folder / "markers" / "molecules.csv")
    assert set(everything["layer"]) == {"mirna", "cells"}
    np.testing.assert_allclose(everything["q"], false_discovery_control(everything["p"]))
    page = (folder / "markers" / "report.html").read_text()
    assert "mirna: Markers" in page
    assert "cells: Markers" in page


def test_the_estimator_takes_layers_by_the_prefix_of_their_columns() -> None:
    frame = pd.concat([table.to_frame().add_prefix(f"{name}:") for name, table in COHORT.layers.items()], axis=1)
    frame = frame.loc[list(COHORT.sheet.sample_ids)]
    mine = ExoClassifier.of(FAST, kind={"mirna": "mirna", "cells": "other"}, unit={"mirna": "counts", "cells": "value"})
    mine.fit(frame, COHORT.y, groups=COHORT.groups, batches=COHORT.batches)
    expected = model_of_layers().predict(COHORT.layers).to_frame().set_index("sample_id").loc[frame.index]
    np.testing.assert_array_equal(mine.predict_proba(frame)[:, 1], expected["p_pain"])
    with pytest.raises(ValueError, match="no column begins with cells:"):
        clone(mine).fit(frame.filter(regex="^mirna:"), COHORT.y)


def test_simulated_layers_are_missing_at_random_or_with_the_state() -> None:
    chance, told = (
        simulate(seed=3, n_samples=120, layers=("mirna", "protein"), lacking=0.25, lacking_with_state=share).cohort
        for share in (0.0, 1.0)
    )
    for cohort, severity in ((chance, "info"), (told, "critical")):
        assert cohort.layers["protein"].n_samples == 90
        [finding] = missing_layers(cohort)
        assert finding.severity == severity
    lacks = ~np.isin(told.sheet.sample_ids, told.layers["protein"].sample_ids)
    assert "control" not in told.y[lacks]


def test_a_layer_that_says_nothing_alone_is_not_answered_without_the_others() -> None:
    blend = model_of_layers().blend
    assert isinstance(blend, LayeredBlend)
    assert blend.able.all()
    weak = replace(model_of_layers(), blend=replace(blend, able=np.array([True, True, False, True])))
    with pytest.raises(ModelError, match=r"cells alone: on held-out samples .* no more than guessing; give mirna too"):
        weak.predict({"cells": NEW.layers["cells"]})
    one = {m: float(v) for m, v in zip(NEW.layers["cells"].molecules, NEW.layers["cells"].values[0], strict=True)}
    assert "low-coverage" in weak.predict_one({"cells": one}, SAME).flags[0]
    assert "low-coverage" not in model_of_layers().predict_one({"cells": one}, SAME).flags[0]
