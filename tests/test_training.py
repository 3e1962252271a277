"""The recipes and the script behind the committed models."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from exoclassify.learning.recipe import Recipe
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.registry import Registry
from waiting import PATIENCE

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
RECIPES = sorted((ROOT / "training" / "recipes").glob("*.toml"))
FAST = '[folds]\nouter = 2\nrepeats = 1\ninner = 2\n[[voices]]\nlearner = "ridge"\n'


def test_the_default_recipe_is_written_out_in_full():
    text = (ROOT / "training/recipes/default.toml").read_text()
    assert Recipe.read(ROOT / "training/recipes/default.toml") == Recipe()
    for part, choices in Recipe().model_dump().items():
        names = choices if isinstance(choices, dict) else [part]
        assert all(re.search(rf"\b{name}\b", text) for name in names), part


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_valid_and_described_in_the_readme(path):
    assert Recipe.read(path).voices
    assert f"recipes/{path.name}" in (ROOT / "training/README.md").read_text()


def test_the_script_writes_a_model_by_name_and_version(tmp_path):
    made = _exoclassify("simulate", "--out", tmp_path / "cohort", "--samples", 48, "--effect", 2)
    assert made.returncode == 0, made.stderr
    (tmp_path / "fast.toml").write_text(FAST)
    done = _train(tmp_path, "toy", "2.1.0")
    assert done.returncode == 0, done.stderr
    bundle = ModelBundle.load(tmp_path / "models/toy/2.1.0", verify=True)
    assert (bundle.name, bundle.version) == ("toy", "2.1.0")
    assert bundle.card.splitlines()[0].endswith("trained on simulated samples: not for use on patients")


def test_the_script_leaves_nothing_behind_when_the_input_is_broken(tmp_path):
    done = _train(tmp_path, "toy", "1.0.0")
    assert done.returncode == 2
    assert re.fullmatch(r"error: .*samples\.csv.*\n", done.stderr)
    assert not (tmp_path / "models" / "toy").exists()


@pytest.mark.parametrize("card", sorted((ROOT / "models").glob("*/*/README.md")), ids=lambda p: p.parent.parent.name)
def test_a_committed_model_gives_its_golden_answers_and_says_how_it_was_made(card):
    bundle = ModelBundle.load(card.parent, verify=True)
    assert (bundle.name, bundle.version) == (card.parent.parent.name, card.parent.name)
    commands = (ROOT / "training/README.md").read_text()
    decision = card.parent.with_name(f"{bundle.version}.decision.json")
    if decision.exists():
        assert json.loads(decision.read_text())["challenger"] == bundle.version
        assert shlex.join(["exoclassify", "retrain", bundle.name]) in commands
    else:
        assert shlex.join(["python", "training/train.py", bundle.name, bundle.version]) in commands


def test_the_committed_model_in_use_passed_its_gate():
    registry = Registry(ROOT / "models")
    version = registry.champion("pain-state-demo")
    decision = json.loads((ROOT / f"models/pain-state-demo/{version}.decision.json").read_text())
    assert decision["passed"]
    assert decision["data_sha256"] == registry.load("pain-state-demo").about.training.data_sha256
    last = registry.history("pain-state-demo")[-1]
    assert (last.version, last.previous) == (version, decision["champion"])


def _train(folder, name, version):
    options = {
        "cargo": folder / "cohort/cargo.csv", "samples": folder / "cohort/samples.csv", "kind": "mirna", "unit": "counts",
        "label": "label", "subject": "subject", "batch": "batch", "models": folder / "models", "jobs": 1,
        "recipe": folder / "fast.toml",
    }  # fmt: skip
    if not options["recipe"].exists():
        del options["recipe"]
    asked = [str(part) for option, value in options.items() for part in (f"--{option}", value)]
    script = [sys.executable, ROOT / "training" / "train.py", name, version]
    return subprocess.run([*script, *asked], capture_output=True, text=True, timeout=PATIENCE)


def _exoclassify(*arguments):
    command = [Path(sys.executable).with_name("exoclassify"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
