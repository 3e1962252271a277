"""`import exoclassify as exo`: every name is there at once, nothing is loaded early, wrong arguments get the fix in one line."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import exoclassify as exo

MADE = exo.simulate(seed=3, n_samples=60, n_molecules=80)
CARGO, SHEET = MADE.cohort.cargo.to_frame(), MADE.sheet.frame
BUNDLE = exo.fit(MADE.cohort, exo.Recipe.of({"learners": [{"learner": "ridge"}]}), judge=False)
STATED: dict[str, Any] = {"kind": "mirna", "unit": "counts", "label": "label", "subject": "subject", "batch": "batch"}


def told(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_package_loads_nothing_else() -> None:
    loaded = set(told("import sys; import exoclassify as exo; dir(exo); print(*sys.modules)").split())
    assert {name for name in loaded if name.startswith("exoclassify.")} == set()
    assert not loaded & {"numpy", "pandas", "sklearn"}


@pytest.mark.parametrize("name", exo.__all__)
def test_every_public_name_is_there_and_listed(name: str) -> None:
    assert getattr(exo, name) is not None
    assert name in dir(exo)


def test_names_for_editors_are_the_names_there_are() -> None:
    tree = ast.parse(Path(str(exo.__file__)).read_text())
    [typed] = [node for node in tree.body if isinstance(node, ast.If)]
    imported = {
        (alias.name, str(node.module))
        for node in typed.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == {(name, f"exoclassify.{home}") for name, home in exo._HOMES.items()}
    assert {name for name, _ in imported} | {"__version__"} == set(exo.__all__)


def test_no_module_hides_a_public_name() -> None:
    below = {path.stem for path in Path(str(exo.__file__)).parent.iterdir()}
    assert not below & set(exo.__all__)


@pytest.mark.slow
@pytest.mark.parametrize(
    "before",
    [
        "import exoclassify as exo; exo.audit; import exoclassify.auditing.audit, exoclassify.judging.evaluate",
        "import exoclassify.auditing.audit, exoclassify.judging.evaluate, exoclassify.discovery.discover, exoclassify.cli.audit",
    ],
)
def test_functions_stay_functions_in_either_order_of_imports(before: str) -> None:
    code = f"{before}; import exoclassify as exo; print(all(map(callable, (exo.audit, exo.evaluate, exo.discover, exo.fit))))"
    assert told(code) == "True"


def test_unknown_names_say_what_there_is() -> None:
    with pytest.raises(AttributeError, match="exoclassify has no train; it has CargoTable, Cohort"):
        _ = exo.train


def test_frames_go_in_and_come_out() -> None:
    cohort = exo.Cohort.from_frames(CARGO, SHEET.sample(frac=1, random_state=0), **STATED)
    by_column = exo.Cohort.from_frames(CARGO.reset_index(), SHEET.reset_index(), **STATED)
    assert by_column.digest() == MADE.cohort.digest()
    assert cohort.cargo.to_frame().loc[CARGO.index].equals(CARGO)
    answers = BUNDLE.predict(CARGO).to_frame()
    assert answers["sample_id"].tolist() == CARGO.index.tolist()
    assert answers.equals(BUNDLE.predict(MADE.cohort.cargo).to_frame())
    one = BUNDLE.predict(CARGO.iloc[[7]]).to_frame()
    assert one.equals(answers.iloc[[7]].reset_index(drop=True))


def test_a_table_is_scored_from_file_to_file(tmp_path: Path) -> None:
    MADE.cohort.cargo.write(tmp_path / "cargo.csv")
    report = exo.score_files(BUNDLE, tmp_path / "cargo.csv", tmp_path / "answers.csv")
    assert (report.tally.n, report.complete) == (60, True)
    written = pd.read_csv(tmp_path / "answers.csv", keep_default_na=False)
    assert written["call"].tolist() == BUNDLE.predict(CARGO).to_frame()["call"].tolist()


BAD: list[tuple[str, Callable[[], object], str]] = [
    ("fit", lambda: exo.fit(3), r"fit: cohort is of type int; give a Cohort"),
    ("fit", lambda: exo.fit(CARGO), r"fit: cohort is of type DataFrame of shape \(60, 80\); give"),
    ("fit", lambda: exo.fit(MADE.cohort, {"seed": 1}), "fit: recipe is of type dict; give a Recipe"),
    ("audit", lambda: exo.audit(None), "audit: cohort is None; give a Cohort"),
    ("discover", lambda: exo.discover(CARGO), "discover: cohort is of type DataFrame"),
    ("evaluate", lambda: exo.evaluate("MODEL", MADE.cohort), "evaluate: bundle is of type str; give a ModelBundle"),
    ("evaluate", lambda: exo.evaluate(BUNDLE, CARGO), "evaluate: cohort is of type DataFrame"),
    ("predict", lambda: BUNDLE.predict(CARGO.to_numpy()), r"predict: table is of type ndarray of shape \(60, 80\)"),
    ("predict", lambda: BUNDLE.predict(CARGO, "A"), "predict: use is of type str; give a Use"),
    ("score_files", lambda: exo.score_files(BUNDLE, CARGO, "x.csv"), "given is of type DataFrame .* goes to predict"),
    ("score_files", lambda: exo.score_files("MODEL", "a.csv", "b.csv"), "score_files: bundle is of type str"),
    ("load", lambda: exo.ModelBundle.load(3), "load: path is of type int; give the path of a model's folder"),
    ("Registry", lambda: exo.Registry(None), "Registry: root is None; give the path of a folder"),
    ("cohort", lambda: exo.Cohort.from_frames(CARGO.to_numpy(), SHEET, **STATED), "cargo is of type ndarray of shape"),
    ("cohort", lambda: exo.Cohort.from_frames(CARGO, SHEET["label"], **STATED), "sample sheet is of type Series"),
    ("cohort", lambda: exo.Cohort.from_frames(CARGO, SHEET, **STATED | {"label": "state"}), "no label column state"),
    ("cohort", lambda: exo.Cohort({"mirna": CARGO}, MADE.sheet), "cohort: layer mirna is of type DataFrame"),
    ("cohort", lambda: exo.Cohort(MADE.cohort.layers, SHEET), "cohort: sheet is of type DataFrame"),
    ("table", lambda: exo.CargoTable("x", ("a",), ("b",), "mirna", "counts"), "values are no table of numbers"),
    (
        "table",
        lambda: exo.CargoTable(np.zeros(3), ("a",), ("b",), "mirna", "counts"),
        r"have shape \(3,\), and the names ask",
    ),
    (
        "table",
        lambda: exo.CargoTable.read(CARGO, kind="mirna", unit="counts"),
        "CargoTable.read: path is of type DataFr",
    ),
    (
        "table",
        lambda: exo.CargoTable.read("x.csv", kind=None, unit="counts"),
        "kind or unit is None; give one of mirna",
    ),
    ("table", lambda: MADE.cohort.cargo.take(None), r"rows are NoneType .*; give positions among 60, or a mask of 60"),
    ("cohort", lambda: MADE.cohort.take([0.5]), r"rows are list of shape \(1,\) and float64; give positions"),
    ("cohort", lambda: MADE.cohort.take([60]), "give positions among 60"),
    ("cohort", lambda: MADE.cohort.take([True, False]), "give positions among 60, or a mask of 60"),
    ("sheet", lambda: exo.SampleSheet.read(SHEET), "SampleSheet.read: path is of type DataFrame"),
    ("sheet", lambda: exo.SampleSheet(SHEET, True), "sample sheet: column is of type bool; give the name of one"),
    ("recipe", lambda: exo.Recipe.read(None), "Recipe.read: path is None; give the path of a recipe"),
    ("recipe", lambda: exo.Recipe.of(None), "recipe is None; give a mapping"),
    ("recipe", lambda: exo.Recipe.of(CARGO), "recipe is of type DataFrame"),
    ("fit", lambda: exo.fit(MADE.cohort, name=CARGO), "fit: name or version is of type DataFrame"),
    (
        "predict",
        lambda: BUNDLE.predict(CARGO, batches=["A", "B"]),
        r"batches have shape \(2,\), and there are 60 samples",
    ),
    (
        "predict_one",
        lambda: BUNDLE.predict_one(CARGO.iloc[0]),
        r"predict_one: cargo is of type Series .*; give values by",
    ),
    ("predict_one", lambda: BUNDLE.predict_one({}, "A"), "predict_one: use is of type str; give a Use"),
    ("save", lambda: BUNDLE.save(None), "save: path is None; give the path of a folder"),
    ("Registry", lambda: exo.Registry("m").add(None), "Registry.add: bundle is None; give a ModelBundle"),
    ("Registry", lambda: exo.Registry("m").load(3), "Registry: name is of type int; give the name of a model"),
    ("Registry", lambda: exo.Registry("m").load("pain", CARGO), "Registry: version is of type DataFrame"),
    ("Registry", lambda: exo.Registry("m").promote("pain", "1.0.0", who=None, why="x"), "who or why is None"),
    ("Registry", lambda: exo.Registry("m").prune("pain", keep=-1), "keep is -1; give how many of the newest"),
    ("simulate", lambda: exo.simulate(), "simulate: no seed is given; its parameters are seed, n_samples"),
    ("simulate", lambda: exo.simulate(seed=1, samples=9), "simulate: there is no samples; its parameters"),
    ("simulate", lambda: exo.simulate(seed="1"), "simulation: seed is 1; it must be 0 or more"),
    ("simulate", lambda: exo.simulate(7), "simulate: give one SimulationDesign, or its parameters by name"),
    ("simulate", lambda: exo.simulate(seed=1, n_samples=60.5), "n_samples is 60.5; give a whole number"),
]


@pytest.mark.parametrize(
    ("call", "match"), [bad[1:] for bad in BAD], ids=[f"{bad[0]}-{i}" for i, bad in enumerate(BAD)]
)
def test_wrong_arguments_are_refused_in_one_line_with_the_fix(call: Callable[[], object], match: str) -> None:
    with pytest.raises(exo.ExoclassifyError, match=match) as refused:
        call()
    assert "\n" not in str(refused.value)
