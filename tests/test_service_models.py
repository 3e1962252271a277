"""Which bundle answers: at every door the one that was verified, whatever becomes of the folder it came from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exoclassify.errors import ModelError
from exoclassify.learning.recipe import Recipe
from exoclassify.lifecycle.fit import fit
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.folder import ModelParts, fill_folder, read_folder
from exoclassify.model.registry import Registry
from exoclassify.model.signature import make_keys, sign
from exoclassify.model.trial import Trials, try_model
from service.served import Served
from service.settings import Settings
from serving import CSV, Running, asked, cohort, registry, running
from waiting import PATIENCE

pytestmark = [pytest.mark.service, pytest.mark.slow]
TABLE = cohort(3).cargo.take(np.arange(6))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, ModelBundle]]:
    root = tmp_path_factory.mktemp("made")
    _, bundles = registry(root, "1.0.0", "2.0.0")
    return root, bundles


@pytest.fixture
def models(made: tuple[Path, dict[str, ModelBundle]], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made[0], tmp_path / "models"))


def changed(folder: Path, arrays: Callable[[dict[str, Any]], object]) -> None:
    """Change a model's arrays, with every checksum right again."""
    parts = read_folder(folder)
    arrays(parts.arrays)
    written(folder, parts)


def written(folder: Path, parts: ModelParts) -> None:
    given = {name: value for name, value in vars(parts).items() if name != "format"}
    fill_folder(folder, **given)


def doors(service: Running, bundle: ModelBundle) -> dict[str, tuple[int, Any]]:
    """Ask the same question at every door: status, and the probabilities."""
    states = [f"p_{state}" for state in bundle.states]
    rows = [dict(zip(TABLE.molecules, row, strict=True)) for row in TABLE.values.tolist()]
    named = asked(bundle, *zip(TABLE.sample_ids, rows, strict=True))
    molecules = bundle.panel.molecules
    tensor = {
        "name": "cargo", "shape": [TABLE.n_samples, len(molecules)], "datatype": "FP64",
        "data": TABLE.aligned(molecules).ravel().tolist(),
    }  # fmt: skip
    found: dict[str, tuple[int, Any]] = {}
    reply = service.ask("POST", "/v1/predict", named)
    found["predict"] = reply.status, [
        [result["probabilities"][state] for state in bundle.states] for result in reply.json.get("results", [])
    ]  # fmt: skip
    reply = service.ask("POST", "/v1/predict-file?format=ndjson", TABLE.to_frame().to_csv().encode(), CSV)
    lines = [json.loads(line) for line in reply.body.splitlines()] if reply.status == 200 else []
    found["file"] = reply.status, [[line["probabilities"][s] for s in bundle.states] for line in lines]
    reply = service.ask("POST", "/v2/models/pain/infer", {"inputs": [tensor]})
    outputs = {output["name"]: output["data"] for output in reply.json.get("outputs", [])}
    flat = outputs.get("probabilities", [])
    found["protocol"] = reply.status, np.reshape(flat, (-1, len(states))).tolist() if flat else []
    reply = service.ask("POST", "/fhir/RiskAssessment", named)
    found["fhir"] = reply.status, None
    return found


SIGNED = ["unsigned", "signed"]


@pytest.mark.parametrize("signed", SIGNED)
def test_what_is_tampered_with_after_it_was_verified_answers_at_no_door(
    made: tuple[Path, dict[str, ModelBundle]], models: Path, tmp_path: Path, signed: str
) -> None:
    """Each security setting against each route."""
    bundle, folder = made[1]["1.0.0"], models / "pain" / "1.0.0"
    expected = bundle.predict(TABLE).probabilities
    settings: dict[str, object] = {"poll_seconds": 0.1}
    if signed == "signed":
        make_keys(tmp_path / "k.pem", tmp_path / "k.pub")
        sign(folder, tmp_path / "k.pem")
        settings["require_signature"] = tmp_path / "k.pub"
    with running(models, tmp_path, **settings) as service:
        service.wait_until("/readyz", lambda reply: reply.status == 200)

        def raised(arrays: dict[str, Any]) -> None:
            for name in arrays:
                if name.endswith(".means"):  # of the states, in both heads
                    arrays[name] = arrays[name][::-1].copy()

        changed(folder, raised)
        assert not np.allclose(ModelBundle.load(folder).predict(TABLE).probabilities, expected, atol=0.01)
        for door, (status, probabilities) in doors(service, bundle).items():
            assert status == 200, door
            if probabilities is not None:
                np.testing.assert_allclose(probabilities, expected, rtol=0, atol=1e-12, err_msg=door)
    with running(models, tmp_path, **settings) as service:  # and found so, it answers nowhere
        for door, (status, _) in doors(service, bundle).items():
            assert status == 503, door


@pytest.mark.parametrize(
    "content", [b'"1.0.0"', b"[]", b"7", b"null", b"{", b"\xff\xfe", b'{"version": "1.0.0"}', b"[" * 100_000]
)
def test_no_content_of_a_pointer_ends_the_watch(models: Path, content: bytes) -> None:
    told: list[tuple[object, ...]] = []
    served = Served(Settings(models=models), lambda *outcome: told.append(outcome))
    served.refresh()
    (models / "pain" / "champion").write_bytes(content)
    served.refresh()
    standing = served.standings["pain"]
    assert standing.bundle is not None
    assert "champion" in (standing.problem or "")
    Registry(models).root.joinpath("pain/champion").unlink()
    Registry(models).promote("pain", "2.0.0", who="test", why="next")
    served.refresh()
    assert served.standings["pain"].problem is None
    assert served.bundle("pain").version == "2.0.0"
    served.stop()


def test_a_broken_model_at_the_start_stops_no_other_one(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "pain", models / "broken")
    (models / "broken" / "champion").write_text('"1.0.0"')
    with running(models, tmp_path, poll_seconds=0.1) as service:
        reply = service.wait_until("/readyz", lambda reply: reply.status == 200)
        stands = {model["name"]: model["problem"] for model in reply.json["models"]}
        assert stands["pain"] is None
        assert "is not the record of a promotion" in stands["broken"]
        assert reply.json["watch"]["seconds_since_look"] < PATIENCE
        figures = service.ask("GET", "/metrics").body.decode()
        assert 'exoclassify_model_refused{model="broken"} 1.0' in figures
        assert "exoclassify_champions_looked_timestamp_seconds" in figures
        assert service.ask("GET", "/v1/models/pain").status == 200
        assert service.ask("GET", "/v1/models/broken").code == "not_ready"


def first_tree(name: str) -> Callable[[dict[str, Any]], None]:
    def change(arrays: dict[str, Any]) -> None:
        [array, *_] = [arrays[known] for known in arrays if known.endswith(name)]
        array[0] = 2_000_000_000

    return change


def garbled(arrays: dict[str, Any]) -> None:
    for name in arrays:
        if name.endswith("ubj"):
            array = arrays[name].copy()
            array[len(array) // 2 : len(array) // 2 + 400] = 255
            arrays[name] = array


@pytest.mark.parametrize(
    "change",
    [*(first_tree(name) for name in ("trees.left", "trees.roots", "trees.feature")), garbled],
    ids=["child", "root", "molecule", "xgboost"],
)
def test_a_hostile_champion_is_refused_and_the_old_one_goes_on(
    models: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    served = Served(Settings(models=models), lambda *_: None)
    served.refresh()
    changed(models / "pain" / "2.0.0", change)
    champion = models / "pain" / "champion"
    champion.write_text(champion.read_text().replace("1.0.0", "2.0.0"))
    served.refresh()
    assert served.bundle("pain").version == "1.0.0"
    assert served.standings["pain"].problem
    served.stop()


def test_a_model_that_kills_the_process_that_tries_it_takes_no_other_trial_down(models: Path) -> None:
    with Trials(memory=300 * 2**20) as trials:  # too little for the libraries: the process ends at once
        for _ in range(2):
            with pytest.raises(ModelError, match=r"1\.0\.0: .*train (or fetch )?it again"):
                trials.run(models / "pain" / "1.0.0")
    with Trials(seconds=0.01) as trials, pytest.raises(ModelError, match=r"took longer than 0\.01 s"):
        trials.run(models / "pain" / "1.0.0")
    try_model(models / "pain" / "1.0.0")


QUICK = {"folds": {"outer": 3, "repeats": 1, "inner": 3}}


def widened(described: dict[str, Any]) -> None:
    described["answers"]["level"] = 0.5


def test_golden_answers_notice_a_change_of_sets_novelty_and_explanations(
    models: Path, made: tuple[Path, dict[str, ModelBundle]]
) -> None:
    def novelty(arrays: dict[str, Any]) -> None:
        for name in arrays:
            if name.endswith(".novelty"):
                arrays[name] = arrays[name] * 3

    def cover(arrays: dict[str, Any]) -> None:
        [name] = [name for name in arrays if name.endswith("trees.cover")]
        arrays[name] = arrays[name] + np.arange(len(arrays[name]))[::-1]

    folder = models / "pain" / "1.0.0"
    forest = Recipe.of({**QUICK, "voices": [{"learner": "forest", "view": "log", "n_trees": 20}]})
    trees = fit(cohort(3), forest, judge=False, name="pain", version="1.0.0")
    for bundle, change, column in ((made[1]["1.0.0"], novelty, "novelty_p"), (trees, cover, "moved_")):
        bundle.save(folder, force=True)
        ModelBundle.load(folder, verify=True)
        changed(folder, change)
        ModelBundle.load(folder)
        with pytest.raises(ModelError, match=f"the golden profiles (differ by up to|get other answers.*{column})"):
            ModelBundle.load(folder, verify=True)
    made[1]["1.0.0"].save(folder, force=True)
    parts = read_folder(folder)
    widened(parts.described)
    written(folder, parts)
    with pytest.raises(ModelError, match=r"the golden profiles (differ by up to|get other answers.*(set|call)_)"):
        ModelBundle.load(folder, verify=True)


def test_a_file_is_called_in_messages_as_its_sender_calls_it(models: Path, tmp_path: Path) -> None:
    with running(models, tmp_path) as service:
        for said, called in (
            ('attachment; filename="plate 7.csv"', "plate 7.csv"),
            ("attachment; filename*=UTF-8''Pl%C3%A4tte.csv", "Plätte.csv"),
            ('attachment; filename="../../etc/passwd"', "passwd"),
            ("nonsense", "table.csv"),
        ):
            reply = service.ask("POST", "/v1/predict-file", b"", {**CSV, "Content-Disposition": said})
            assert reply.json["error"]["message"].startswith(f"{called}: is empty"), said
