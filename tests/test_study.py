"""A study is said once, in a file that every command reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import exoclassify as exo
from exoclassify.cli.main import app
from exoclassify.cli.options import shares_of
from exoclassify.cli.studies import with_study
from exoclassify.data.cohort import Cohort
from exoclassify.data.guessing import guessed
from exoclassify.data.study import Study
from exoclassify.data.units import known_kind, known_unit
from exoclassify.errors import FileError, InputError
from waiting import PATIENCE

try:
    import pty
except ImportError:  # Windows
    pty = None  # type: ignore[assignment]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def write(folder: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    names = [f"hsa-miR-{100 + j}-5p" for j in range(12)]
    counts = rng.poisson(30, (24, 12))
    counts[::2, :2] += 40
    cargo, samples = folder / "counts.csv", folder / "sheet.csv"
    rows = [f"S{i:02d}," + ",".join(map(str, row)) for i, row in enumerate(counts)]
    cargo.write_text("\n".join([",".join(["sample_id", *names]), *rows]) + "\n")
    people = [f"S{i:02d},P{i:02d},{('pain', 'control')[i % 2]},B{i // 12},{30 + i}" for i in range(24)]
    samples.write_text("\n".join(["sample_id,patient,group,plate,age", *people]) + "\n")
    return cargo, samples


@pytest.mark.slow
def test_init_guesses_with_reasons_and_every_command_reads_what_it_wrote(tmp_path: Path) -> None:
    cargo, samples = write(tmp_path)
    done = run("init", "--cargo", cargo, "--samples", samples, "--out", tmp_path / "cohort.toml")
    assert done.exit_code == 0, done.stderr
    study = Study.read(tmp_path / "cohort.toml")
    assert (study.kind, study.unit, study.label, study.subject, study.batch) == (
        "mirna", "counts", "group", "patient", "plate",
    )  # fmt: skip
    assert (study.reference, study.covariates) == ("control", ("age",))
    assert "# by its name; 12 pain, 12 control" in (tmp_path / "cohort.toml").read_text()
    assert Cohort.of_study(tmp_path / "cohort.toml").digest() == Cohort.of_study(study).digest()
    audit = run("audit", tmp_path / "cohort.toml", "--json", "--jobs", "1")
    assert audit.exit_code == 0, audit.stderr
    assert json.loads(audit.stdout)["findings"]
    refused = run("audit", tmp_path / "cohort.toml", "--label", "nowhere")
    assert refused.exit_code == 2
    assert "there is no label column nowhere" in refused.stderr


@pytest.mark.slow
@pytest.mark.skipif(pty is None, reason="this system has no pseudo-terminals")
def test_init_asks_on_a_terminal_about_each_guess_and_takes_them_with_yes(tmp_path: Path) -> None:
    cargo, samples = write(tmp_path)
    command = [
        sys.executable, "-c", "from exoclassify.cli.main import main; main()", "init", "--cargo", str(cargo),
        "--samples", str(samples), "--out", str(tmp_path / "cohort.toml"), "--force",
    ]  # fmt: skip
    # kind; unit, once wrong; label; subject: none; batch; time; reference, once wrong; covariates
    typed = {(): b"\nlitres\ncounts\n\n-\n\n\nnobody\npain\n\n", ("--yes",): b""}
    for options, answers in typed.items():
        ours, theirs = pty.openpty()
        os.write(ours, answers)
        done = subprocess.run([*command, *options], stdin=theirs, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        study = Study.read(tmp_path / "cohort.toml")
        asked = (None, "pain") if answers else ("patient", "control")
        assert (study.subject, study.reference, study.covariates) == (*asked, ("age",))
        assert ("there is no litres; expected one of counts" in done.stdout + done.stderr) == bool(answers)
        os.close(ours)
        os.close(theirs)


@pytest.mark.slow
def test_the_library_takes_a_study_file_where_it_takes_a_cohort(tmp_path: Path) -> None:
    cargo, samples = write(tmp_path)
    assert run("init", "--cargo", cargo, "--samples", samples, "--out", tmp_path / "cohort.toml").exit_code == 0
    path, whole = tmp_path / "cohort.toml", Cohort.of_study(tmp_path / "cohort.toml")
    assert Cohort.read(path).digest() == whole.digest()
    assert Cohort.read(path, batch="age").sheet.batch_column == "age"
    with pytest.raises(InputError, match=r"counts\.csv: give kind, unit, samples and label, or a study file"):
        Cohort.read(cargo, kind="mirna")
    with pytest.raises(InputError, match=r"fit: cohort is of type dict; give a Cohort.* or a study file"):
        exo.fit({})  # type: ignore[arg-type]
    recipe = exo.Recipe.of({"learners": [{"learner": "ridge", "view": "log"}]})
    fitted = [exo.fit(given, recipe, judge=False) for given in (path, whole)]
    np.testing.assert_array_equal(*(bundle.golden_probabilities() for bundle in fitted))
    found = exo.discover(str(path), panel=False)
    assert found.contrast.reference == ("control",)
    assert "age" in str(exo.audit(path, curve=False).findings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cargo = 'x.csv'", "lacks samples, kind, unit, label"),
        ("cargo = 3\nsamples='s'\nkind='mirna'\nunit='counts'\nlabel='l'", "cargo is 3; write a text in quotes"),
        ("colour = 'red'", "there is no key colour; expected are batch, cargo"),
        ("cargo = ", "is no TOML"),
    ],
)  # fmt: skip
def test_a_study_file_that_cannot_be_used_is_refused_in_one_line(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "cohort.toml"
    path.write_text(text)
    with pytest.raises((FileError, InputError), match=said):
        Study.read(path)


def test_options_override_the_file_and_a_value_that_ends_in_toml_is_no_study(tmp_path: Path) -> None:
    from typer.main import get_command

    path = tmp_path / "cohort.toml"
    path.write_text("cargo='c.csv'\nsamples='s.csv'\nkind='mirna'\nunit='counts'\nlabel='l'\nbatch='b'\ntime='t'\n")
    train = get_command(app).commands["train"]  # type: ignore[attr-defined]
    found = with_study(train, "train", [str(path), "--label", "mine", "--recipe", "r.toml"])
    assert found == [
        "--label", "mine", "--recipe", "r.toml", "--cargo", str(tmp_path / "c.csv"), "--samples", str(tmp_path / "s.csv"),
        "--kind", "mirna", "--unit", "counts", "--batch", "b", "--time", "t",
    ]  # fmt: skip
    score = get_command(app).commands["score"]  # type: ignore[attr-defined]
    assert "--samples" not in with_study(score, "score", ["model", str(path)])


@pytest.mark.parametrize("word", ["miRNA", "microRNA", "MIRNAS", "mirna "])
def test_a_kind_is_understood_in_the_words_of_users(word: str) -> None:
    assert known_kind(word) == "mirna"


@pytest.mark.parametrize(
    ("word", "unit"), [("count", "counts"), ("Cq", "ct"), ("NPX", "log2_intensity"), ("tpm", "tpm")]
)
def test_a_unit_is_understood_in_the_words_of_users(word: str, unit: str) -> None:
    assert known_unit(word) == unit


def test_a_share_can_be_written_in_per_cent() -> None:
    assert shares_of("neuropathic=5%,inflammatory=0.1") == {"neuropathic": 0.05, "inflammatory": 0.1}


@pytest.mark.slow
def test_run_audits_trains_and_finds_markers_and_one_page_leads_to_them(tmp_path: Path) -> None:
    cargo, samples = write(tmp_path)
    run("init", "--cargo", cargo, "--samples", samples, "--out", tmp_path / "cohort.toml")
    done = run("run", tmp_path / "cohort.toml", "--out", tmp_path / "study", "--jobs", "1")
    assert done.exit_code == 0, done.output
    page = (tmp_path / "study" / "index.html").read_text()
    for place in ("audit.html", "model.html", "predictions.csv", "markers/report.html"):
        assert (tmp_path / "study" / place).is_file()
        assert f'href="{place}"' in page
    verdict = page.split('<h2 id="verdict">')[1].split("</h2>")[0]
    assert f'<h2 id="verdict">{verdict}</h2>' in (tmp_path / "study" / "model.html").read_text()
    answers = pd.read_csv(tmp_path / "study" / "predictions.csv")
    assert set(answers["sample_id"]) == set(pd.read_csv(samples).iloc[:, 0].astype(str))
    again = run("run", tmp_path / "cohort.toml", "--out", tmp_path / "study")
    assert again.exit_code == 2
    assert "is there already; give --force" in again.stderr


def test_columns_are_known_by_their_names_in_other_languages_too(tmp_path: Path) -> None:
    ids = [f"S{i}" for i in range(6)]
    counts = "".join(f"{name},{i},7,9\n" for i, name in enumerate(ids))
    (tmp_path / "cargo.csv").write_text("id,hsa-miR-1-3p,hsa-miR-9-5p,hsa-miR-21-5p\n" + counts)
    states = ("Schmerz", "Kontrolle")
    rows = "".join(f"{name},{states[i % 2]},P{i // 2},{'AB'[i // 3]},50\n" for i, name in enumerate(ids))
    (tmp_path / "sheet.csv").write_text("Probe,Diagnose,Proband-ID,Charge,Alter\n" + rows)
    study, _ = guessed(tmp_path / "cargo.csv", tmp_path / "sheet.csv", {})
    assert (study.label, study.reference, study.subject) == ("Diagnose", "Kontrolle", "Proband-ID")
    assert (study.batch, study.covariates) == ("Charge", ("Alter",))
