"""The commands that judge: audit, evaluate, compare, and what train says of them."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from exoclassify.model.bundle import ModelBundle
from test_cli import by_script, cohort, in_process, model, refused, train_options, trained  # noqa: F401 - fixtures
from test_html import read

pytestmark = pytest.mark.slow


def options(folder: Path, *, without: tuple[str, ...] = (), **more: object) -> list[object]:
    given = {
        "cargo": folder / "cargo.csv", "kind": "mirna", "unit": "counts", "samples": folder / "samples.csv", "label": "label",
        "subject": "subject", "batch": "batch", "jobs": 1,
    } | more  # fmt: skip
    return [part for name, value in given.items() if name not in without for part in (f"--{name}", value)]


@pytest.fixture(scope="module")
def sheet_with_age(cohort, tmp_path_factory) -> Path:  # noqa: F811
    frame = pd.read_csv(cohort / "samples.csv")
    path = tmp_path_factory.mktemp("sheet") / "samples.csv"
    frame.assign(age=range(20, 20 + len(frame)), sex=["female", "male"] * (len(frame) // 2)).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def elsewhere(cohort, tmp_path_factory) -> Path:  # noqa: F811
    """Made-up people of the same states: each molecule of another one of those trained on."""
    folder, rng = tmp_path_factory.mktemp("elsewhere"), np.random.default_rng(0)
    cargo = pd.read_csv(cohort / "cargo.csv", index_col=0)
    sheet = pd.read_csv(cohort / "samples.csv", index_col=0)
    ids = pd.Index([f"NEW-{i}" for i in range(len(sheet))], name="sample_id")
    of_state = {label: np.flatnonzero(sheet["label"] == label) for label in sheet["label"].unique()}
    donors = np.stack([rng.choice(of_state[label], cargo.shape[1]) for label in sheet["label"]])
    made = cargo.to_numpy()[donors, np.arange(cargo.shape[1])]
    pd.DataFrame(made, index=ids, columns=cargo.columns).to_csv(folder / "cargo.csv")
    sheet.set_index(ids).assign(subject=ids).to_csv(folder / "samples.csv")
    return folder


@pytest.mark.slow
def test_audit_prints_findings_as_json_the_worst_first_and_writes_its_page(cohort, sheet_with_age, tmp_path):  # noqa: F811
    page = tmp_path / "report.html"
    done = by_script(
        "audit", *options(cohort, samples=sheet_with_age), "--covariates", "age,sex", "--json", "--report", page
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    printed = json.loads(done.stdout)
    assert list(printed) == ["verdict", "findings"]
    keys = ["check", "subject", "figure", "value", "severity", "message", "mend"]
    assert all(list(finding) == keys for finding in printed["findings"])
    ranks = [["critical", "warning", "info"].index(finding["severity"]) for finding in printed["findings"]]
    assert ranks == sorted(ranks)
    checks = {finding["check"] for finding in printed["findings"]}
    assert checks >= {
        "technical-baseline", "batch-confounded", "covariate-confounded", "near-duplicates", "missing-subjects", "run-order",
        "outliers", "haemolysis", "sample-size", "learning-curve", "metadata",
    }  # fmt: skip
    read(page.read_text())


@pytest.mark.slow
def test_audit_in_words_says_the_verdict_first(cohort):  # noqa: F811
    done = in_process("audit", *options(cohort, without=("subject", "batch")))
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("Nothing critical was found; ")
    assert "WARNING  missing-subjects: no subject column" in done.stdout
    assert "To do: " in done.stdout


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"covariates": "weight"}, "no covariate column weight; its columns are"),
        ({"unit": "ct"}, "no Ct, which lies between 0 and 50"),
        ({"label": "pain"}, "there is no label column pain"),
        ({"against": "missing.csv"}, "missing.csv: "),
        ({"label": "sex"}, "at least two states|there is no label"),
    ],
)
def test_audit_refuses_what_it_cannot_read(cohort, changed, match):  # noqa: F811
    refused(in_process("audit", *options(cohort, **changed)), match)


@pytest.mark.slow
def test_train_keeps_the_audit_in_the_bundle_the_card_and_the_page(model):  # noqa: F811
    bundle = ModelBundle.load(model, verify=True)
    assert bundle.about.audit["findings"]
    assert bundle.about.audit["verdict"] in bundle.card
    assert bundle.report is not None
    read(bundle.report)
    assert bundle.evaluation.cross_validation.examined.states
    files = json.loads((model / "bundle.json").read_text())["files"]
    assert set(files) == {path.name for path in model.iterdir()} - {"bundle.json"}


@pytest.mark.slow
def test_evaluate_gives_every_figure_as_json_and_a_page(model, elsewhere, tmp_path):  # noqa: F811
    asked = options(elsewhere, without=("kind", "unit"))
    page = tmp_path / "report.html"
    done = in_process(
        "evaluate",
        model,
        *asked,
        "--prevalence",
        "neuropathic=0.1",
        "--thresholds",
        "0.3,0.5",
        "--report",
        page,
        "--json",
    )
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["model"] == "toy"
    assert found["evaluation"]["figures"]["auc"]["value"] > 0.5
    assert found["evaluation"]["examined"]["states"]["neuropathic"]["prevalence"] == pytest.approx(0.1)
    assert found["findings"]
    assert found["evaluation"]["trained_on"] == {}
    read(page.read_text())
    again = in_process("evaluate", model, *asked, "--report", page)
    refused(again, "is there already; give --force")


@pytest.mark.slow
def test_evaluate_leaves_out_what_was_trained_on_says_so_and_exits_3(model, cohort, elsewhere, tmp_path):  # noqa: F811
    for name in ("cargo", "samples"):
        new, seen = (pd.read_csv(folder / f"{name}.csv", index_col=0) for folder in (elsewhere, cohort))
        seen = seen.iloc[:12].rename(index=lambda sample: f"again-{sample}")
        if name == "samples":
            seen["subject"] = seen.index
        pd.concat([new, seen]).to_csv(tmp_path / f"{name}.csv", index_label="sample_id")
    page = tmp_path / "report.html"
    asked = [*options(tmp_path, without=("kind", "unit")), "--no-audit"]
    done = in_process("evaluate", model, *asked, "--report", page)
    assert done.exit_code == 3, done.output
    said = "12 samples were left out: the model was trained on them (12 by near-duplicate cargo)."
    assert said in done.stderr
    assert "toy 1.0.0 on 60 samples" in done.stdout
    assert said in page.read_text()
    alone = in_process("evaluate", model, *options(elsewhere, without=("kind", "unit")), "--no-audit")
    assert alone.exit_code == 0
    assert alone.stdout == done.stdout.replace(f"written to {page}\n", "")
    refused(in_process("evaluate", model, *options(cohort, without=("kind", "unit"))), "was trained on all 60 samples")


@pytest.mark.parametrize(
    ("extra", "match"),
    [
        (["--prevalence", "neuropathic"], "is not a state and its share"),
        (["--prevalence", "gout=0.1"], "gout is not a state of this model"),
        (["--thresholds", "0.5,2"], "above 0 and below 1"),
        (["--thresholds", "high"], "give numbers with commas between"),
        (["--report", "."], "is a folder"),
    ],
)
def test_evaluate_refuses_in_one_line(model, elsewhere, extra, match):  # noqa: F811
    refused(in_process("evaluate", model, *options(elsewhere, without=("kind", "unit")), "--no-audit", *extra), match)


def test_evaluate_refuses_labels_that_are_no_states_of_the_model(model, cohort):  # noqa: F811
    asked = options(cohort, without=("kind", "unit", "batch"), label="batch")
    refused(in_process("evaluate", model, *asked), "B1, B2 is no state of toy")


@pytest.mark.slow
def test_compare_holds_models_of_the_same_folds_against_each_other(model, cohort, tmp_path):  # noqa: F811
    plain = tmp_path / "plain.toml"
    plain.write_text('[folds]\nouter = 2\nrepeats = 1\ninner = 2\n[[voices]]\nlearner = "ridge"\nC = 0.01\n')
    other, unlike, bare = (tmp_path / name for name in ("other", "unlike", "bare"))
    asked = options(cohort, recipe=plain)
    assert in_process("train", *asked, "--out", other).exit_code == 0
    done = in_process("compare", model, other, "--json")
    assert done.exit_code == 0, done.output
    assert set(json.loads(done.stdout)["figures"]) == {"auc", "log_loss", "brier"}
    assert "toy 1.0.0" in in_process("compare", model, other).stdout
    plain.write_text('seed = 5\n[folds]\nouter = 2\nrepeats = 1\ninner = 2\n[[voices]]\nlearner = "ridge"\n')
    assert in_process("train", *asked, "--out", unlike).exit_code == 0
    refused(in_process("compare", model, unlike), "judged on different folds")
    assert in_process("train", *asked, "--no-judge", "--out", bare).exit_code == 0
    refused(in_process("compare", model, bare), "bare: was not judged")


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_score_says_how_many_samples_were_trained_on(model, cohort, elsewhere, tmp_path, suffix):  # noqa: F811
    new, seen = (pd.read_csv(folder / "cargo.csv", index_col=0) for folder in (elsewhere, cohort))
    by_cargo = seen.iloc[:7].rename(index=lambda sample: f"again-{sample}")
    by_name = new.iloc[:5].set_axis(seen.index[20:25])
    mixed = pd.concat([new.iloc[5:], by_cargo, by_name]).sample(frac=1, random_state=0)
    for name, table in (("mixed", mixed), ("new", new)):
        table = table.copy().rename_axis("sample_id").reset_index()
        table.to_csv(tmp_path / f"{name}.csv", index=False)
        table.to_parquet(tmp_path / f"{name}.parquet", index=False)
    done = in_process("score", model, "--cargo", tmp_path / f"mixed{suffix}", "--out", tmp_path / "p.csv")
    assert done.exit_code == 0, done.output
    assert f"note: 12 of these {len(mixed)} samples were trained on" in done.stderr
    done = in_process("score", model, "--cargo", tmp_path / f"new{suffix}", "--out", tmp_path / "q.csv")
    assert "trained on:" not in done.stderr


def test_run_leads_from_one_page_to_audit_model_and_the_markers_of_each_state(cohort, tmp_path):  # noqa: F811
    study, out = tmp_path / "cohort.toml", tmp_path / "study"
    done = in_process("init", "--cargo", cohort / "cargo.csv", "--samples", cohort / "samples.csv", "--out", study)
    assert done.exit_code == 0, done.output
    done = in_process("run", study, "--out", out, "--jobs", 1)
    assert done.exit_code == 0, done.output
    linked = re.findall(r'<a href="([^"#]+)"', (out / "index.html").read_text())
    states = set(pd.read_csv(cohort / "samples.csv")["label"]) - {"control"}
    markers = {"markers"} if len(states) == 1 else {f"markers-{state}" for state in states}
    assert {place.partition("/")[0] for place in linked if place.startswith("markers")} == markers
    assert all((out / place).is_file() for place in linked)
    assert "give --force" in in_process("run", study, "--out", out).output
