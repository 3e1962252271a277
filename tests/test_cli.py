"""The command line: every command, and what it says of broken input."""

import gzip
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from exoclassify.cli.main import app
from exoclassify.data.cargo import KINDS, UNITS, CargoTable
from exoclassify.model.answers import REASONS
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import Use
from waiting import PATIENCE, until

pytestmark = pytest.mark.slow

SCRIPT = Path(sys.executable).with_name("exoclassify")
FAST = '[folds]\nouter = 2\nrepeats = 1\ninner = 2\n[[voices]]\nlearner = "ridge"\n'
COLUMNS = ["sample_id", "call", "best_guess", "p_best_guess", "p_control", "p_inflammatory", "p_neuropathic"]
COLUMNS += ["prediction_set", "novelty_p", "coverage", "flags", "reason", "place", "model", "version"]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "cohort"
    done = in_process("simulate", "--out", folder, "--samples", 60, "--seed", 7, "--effect", 2)
    assert done.exit_code == 0, done.output
    (folder.parent / "fast.toml").write_text(FAST)
    return folder


@pytest.fixture(scope="module")
def trained(cohort, tmp_path_factory):
    """A judged model of two batches, and what the real command said."""
    model = tmp_path_factory.mktemp("trained") / "toy"
    done = by_script("train", *train_options(cohort, subject="subject", batch="batch"), "--jobs", 2, "--out", model)
    assert done.returncode == 0, done.stderr
    return model, done


@pytest.fixture
def model(trained):
    return trained[0]


@pytest.fixture
def copy(cohort, tmp_path):
    """The cohort's files, to be broken."""
    return Path(shutil.copytree(cohort, tmp_path / "copy"))


@pytest.mark.slow
def test_help_answers_in_half_a_second_without_the_heavy_libraries():
    assert processor_seconds_of("--help") < 0.5
    code = "import sys, exoclassify.cli.main; print([m for m in ('numpy', 'pandas', 'rich', 'sklearn') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_help_names_every_kind_and_unit_and_version_is_printed():
    text = in_process("train", "--help").output
    assert all(re.search(rf"\b{word}\b", text) for word in (*KINDS, *UNITS))
    assert re.fullmatch(r"exoclassify \d+\.\d+\.\d+\S*\n", by_script("--version").stdout)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["", "simulate", "audit", "train", "evaluate", "compare", "score", "show"])
def test_a_command_without_arguments_shows_its_help(command):
    done = by_script(*command.split())
    assert done.returncode == 2
    assert "Usage: exoclassify" in done.stdout + done.stderr


@pytest.mark.slow
def test_simulate_writes_a_cohort_that_the_seed_determines(tmp_path):
    options = ["--samples", 24, "--seed", 7, "--effect", 0.5, "--batch-effect", 1, "--confounded", 0.8]
    options += ["--layers", "mirna,ct,protein"]
    for name in ("one", "two"):
        done = by_script("simulate", "--out", f"{tmp_path / name}/", *options)
        assert done.returncode == 0, done.stderr
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["cargo.csv", "ct.csv", "protein.csv", "samples.csv", "truth.csv"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert list(pd.read_csv(tmp_path / "one/samples.csv")) == ["sample_id", "subject", "batch", "label"]
    assert "24 simulated samples" in done.stdout


def test_simulate_replaces_nothing_without_force(cohort):
    before = (cohort / "cargo.csv").read_bytes()
    refused(in_process("simulate", "--out", cohort, "--seed", 1), "are there already .*--force")
    assert (cohort / "cargo.csv").read_bytes() == before
    refused(in_process("simulate", "--out", cohort, "--effect", -1), "effect is -1.0; it must be from 0")


def test_simulate_replaces_with_force(copy):
    done = in_process("simulate", "--out", copy, "--samples", 24, "--seed", 1, "--force")
    assert done.exit_code == 0
    assert len(pd.read_csv(copy / "samples.csv")) == 24


@pytest.mark.slow
def test_train_says_the_headline_and_where_the_model_is(trained):
    model, done = trained
    assert re.search(r"^AUC 0\.\d{3} \(0\.\d{3} to [01]\.\d{3}\) (in cross-val|within batches)", done.stdout, re.M)
    assert "simulated: not for use on patients" in done.stdout
    assert f"written to {model}\n" in done.stdout
    assert done.stderr == ""  # no bar when nobody is looking, and nothing to note when subject and batch are given
    assert sorted(path.name for path in model.iterdir()) == [
        "README.md",
        "arrays.npz",
        "aside.csv",
        "bundle.json",
        "golden.csv",
        "report.html",
    ]
    bundle = ModelBundle.load(model, verify=True)
    assert (bundle.name, bundle.version) == ("toy", "1.0.0")
    assert bundle.evaluation.leave_one_batch_out is not None


@pytest.mark.slow
def test_train_gives_what_the_library_gives_and_without_judge_says_so(cohort, model, tmp_path):
    options = train_options(cohort, subject="subject", batch="batch")
    done = in_process("train", *options, "--no-judge", "--name", "other", "--version", "2.0.1", "--out", tmp_path / "m")
    assert done.exit_code == 0, done.output
    assert "Not judged" in done.stdout
    again = ModelBundle.load(tmp_path / "m")
    assert (again.name, again.version) == ("other", "2.0.1")
    np.testing.assert_array_equal(again.golden_probabilities(), ModelBundle.load(model).golden_probabilities())


def test_train_says_once_what_lacks_without_subject_and_batch(cohort, tmp_path):
    done = in_process("train", *train_options(cohort), "--no-judge", "--out", tmp_path / "m")
    assert done.exit_code == 0
    assert done.stderr.count("no subject column") == done.stderr.count("optimistic") == 1
    assert done.stderr.count("no batch column") == 1


def test_train_says_what_was_left_out(copy, tmp_path):
    sheet = pd.read_csv(copy / "samples.csv")
    sheet.loc[0, "label"] = None
    sheet.to_csv(copy / "samples.csv", index=False)
    done = in_process("train", *train_options(copy), "--no-judge", "--out", tmp_path / "m")
    assert re.search(r"note: left out for no label: 1 of 60 samples \(SIM-0001\)", done.stderr)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".jsonl"])
def test_score_writes_the_librarys_answers_in_every_format(cohort, model, tmp_path, suffix):
    out = tmp_path / f"predictions{suffix}"
    done = in_process("score", model, "--cargo", cohort / "cargo.csv", "--out", out)
    assert done.exit_code == 0, done.output
    expected = predicted(model, cohort / "cargo.csv").to_frame()
    readers = {".csv": pd.read_csv, ".tsv": pd.read_table, ".parquet": pd.read_parquet}
    found = readers.get(suffix, lambda path: pd.read_json(path, lines=True))(out)
    assert list(found) == COLUMNS
    assert list(found["call"]) == list(expected["call"])
    np.testing.assert_allclose(found["p_neuropathic"], expected["p_neuropathic"], rtol=0, atol=1e-12)


@pytest.mark.slow
def test_score_tells_calls_reasons_coverage_and_simulation(cohort, model, tmp_path):
    out = tmp_path / "p.csv"
    done = by_script("score", model, "--cargo", cohort / "cargo.csv", "--out", out, "--verify")
    assert done.returncode == 0, done.stderr
    answers = pd.read_csv(out, keep_default_na=False)
    for call, n in answers["call"].value_counts().items():
        assert re.search(rf"^  {call} +{n}$", done.stdout, re.M)
    for flag, n in answers.loc[answers["flags"] != "", "flags"].str.split(";").explode().value_counts().items():
        assert re.search(rf"^    {flag} +{n}  {re.escape(REASONS[flag])}$", done.stdout, re.M)
    assert "mean coverage of the panel: 1.00" in done.stdout
    assert "mix of training" in done.stdout
    assert "simulated samples: not for use on patients" in done.stderr


def test_score_says_that_the_prevalence_was_shifted(cohort, model, tmp_path):
    stated = "neuropathic=0.05,inflammatory=0.1"
    options = ["--cargo", cohort / "cargo.csv", "--out", tmp_path / "p.csv"]
    done = in_process("score", model, *options, "--prevalence", stated)
    assert re.search(r"shifted to the prevalence stated: control 0\.85 .*neuropathic 0\.05", done.stdout)
    expected = predicted(model, cohort / "cargo.csv", Use(prevalence={"neuropathic": 0.05, "inflammatory": 0.1}))
    np.testing.assert_allclose(pd.read_csv(tmp_path / "p.csv")["p_control"], expected.probabilities[:, 0])


@pytest.mark.parametrize(
    ("stated", "match"),
    [
        ("neuropathic", "not a state and its share; write it as"),
        ("neuropathic=much", "not a state and its share"),
        ("=0.5", "not a state and its share"),
        ("neuropathic=0.1,neuropathic=0.2", "given twice"),
        ("neuropathic=nan", "share above 0 and below 1"),
        ("neuropathy=0.1", "neuropathy is not a state of this model; its states are control"),
        ("neuropathic=0.7,inflammatory=0.6", "add up to 1.3"),
    ],
)
def test_score_refuses_a_prevalence_that_is_none(cohort, model, tmp_path, stated, match):
    options = ["--cargo", cohort / "cargo.csv", "--out", tmp_path / "p.csv", "--prevalence", stated]
    refused(in_process("score", model, *options), match)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_model_of_one_batch_calls_no_state_unless_told(cohort, tmp_path):
    in_process("train", *train_options(cohort), "--no-judge", "--out", tmp_path / "m")
    options = ["--cargo", cohort / "cargo.csv", "--out", tmp_path / "p.csv"]
    done = in_process("score", tmp_path / "m", *options)
    assert re.search(r"uncertain +60\n +one-batch +60 ", done.stdout)
    assert "10 local samples (recalibrate --site)" in done.stdout
    assert "answered as from: unknown batch (60)" in done.stdout
    in_process("score", tmp_path / "m", *options, "--same-batch", "--force")
    assert set(pd.read_csv(tmp_path / "p.csv")["call"]) > {"uncertain"}


@pytest.mark.slow
def test_a_turned_table_gives_the_same_answers(cohort, model, copy, tmp_path):
    pd.read_csv(cohort / "cargo.csv", index_col=0).T.to_csv(copy / "turned.csv")
    for name, cargo in (("rows", cohort / "cargo.csv"), ("columns", copy / "turned.csv")):
        in_process("score", model, "--cargo", cargo, "--out", tmp_path / f"{name}.csv")
    assert (tmp_path / "rows.csv").read_bytes() == (tmp_path / "columns.csv").read_bytes()
    done = in_process(
        "train", *train_options(copy, cargo="turned.csv", subject="subject", batch="batch"), "--no-judge",
        "--out", tmp_path / "m",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    made = [ModelBundle.load(path).about.training.data_sha256 for path in (model, tmp_path / "m")]
    assert made[0] == made[1]


def test_an_unmeasured_sample_is_uncertain_when_scored(copy, model, tmp_path):
    break_rows(copy, np.nan)
    done = in_process("score", model, "--cargo", copy / "cargo.csv", "--out", tmp_path / "p.csv")
    assert done.exit_code == 0, done.output
    broken = pd.read_csv(tmp_path / "p.csv", index_col=0).loc["SIM-0001"]
    assert broken["call"] == "uncertain"
    assert "low-coverage" in broken["flags"]


@pytest.mark.slow
def test_show_prints_the_card_or_the_bundle_without_its_numbers(model):
    done = by_script("show", model)
    assert done.stdout == (model / "README.md").read_text()
    assert done.stdout.startswith("# toy 1.0.0 — trained on simulated samples")
    described = json.loads(by_script("show", model, "--json").stdout)
    whole = json.loads((model / "bundle.json").read_text())
    assert {**described, "fitted": whole["fitted"]} == whole


@pytest.mark.slow
def test_demo_keeps_what_it_says_it_found(tmp_path):
    # The real demo takes a minute; this one is smaller, and in a real process with the real entry point.
    smaller = (
        f"import exoclassify.cli.demo as d; d._SAMPLES = 96; d._RECIPE = {FAST!r}; d._EFFECT = 2.0\n"
        "from exoclassify.cli.main import main; main()"
    )
    command = [sys.executable, "-c", smaller, "demo", "--jobs", "1", "--out", str(tmp_path / "kept")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert re.search(r"Within each centre, left out in turn: AUC [01]\.\d\d \(95 % interval", said)
    called, right, wrong, unsure = (
        int(n)
        for n in re.search(
            r"(\d+) of \d+ samples called, (\d+) of them rightly and (\d+) wrongly; (\d+) uncertain", said
        ).groups()
    )
    answers = pd.read_csv(tmp_path / "kept/predictions.csv", index_col=0)
    truth = pd.read_csv(tmp_path / "kept/new/samples.csv", index_col=0)["label"]
    assert (answers["call"] == truth.loc[answers.index]).sum() == right
    assert (answers["call"] == "uncertain").sum() == unsure
    assert called == right + wrong == len(answers) - unsure
    assert not set(truth.index) & set(pd.read_csv(tmp_path / "kept/training/samples.csv")["sample_id"])
    assert "All of this was simulated" in said
    refused(in_process("demo", "--out", tmp_path / "kept"), "is there already")


BROKEN_COHORTS = {
    "a text in a number cell": (
        lambda f: edit_cargo(f, lambda t: t.iloc[2:3].assign(**{t.columns[4]: "much"})), r"SIM-0003.*hsa-\S+.*much"),
    "an infinite value": (lambda f: break_rows(f, np.inf), "SIM-0001.*inf"),
    "a sample twice": (lambda f: edit_cargo(f, lambda t: t.iloc[[1]]), r"cargo\.csv: .*SIM-0002"),
    "a molecule twice": (
        lambda f: edit_columns(f, lambda names: [names[0], names[0].lower(), *names[2:]]), "hsa-.* same|one molecule|twice"),
    "a sample that the sheet lacks": (lambda f: edit_sheet(f, lambda s: s.iloc[1:]), r"SIM-0001.*add them to the sheet"),
    "one class": (lambda f: edit_sheet(f, lambda s: s.assign(label="control")), "all 60 samples are control; at least two"),
    "too few of a class": (
        lambda f: edit_sheet(f, lambda s: s.assign(label=["rare"] * 3 + ["control"] * 57)), "rare has 3 samples; .* 5"),
    "a sample without values": (lambda f: break_rows(f, np.nan), "SIM-0001.*leave them out"),
    "an empty file": (lambda f: (f / "cargo.csv").write_text(""), r"cargo\.csv.*empty"),
    "a folder": (lambda f: ((f / "cargo.csv").unlink(), (f / "cargo.csv").mkdir()), r"cargo\.csv.*folder"),
    "no file": (lambda f: (f / "cargo.csv").unlink(), r"cargo\.csv.*(no such file|not there|missing)"),
    "half a number table": (lambda f: edit_cargo(f, lambda t: t.iloc[[0]] / 3), "whole numbers"),
    "samples both ways": (lambda f: make_ambiguous(f), r"cargo\.csv: .*(both|header).*"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("what", BROKEN_COHORTS)
def test_broken_input_is_one_line_that_names_it_and_leaves_nothing(copy, tmp_path, what):
    breaking, match = BROKEN_COHORTS[what]
    breaking(copy)
    refused(in_process("train", *train_options(copy), "--no-judge", "--out", tmp_path / "m"), f"(?i:{match})")
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_a_truncated_gzip_is_named_as_such(copy, tmp_path):
    whole = gzip.compress((copy / "cargo.csv").read_bytes())
    (copy / "cargo.csv.gz").write_bytes(whole[: len(whole) // 2])
    done = in_process("train", *train_options(copy, cargo="cargo.csv.gz"), "--no-judge", "--out", tmp_path / "m")
    refused(done, r"cargo\.csv\.gz: .*(truncated|cut|incomplete|ends)")


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"unit": "ct"}, r"cargo\.csv: .*(Ct|0 to 50|0 and 50)"),
        ({"unit": "log2_intensity"}, r"cargo\.csv: .*log2"),
        ({"unit": "furlongs"}, "furlongs.*counts"),
        ({"kind": "dna"}, "dna.*mirna"),
        ({"label": "lable"}, "no label column lable.*did you mean label"),
        ({"subject": "person"}, "no subject column person; its columns are subject, batch, label"),
        ({"not-detected": 40}, "not_detected is for Ct"),
        ({"version": "1"}, "version such as 1.0.0"),
        ({"name": "a/b"}, "use letters, digits"),
        ({"recipe": "lacking.toml"}, r"lacking\.toml: cannot be read"),
    ],
)
def test_a_wrong_statement_is_one_line_that_names_the_mend(cohort, tmp_path, changed, match):
    done = in_process("train", *train_options(cohort, **changed), "--no-judge", "--out", tmp_path / "m")
    refused(done, match)
    assert not list(tmp_path.iterdir())


def test_an_unknown_recipe_key_is_named(cohort, tmp_path):
    (tmp_path / "r.toml").write_text("[folds]\nouter = 5\nrepeets = 3\n")
    done = in_process("train", *train_options(cohort, recipe=tmp_path / "r.toml"), "--out", tmp_path / "m")
    refused(done, r"r\.toml: unknown key folds\.repeets; keys here are inner, outer, repeats")


def test_zero_jobs_are_refused(cohort, tmp_path):
    done = in_process("train", *train_options(cohort), "--jobs", 0, "--out", tmp_path / "m")
    assert done.exit_code == 2
    assert "--jobs" in done.stderr


def test_an_existing_output_is_refused_before_anything_is_read(model, cohort, tmp_path):
    nothing = train_options(tmp_path / "lacking")
    refused(in_process("train", *nothing, "--out", model), "is there already; give --force")
    refused(in_process("train", *nothing, "--out", tmp_path / "no/folder"), "there is no folder .*; make it first")
    refused(
        in_process("train", *nothing, "--out", cohort, "--force"), "holds 3 entries that this command does not write"
    )
    (tmp_path / "p.csv").write_text("mine")
    refused(in_process("score", model, "--cargo", "lacking.csv", "--out", tmp_path / "p.csv"), "already; give --force")
    assert (tmp_path / "p.csv").read_text() == "mine"


@pytest.mark.slow
def test_force_replaces_a_model_but_never_an_input(copy, model, cohort, tmp_path):
    mine = Path(shutil.copytree(model, tmp_path / "m"))
    done = in_process("train", *train_options(cohort), "--no-judge", "--force", "--out", mine, "--version", "1.0.1")
    assert done.exit_code == 0, done.output
    assert ModelBundle.load(mine).version == "1.0.1"
    cargo = copy / "cargo.csv"
    refused(in_process("score", mine, "--cargo", cargo, "--out", cargo, "--force"), "is an input of this command")
    refused(in_process("score", mine, "--cargo", cargo, "--out", mine / "golden.csv", "--force"), "is an input")
    ModelBundle.load(mine)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["--unit", "cpm"], r"cargo\.csv: .*"),
        (["--unit", "intensity"], "its unit is intensity, and this model was trained on counts"),
        (["--kind", "protein"], r"cargo\.csv: .*(kind is protein|lacks|neither|none)"),
        (["--out", "p.docx"], r"p\.docx: unknown ending \.docx; use \.csv"),
    ],
)
def test_another_unit_kind_or_format_is_refused_when_scoring(cohort, model, tmp_path, options, match):
    options = [tmp_path / option if option.startswith("p.") else option for option in options]
    out = [] if "--out" in options else ["--out", tmp_path / "p.csv"]
    refused(in_process("score", model, "--cargo", cohort / "cargo.csv", *out, *options), match)
    assert not list(tmp_path.iterdir())


def test_a_table_without_most_of_the_panel_is_refused(copy, model, tmp_path):
    table = pd.read_csv(copy / "cargo.csv", index_col=0)
    table.iloc[:, :100].to_csv(copy / "cargo.csv")
    done = in_process("score", model, "--cargo", copy / "cargo.csv", "--out", tmp_path / "p.csv")
    refused(done, r"molecules of the model's panel are missing .*coverage is at most")


def test_a_tampered_or_foreign_model_is_refused(cohort, model, tmp_path):
    options = ["--cargo", cohort / "cargo.csv", "--out", tmp_path / "p.csv"]
    refused(in_process("score", cohort, *options), "not a model folder")
    refused(in_process("show", tmp_path / "lacking"), "not a model folder")
    mine = Path(shutil.copytree(model, tmp_path / "m"))
    content = bytearray((mine / "arrays.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (mine / "arrays.npz").write_bytes(content)
    refused(in_process("score", mine, *options), r"arrays\.npz was changed after the model was saved")
    refused(in_process("show", mine), r"arrays\.npz was changed")
    assert not (tmp_path / "p.csv").exists()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc to see what has begun")
@pytest.mark.parametrize("begun", [1, 4], ids=["while workers start", "while they work"])
@pytest.mark.parametrize("whole_group", [False, True], ids=["alone", "with its workers, as a terminal does"])
def test_ctrl_c_in_the_middle_of_training_leaves_nothing(cohort, tmp_path, whole_group, begun):
    (tmp_path / "long.toml").write_text(FAST.replace("repeats = 1", "repeats = 100"))
    (tmp_path / "tmp").mkdir()
    options = train_options(cohort, recipe=tmp_path / "long.toml", jobs=2)
    with subprocess.Popen(
        [SCRIPT, "train", *map(str, options), "--out", tmp_path / "m"], text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
    ) as process:  # fmt: skip
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        until(lambda: len(children.read_text().split()) >= begun)
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert out == ""
    said = [line for line in err.splitlines() if not line.startswith("note: ")]
    assert said == ["stopped; nothing was written"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["long.toml", "tmp"]
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_under_the_output_is_one_line(model):
    for options in (["--help"], ["show", model], ["show", model, "--json"]):
        with open("/dev/full", "w") as full:
            done = subprocess.run([SCRIPT, *options], stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 2
        assert done.stderr == "error: No space left on device; free some space, or write to another disk\n"


@pytest.mark.slow
def test_a_full_disk_under_the_model_leaves_nothing(cohort, tmp_path):
    # A limit on the size of a file is met where a full disk would be, with another number of the same kind of error.
    code = (
        "import errno, os, exoclassify.tables.writing as w\n"
        "def full(*_): raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))\n"
        "w.os.fsync = full\n"
        "from exoclassify.cli.main import main; main()"
    )
    options = [*train_options(cohort), "--no-judge", "--out", tmp_path / "m"]
    done = subprocess.run([sys.executable, "-c", code, "train", *map(str, options)], capture_output=True, text=True)
    assert done.returncode == 2
    assert re.search(r"^error: .*No space left on device; free some space", done.stderr, re.M)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_error(model):
    show = subprocess.Popen([SCRIPT, "show", model, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    show.stdout.close()
    assert show.wait(timeout=PATIENCE) == 141
    assert show.stderr.read() == b""
    show.stderr.close()


@pytest.mark.slow
def test_a_fault_of_the_program_keeps_its_traceback(model):
    code = (
        "from exoclassify.model.bundle import ModelBundle\n"
        "ModelBundle.load = lambda *_, **__: 1 / 0\n"
        "from exoclassify.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code, "show", str(model)], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError" in done.stderr


def train_options(folder, cargo="cargo.csv", **changed):
    options = {
        "cargo": folder / cargo, "kind": "mirna", "unit": "counts", "samples": folder / "samples.csv", "label": "label",
        "recipe": folder.parent / "fast.toml", "jobs": 1,
    } | changed  # fmt: skip
    if not Path(options["recipe"]).exists() and "recipe" not in changed:
        del options["recipe"]
    return [part for option, value in options.items() for part in (f"--{option}", value)]


def in_process(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def by_script(*arguments):
    command = [str(SCRIPT), *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)


def processor_seconds_of(*arguments):
    """Of the quickest of three runs: other work on the machine makes them longer, too."""

    def spent():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    took = []
    for _ in range(3):
        begun = spent()
        assert by_script(*arguments).returncode == 0
        took.append(spent() - begun)
    return min(took)


def refused(done, match):
    """Exit 2, nothing on stdout, and one line of error beside the notes."""
    assert done.exit_code == 2, (done.output, done.exception)
    assert done.stdout == ""
    errors = [line for line in done.stderr.splitlines() if not line.startswith("note: ")]
    assert len(errors) == 1, done.stderr
    assert re.match(rf"error: .*({match})", errors[0]), errors[0]


def predicted(model, cargo, use=None):
    bundle = ModelBundle.load(model)
    table = CargoTable.read(cargo, kind="mirna", unit="counts", molecules=bundle.panel.molecules)
    return bundle.predict(table, use)


def edit_cargo(folder, rows_of):
    """Add rows, made of the table's own, at its end; a row takes the place of the one with its name unless it is the same."""
    table = pd.read_csv(folder / "cargo.csv", index_col=0, dtype=str)
    numeric = table.astype(float)
    added = rows_of(numeric)
    same = added.equals(numeric.loc[added.index])
    kept = table if same else table.drop(added.index)
    pd.concat([kept, added]).to_csv(folder / "cargo.csv")


def break_rows(folder, value):
    edit_cargo(folder, lambda table: table.iloc[[0]] * 0 + value)


def edit_columns(folder, names_of):
    table = pd.read_csv(folder / "cargo.csv", index_col=0, dtype=str)
    table.columns = names_of(list(table.columns))
    table.to_csv(folder / "cargo.csv")


def edit_sheet(folder, change):
    change(pd.read_csv(folder / "samples.csv")).to_csv(folder / "samples.csv", index=False)


def make_ambiguous(folder):
    """Name the first molecules like samples, so that samples are in rows and in columns."""
    edit_columns(folder, lambda names: [f"SIM-{i + 1:04d}" for i in range(60)] + names[60:])
