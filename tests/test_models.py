"""The registry through its door: `exoclassify models`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cohorts import FAST
from exoclassify.cli.main import app
from exoclassify.lifecycle.finish import numbered
from exoclassify.lifecycle.fit import fit
from exoclassify.model.registry import Registry
from exoclassify.simulation.design import SimulationDesign
from exoclassify.simulation.simulate import simulate

pytestmark = pytest.mark.slow

COHORT = simulate(SimulationDesign(seed=3, n_samples=90, n_molecules=80)).cohort
BUNDLE = fit(COHORT, FAST, judge=False, name="pain")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    registry = Registry(tmp_path / "models")
    for version in ("1.0.0", "1.0.1"):
        registry.add(numbered(BUNDLE, version))
    registry.promote("pain", "1.0.0", who="ann", why="first")
    return registry.root


def run(place: Path | str, *words: str) -> Result:
    return CliRunner().invoke(app, ["models", *words, "--registry", str(place)])


def told(place: Path | str, *words: str) -> object:
    done = run(place, *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_list_marks_the_version_in_use(place: Path) -> None:
    lines = run(place, "list").stdout.splitlines()
    assert lines[1].startswith("*  pain   1.0.0")
    assert lines[2].startswith("   pain   1.0.1")
    assert [each["champion"] for each in told(place, "list")] == [True, False]


def test_an_empty_registry_is_no_error(tmp_path: Path) -> None:
    assert "holds no model" in run(tmp_path / "nowhere", "list").stdout
    assert told(tmp_path / "nowhere", "list") == []
    assert told(tmp_path / "nowhere", "verify") == []


def test_a_broken_version_is_listed_as_such(place: Path) -> None:
    (place / "pain/1.0.1/bundle.json").write_text('{"a": 1}')
    assert "broken: 1.0.1: bundle.json is not that of an exoclassify model" in run(place, "list").stdout


def test_promotion_and_rollback_are_told_and_kept(place: Path) -> None:
    done = run(place, "promote", "pain", "1.0.1", "--why", "smaller", "--who", "bob", "--source", "run 7")
    assert "to 1.0.1 (before: 1.0.0), by bob: smaller, from run 7" in done.stdout
    assert told(place, "rollback", "pain", "--why", "oops")["version"] == "1.0.0"
    shown = told(place, "show", "pain")
    assert [promotion["why"] for promotion in shown["history"]] == ["first", "smaller", "oops"]
    assert "back to 1.0.0" in run(place, "show", "pain").stdout


def test_verification_fails_on_the_first_changed_version(place: Path) -> None:
    assert run(place, "verify").exit_code == 0
    (place / "pain/1.0.1/golden.csv").write_text("sample_id\n")
    done = run(place, "verify")
    assert done.exit_code == 2
    assert "pain 1.0.0: as it was made" in done.stdout
    assert "golden.csv was changed" in done.stderr
    assert run(place, "verify", "pain", "1.0.0").exit_code == 0
    assert "there is no version 9.9.9" in run(place, "verify", "pain", "9.9.9").stderr


def test_a_signature_is_made_and_demanded(place: Path, tmp_path: Path) -> None:
    keys = CliRunner().invoke(
        app, ["models", "keys", "--private", str(tmp_path / "k.pem"), "--public", str(tmp_path / "k.pub")]
    )
    assert keys.exit_code == 0
    refused = run(place, "promote", "pain", "1.0.1", "--why", "x", "--require-signature", str(tmp_path / "k.pub"))
    assert refused.exit_code == 2
    assert "pain/1.0.1: is not signed" in refused.stderr
    assert run(place, "sign", "pain", "1.0.1", "--key", str(tmp_path / "k.pem")).exit_code == 0
    verified = told(place, "verify", "pain", "1.0.1", "--require-signature", str(tmp_path / "k.pub"))
    assert verified == [{"name": "pain", "version": "1.0.1", "verified": True}]


def test_two_versions_are_compared(place: Path) -> None:
    found = told(place, "compare", "pain", "pain@1.0.1")
    assert found["answers"] == "same answers to the golden profiles"
    assert found["recipe"] == []
    other = FAST.model_copy(update={"seed": 7})
    Registry(place).add(fit(COHORT, other, judge=False, name="pain", version="2.0.0"))
    text = run(place, "compare", "pain", "pain@2.0.0").stdout
    assert "recipe: seed: 0 → 7" in text
    assert "judged by" in text


def test_old_versions_are_pruned(place: Path) -> None:
    for version in ("1.0.2", "1.0.3"):
        Registry(place).add(numbered(BUNDLE, version))
    assert "would remove pain 1.0.1" in run(place, "prune", "pain", "--keep", "1", "--dry-run").stdout
    assert told(place, "prune", "pain", "--keep", "1")["removed"] == ["1.0.1", "1.0.2"]


def test_a_folder_is_imported_and_numbered_by_meaning(place: Path, tmp_path: Path) -> None:
    BUNDLE.save(tmp_path / "M")
    refused = run(place, "import", str(tmp_path / "M"))
    assert refused.exit_code == 2
    assert "version 1.0.0 is there already" in refused.stderr
    Registry(place).promote("pain", "1.0.1", who="ann", why="x")
    assert told(place, "import", str(tmp_path / "M"), "--renumber")["version"] == "1.0.2"


def test_a_number_that_promises_too_little_is_said(place: Path, tmp_path: Path) -> None:
    two = COHORT.take(COHORT.y != "control")
    fit(two, FAST, judge=False, name="pain", version="1.1.0").save(tmp_path / "M")
    said = run(place, "import", str(tmp_path / "M")).stdout
    assert "it would be 2.0.0 (other states" in said


def test_a_registry_behind_a_url_is_read_and_never_changed(place: Path) -> None:
    assert [each["version"] for each in told(place.as_uri(), "list")] == ["1.0.0", "1.0.1"]
    assert told(place.as_uri(), "verify", "pain", "1.0.0")
    done = run(place.as_uri(), "promote", "pain", "1.0.1", "--why", "x")
    assert done.exit_code == 2
    assert "is read only" in done.stderr
    for url in ((place / "pain").as_uri(), "nonsense://x"):
        done = run(url, "list")
        assert done.exit_code == 2
        assert url in done.stderr


def test_a_version_goes_to_bentoml_and_comes_back(place: Path, tmp_path: Path) -> None:
    pytest.importorskip("bentoml", reason="BentoML is not installed (extra: service)")
    environment = {**os.environ, "BENTOML_HOME": str(tmp_path / "bento"), "BENTOML_DO_NOT_TRACK": "True"}

    def door(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from exoclassify.cli.main import main; main()", "models", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    sent = door("export-bento", "pain", "--registry", str(place))
    assert sent.returncode == 0, sent.stderr
    assert "as pain:1.0.0" in sent.stdout
    back = door("import", "pain:1.0.0", "--registry", str(tmp_path / "other"))
    assert back.returncode == 0, back.stderr
    again = Registry(tmp_path / "other").load("pain", "1.0.0", verify=True)
    assert (again.predict(COHORT.cargo).probabilities == BUNDLE.predict(COHORT.cargo).probabilities).all()
    lost = door("import", "pain:7.0.0", "--registry", str(tmp_path / "other"))
    assert lost.returncode == 2
    assert "neither a folder nor in BentoML's store" in lost.stderr
