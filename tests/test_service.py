"""The service through its real doors: a server process on loopback."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exoclassify.evidence.catalogue import Catalogue
from exoclassify.lifecycle.recalibrate import LocalSamples, recalibrate
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.explain import against_rest
from exoclassify.model.prediction import Use
from exoclassify.model.registry import Registry
from exoclassify.scoring.stream import score_files
from service.filework import carried_out
from service.settings import Settings, SettingsError
from serving import CSV, JSON, ROOT, Running, asked, cohort, registry, running

pytestmark = pytest.mark.service

pytest.importorskip("bentoml", reason="the extra `service` is not installed")

COHORT = cohort()
TABLE = COHORT.cargo


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Registry, ModelBundle]:
    root = tmp_path_factory.mktemp("models")
    made, bundles = registry(root, "1.0.0")
    return root, made, bundles["1.0.0"]


@pytest.fixture(scope="module")
def bundle(models: tuple[Path, Registry, ModelBundle]) -> ModelBundle:
    return models[2]


@pytest.fixture(scope="module")
def service(models: tuple[Path, Registry, ModelBundle], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(models[0], tmp_path_factory.mktemp("service"), max_json_mb=2, body_seconds=1) as started:
        yield started


def cargo(i: int) -> dict[str, float]:
    return dict(zip(TABLE.molecules, TABLE.values[i].tolist(), strict=True))


def body(bundle: ModelBundle, rows: Any = range(3), **more: Any) -> dict[str, Any]:
    return asked(bundle, *((TABLE.sample_ids[i], cargo(i)) for i in rows), **more)


def text(frame: pd.DataFrame) -> bytes:
    return frame.to_csv().encode()


# What is answered


def test_samples_by_name_get_the_answers_of_the_library(service: Running, bundle: ModelBundle) -> None:
    reply = service.ask("POST", "/v1/predict", body(bundle, range(90)))
    assert reply.status == 200
    expected = bundle.predict(TABLE)
    assert (reply.json["model"], reply.json["version"]) == ("pain", "1.0.0")
    assert "not a diagnosis" in reply.json["notice"]
    assert "simulated" in reply.json["notice"]
    for i, found in enumerate(reply.json["results"]):
        assert found["sample_id"] == TABLE.sample_ids[i]
        assert found["call"] == expected.calls[i]
        assert list(found["probabilities"]) == list(expected.states)
        assert list(found["probabilities"].values()) == expected.probabilities[i].tolist()
        assert found["prediction_set"] == [s for s, held in zip(expected.states, expected.sets[i], strict=True) if held]
        assert found["novelty_p"] == expected.novelty_p[i]
        assert found["coverage"] == expected.coverage[i]
        assert tuple(found["flags"]) == expected.flags[i]
        assert len(found["reasons"]) == len(found["flags"])


def test_prevalence_batch_and_metadata_are_heeded(service: Running, bundle: ModelBundle) -> None:
    question = body(bundle, [5], prevalence={"neuropathic": 0.05}, same_batch=True)
    question["samples"][0]["metadata"] = {"order": "A-17", "volume": 1.5, "frozen": True, "note": None}
    found = service.ask("POST", "/v1/predict", question).json["results"][0]
    expected = bundle.predict(TABLE.take([5]), Use(prevalence={"neuropathic": 0.05}, same_batch=True))
    assert list(found["probabilities"].values()) == expected.probabilities[0].tolist()
    assert found["call"] == expected.calls[0]
    assert found["metadata"] == question["samples"][0]["metadata"]


@pytest.mark.parametrize(
    "asked_for",
    [
        {"batch": "B1"},
        {"batch": "B2", "prevalence": {"control": 0.2}},
        {"batch": "elsewhere"},
        {"max_wrong": 0.3, "level": 0.8},
    ],
    ids=str,
)
def test_a_batch_and_a_stated_error_are_heeded_as_by_the_library(
    service: Running, bundle: ModelBundle, asked_for: dict[str, Any]
) -> None:
    reply = service.ask("POST", "/v1/predict", body(bundle, range(20), **asked_for))
    assert reply.status == 200, reply.body
    expected = bundle.predict(TABLE.take(np.arange(20)), Use(**asked_for))
    for i, found in enumerate(reply.json["results"]):
        assert list(found["probabilities"].values()) == expected.probabilities[i].tolist()
        assert (found["call"], found["place"]) == (expected.calls[i], expected.places[i])
        assert found["best_guess"] == expected.best_guesses[i]
        assert found["p_best_guess"] == expected.probabilities[i].max()
        assert " ".join(found["reasons"]) == expected.reasons[i]


def test_each_sample_may_name_its_own_batch(service: Running, bundle: ModelBundle) -> None:
    names = ["B1", None, "B2", "elsewhere", "B1"]
    question = body(bundle, range(5), batch="B2")
    for sample, name in zip(question["samples"], names, strict=True):
        if name is not None:
            sample["batch"] = name
    reply = service.ask("POST", "/v1/predict", question)
    assert reply.status == 200, reply.body
    told = ["B2" if name is None else name for name in names]
    expected = bundle.predict(TABLE.take(np.arange(5)), batches=told)
    assert [found["place"] for found in reply.json["results"]] == list(expected.places)
    assert expected.places[:4] == ("batch B1", "batch B2", "batch B2", "unknown batch")
    for i, found in enumerate(reply.json["results"]):
        assert list(found["probabilities"].values()) == expected.probabilities[i].tolist()


@pytest.mark.parametrize(
    ("asked_for", "message"),
    [
        ({"batch": "B1", "same_batch": True}, "say one of them"),
        ({"site": "clinic-b"}, "no model has a profile of the site 'clinic-b'"),
        ({"max_wrong": 0.6}, "max_wrong"),
        ({"level": 0.5}, "level"),
    ],
    ids=str,
)
def test_a_place_that_cannot_be_is_refused(
    service: Running, bundle: ModelBundle, asked_for: dict[str, Any], message: str
) -> None:
    reply = service.ask("POST", "/v1/predict", body(bundle, [0], **asked_for))
    assert 400 <= reply.status < 500
    assert message in reply.body.decode()
    question = body(bundle, [0], same_batch=True)
    question["samples"][0]["batch"] = "B1"
    both = service.ask("POST", "/v1/predict", question)
    assert 400 <= both.status < 500
    assert "say one of them" in both.body.decode()


def test_an_explanation_adds_up_and_brings_its_evidence(service: Running, bundle: ModelBundle) -> None:
    reply = service.ask("POST", "/v1/predict?explain=50", body(bundle, [0]))
    found = reply.json["results"][0]
    told, p = found["explanation"], found["probabilities"]
    assert told["state"] == max(p, key=p.__getitem__)
    # Of a batch without an offset, the mix not added.
    log_odds = bundle.blend.evaluate(bundle.panel.values(TABLE.take([0])))[0][0, 0]
    moved = against_rest(log_odds, bundle.states.index(told["state"]))
    total = told["base"] + told["others"] + sum(mover["log_odds"] for mover in told["movers"])
    assert total == pytest.approx(moved, abs=1e-6)
    assert len(told["movers"]) == 50
    strengths = [abs(mover["log_odds"]) for mover in told["movers"]]
    assert strengths == sorted(strengths, reverse=True)
    for mover in told["movers"]:
        assert mover["measured"] == cargo(0)[mover["molecule"]]
        assert len(mover["evidence"]) == len(Catalogue.read().of(mover["molecule"]))
    assert any(mover["evidence"] for mover in told["movers"])


def test_what_was_not_measured_is_said_to_be_so(service: Running, bundle: ModelBundle) -> None:
    found = service.ask("POST", "/v1/predict?explain=5", asked(bundle, ("empty", {}))).json["results"][0]
    assert (found["call"], found["coverage"]) == ("uncertain", 0.0)
    assert "low-coverage" in found["flags"]
    assert all(mover["measured"] is None for mover in found["explanation"]["movers"])


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet", "arrow"])
def test_a_file_gets_the_answers_of_the_library_in_the_format_asked(
    service: Running, bundle: ModelBundle, form: str
) -> None:
    reply = service.ask("POST", f"/v1/predict-file?format={form}", text(TABLE.to_frame()), CSV)
    assert reply.status == 200, reply.body
    expected = bundle.predict(TABLE).to_frame()
    if form == "ndjson":
        lines = [json.loads(line) for line in reply.body.splitlines()]
        assert [line["sample_id"] for line in lines] == list(TABLE.sample_ids)
        found = pd.DataFrame([line["probabilities"] for line in lines]).add_prefix("p_")
        pd.testing.assert_frame_equal(found, expected[list(found)], check_exact=True)
        return
    readers = {
        "csv": lambda content: pd.read_csv(content, keep_default_na=False),
        "parquet": lambda content: pq.read_table(content).to_pandas(),
        "arrow": lambda content: pa.ipc.open_stream(content).read_all().to_pandas(),
    }
    found = readers[form](io.BytesIO(reply.body))
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-12)


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "parquet", "arrow"])
def test_library_files_and_service_write_the_same_bytes(
    service: Running, bundle: ModelBundle, tmp_path: Path, form: str
) -> None:
    (tmp_path / "table.csv").write_bytes(text(TABLE.to_frame()))
    bundle.predict(TABLE).write(tmp_path / f"library.{form}")
    score_files(bundle, [str(tmp_path / "table.csv")], tmp_path / f"files.{form}")
    served = service.ask("POST", f"/v1/predict-file?format={form}", text(TABLE.to_frame()), CSV).body
    assert (tmp_path / f"library.{form}").read_bytes() == (tmp_path / f"files.{form}").read_bytes() == served


def test_one_bad_cell_costs_one_answer_at_the_service_as_on_the_command_line(
    service: Running, bundle: ModelBundle, tmp_path: Path
) -> None:
    frame = TABLE.to_frame().iloc[:20].astype(object)
    frame.iat[7, list(frame).index(bundle.panel.molecules[0])] = "three"
    (tmp_path / "plate.csv").write_bytes(text(frame))
    report = score_files(bundle, [str(tmp_path / "plate.csv")], tmp_path / "out.csv")
    assert report.rejected is not None
    named = CSV | {"Content-Disposition": 'attachment; filename="plate.csv"'}
    reply = service.ask("POST", "/v1/predict-file", text(frame), named)
    assert (reply.status, reply.body) == (200, (tmp_path / "out.csv").read_bytes())
    said = json.loads(reply.headers["exoclassify-report"])
    assert (said["samples"], said["rejected"], said["first"][0]["sample_id"]) == (19, 1, TABLE.sample_ids[7])
    assert "'three'" in said["first"][0]["reason"]
    rejected = service.ask("POST", "/v1/predict-file?format=rejected", text(frame), named)
    assert rejected.body == report.rejected.read_bytes()
    objects = service.ask("POST", "/v1/predict-file?format=ndjson&explain=2", text(frame), named).body.splitlines()
    explained = service.ask("POST", "/v1/predict?explain=2", body(bundle, range(20))).json["results"]
    assert [json.loads(line) for line in objects] == [found for i, found in enumerate(explained) if i != 7]


def test_a_parquet_arrow_or_excel_body_is_read_and_the_accept_header_heeded(
    service: Running, bundle: ModelBundle
) -> None:
    table = pa.Table.from_pandas(TABLE.to_frame().reset_index(), preserve_index=False)
    parquet, arrow, excel = io.BytesIO(), io.BytesIO(), io.BytesIO()
    TABLE.to_frame().to_excel(excel)
    pq.write_table(table, parquet)
    with pa.ipc.new_file(arrow, table.schema) as writer:
        writer.write_table(table)
    expected = bundle.predict(TABLE)
    workbook = "openxmlformats-officedocument.spreadsheetml.sheet"
    for media, content in (("apache.parquet", parquet), ("apache.arrow.file", arrow), (workbook, excel)):
        headers = {"Content-Type": f"application/vnd.{media}", "Accept": "application/x-ndjson"}
        reply = service.ask("POST", "/v1/predict-file?explain=1", content.getvalue(), headers)
        lines = [json.loads(line) for line in reply.body.splitlines()]
        assert [line["call"] for line in lines] == list(expected.calls)
        assert len(lines[0]["explanation"]["movers"]) == 1


def test_the_open_inference_protocol_answers_by_tensor_and_by_column(service: Running, bundle: ModelBundle) -> None:
    described = service.ask("GET", "/v2/models/pain").json
    names = described["inputs"][0]["parameters"]["molecules"]
    assert names == list(bundle.panel.molecules)
    X = TABLE.aligned(names)[:70]
    ids = {"name": "sample_id", "shape": [70], "datatype": "BYTES", "data": list(TABLE.sample_ids[:70])}
    tensor = {"name": "cargo", "shape": [70, len(names)], "datatype": "FP64", "data": X.ravel().tolist()}
    columns = [
        {"name": name, "shape": [70, 1], "datatype": "INT64", "data": X[:, j].astype(int).tolist()}
        for j, name in enumerate(names)
    ]
    expected = bundle.predict(TABLE)
    for inputs in ([tensor, ids], [ids, *columns]):
        for version in ("", "/versions/1.0.0"):
            reply = service.ask("POST", f"/v2/models/pain{version}/infer", {"id": "7", "inputs": inputs})
            assert reply.status == 200, reply.body
            outputs = {output["name"]: output for output in reply.json["outputs"]}
            assert (reply.json["id"], reply.json["model_name"]) == ("7", "pain")
            assert outputs["probabilities"]["shape"] == [70, 3]
            assert outputs["probabilities"]["parameters"]["states"] == list(bundle.states)
            assert outputs["probabilities"]["data"] == expected.probabilities[:70].ravel().tolist()
            assert tuple(outputs["call"]["data"]) == expected.calls[:70]
    wanted = {"inputs": [tensor], "outputs": [{"name": "call"}]}
    assert [o["name"] for o in service.ask("POST", "/v2/models/pain/infer", wanted).json["outputs"]] == ["call"]


def test_the_protocol_says_what_lives_and_is_ready(service: Running) -> None:
    assert service.ask("GET", "/v2").json["name"] == "exoclassify"
    assert service.ask("GET", "/v2/health/live").json == {"live": True}
    assert service.ask("GET", "/v2/health/ready").json == {"ready": True}
    assert service.ask("GET", "/v2/models/pain/ready").json == {"name": "pain", "ready": True}
    assert "9.9.9 does not answer" in service.ask("GET", "/v2/models/pain/versions/9.9.9/ready").said
    assert "there is no model 'other'" in service.ask("GET", "/v2/models/other/ready").said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": []}, "length >= 1"),
        ({"inputs": [{"name": "cargo", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}]}, "panel has"),
        ({"inputs": [{"name": "cargo", "shape": [2, 3], "datatype": "FP64", "data": [1]}]}, "shape"),
        ({"inputs": [{"name": "x", "shape": [1], "datatype": "BOOL", "data": [True]}]}, "datatype"),
        ({"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": ["1"]}]}, "no number"),
        ({"inputs": [{"name": "x", "shape": [5000], "datatype": "FP64", "data": [1]}]}, "1 to 1000"),
        ({"inputs": [{"name": "sample_id", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}, "cargo"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(service: Running, change: dict[str, Any], message: str) -> None:
    reply = service.ask("POST", "/v2/models/pain/infer", change)
    assert reply.status == (409 if change["inputs"] else 400)
    assert message in reply.said


def test_fhir_probabilities_are_percentages(service: Running, bundle: ModelBundle) -> None:
    pytest.importorskip("fhir.resources", reason="the extra `fhir` is not installed")
    expected = bundle.predict(TABLE)
    one = service.ask("POST", "/fhir/RiskAssessment", body(bundle, [4]))
    assert one.headers["content-type"] == "application/fhir+json"
    assert one.json["resourceType"] == "RiskAssessment"
    assert one.json["subject"]["identifier"]["value"] == TABLE.sample_ids[4]
    found = [prediction["probabilityDecimal"] for prediction in one.json["prediction"]]
    np.testing.assert_allclose(found, 100 * expected.probabilities[4], atol=1e-4)
    several = service.ask("POST", "/fhir/RiskAssessment", body(bundle, [4, 5])).json
    assert [entry["resource"]["resourceType"] for entry in several["entry"]] == ["RiskAssessment"] * 2


def test_a_damaged_file_is_refused_with_the_place_and_answered_up_to_there_when_asked(
    service: Running, bundle: ModelBundle, tmp_path: Path
) -> None:
    frame = pd.concat([TABLE.to_frame().rename(index=lambda name, i=i: f"{name}-{i}") for i in range(120)])
    lines = text(frame).decode().splitlines(keepends=True)
    (tmp_path / "plate.csv").write_text("".join([*lines[:10_000], '"', *lines[10_000:]]))
    report = score_files(bundle, [str(tmp_path / "plate.csv")], tmp_path / "out.csv")
    assert 0 < report.tally.n < 10_000
    sent, headers = (
        (tmp_path / "plate.csv").read_bytes(),
        {**CSV, "Content-Disposition": 'attachment; filename="plate.csv"'},
    )
    refused = service.ask("POST", "/v1/predict-file", sent, headers)
    assert (refused.status, refused.code) == (409, "not_usable")
    assert refused.said.startswith(report.broken[0])
    assert f"incomplete=true for the {report.tally.n:,} answers" in refused.said
    given = service.ask("POST", "/v1/predict-file?incomplete=true", sent, headers)
    assert (given.status, given.body) == (200, (tmp_path / "out.csv").read_bytes())
    told = json.loads(given.headers["exoclassify-report"])
    assert (told["samples"], told["complete"]) == (report.tally.n, False)
    assert f"plate.csv: {told['first'][-1]['reason']}" == report.broken[0]


def test_models_cards_and_evidence_are_told(service: Running, bundle: ModelBundle) -> None:
    listed = service.ask("GET", "/v1/models").json["models"]
    assert listed == [
        {"name": "pain", "version": "1.0.0", "versions": ["1.0.0"], "kind": "mirna", "unit": "counts",
         "states": list(bundle.states), "problem": None}
    ]  # fmt: skip
    card = service.ask("GET", "/v1/models/pain").json
    assert card["panel"]["molecules"] == list(bundle.panel.molecules)
    assert card["card"] == bundle.card
    page = service.ask("GET", "/v1/models/pain", headers={"Accept": "text/html,*/*"})
    assert page.headers["content-type"].startswith("text/html")
    assert b"<h1>pain 1.0.0" in page.body
    assert b"**" not in page.body
    evidence = service.ask("GET", "/v1/evidence/hsa_mir_21_5P").json
    assert evidence["molecule"] == "hsa-miR-21-5p"
    assert len(evidence["claims"]) == len(Catalogue.read().of("hsa-miR-21-5p")) > 0


def test_the_figures_count_what_was_answered(service: Running, bundle: ModelBundle) -> None:
    def total(name: str) -> float:
        lines = service.ask("GET", "/metrics").body.decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    calls, novelty = total("exoclassify_calls_total"), total("exoclassify_novelty_p_count")
    service.ask("POST", "/v1/predict", body(bundle, range(7)))
    assert total("exoclassify_calls_total") == calls + 7
    assert total("exoclassify_novelty_p_count") == novelty + 7
    service.ask("POST", "/v1/predict-file", text(TABLE.to_frame()), CSV)
    assert total("exoclassify_calls_total") == calls + 97
    assert total('exoclassify_model_serving{model="pain",version="1.0.0"}') == 1


def test_head_is_answered_like_get_without_the_body_and_a_path_is_taken_to_the_letter(service: Running) -> None:
    whole = service.ask("GET", "/v1/models")
    head = service.ask("HEAD", "/v1/models")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.body))
    assert service.ask("HEAD", "/v1/predict").headers["allow"] == "POST"
    assert service.ask("POST", "/livez").headers["allow"] == "GET"
    for path in ("/livez%0A", "/livez/", "//livez", f"/v1/models/{'a' * 201}"):
        assert service.ask("GET", path).code == "no_path"
    assert service.ask("GET", f"/v1/models/{'a' * 200}").code == "no_model"


def test_unknown_paths_make_no_new_labels(service: Running) -> None:
    service.ask("GET", "/first/of/them")
    before = len(service.ask("GET", "/metrics").body.splitlines())
    for i in range(50):
        assert service.ask("GET", f"/nothing/{i}").code == "no_path"
    assert len(service.ask("GET", "/metrics").body.splitlines()) == before


# What is refused


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"\xff\xfe", "not_json"),
        (b"[1]", "invalid"),
        (b'{"kind":"mirna"}', "invalid"),
        (b'{"kind":"mirna","unit":"counts","samples":[]}', "invalid"),
        (b'{"kind":"mirna","unit":"counts","samples":[{"sample_id":"a","cargo":{"x":NaN}}]}', "not_json"),
        (b'{"kind":"mirna","unit":"counts","samples":[{"sample_id":"a","cargo":{"x":1e999}}]}', "invalid"),
        (b'{"kind":"mirna","unit":"counts","samples":[{"sample_id":"a","cargo":{"x":"1"}}]}', "invalid"),
        (b'{"kind":"mirna","unit":"counts","samples":[{"sample_id":"a","cargo":{"x":true}}]}', "invalid"),
        (b'{"kind":"mirna","unit":"counts","samples":[{"sample_id":"","cargo":{}}]}', "invalid"),
        (b'{"kind":"mirna","unit":"counts","samples":[{"sample_id":"a\\u0000","cargo":{}}]}', "invalid"),
        (b'{"kind":"mirna","unit":"counts","samples":[{"sample_id":"a","cargo":{},"more":1}]}', "invalid"),
        (b'{"kind":"mirna","unit":"counts","samples":[{"sample_id":"a","cargo":{"x":1,"x":2}}]}', "key_twice"),
        (b'{"kind":"a","kind":"mirna","unit":"counts","samples":[{"sample_id":"a","cargo":{}}]}', "key_twice"),
        (b'{"kind":"mirna","unit":"counts","samples":[{"sample_id":"a","cargo":{"x":' + b"[" * 90000, "invalid"),
    ],
)  # fmt: skip
def test_a_body_that_is_not_what_it_should_be_is_refused(service: Running, content: bytes, code: str) -> None:
    reply = service.ask("POST", "/v1/predict", content, JSON)
    assert (reply.status, reply.code) == (400, code)


def test_a_colon_in_a_name_is_no_second_key(service: Running, bundle: ModelBundle) -> None:
    question = asked(bundle, ("a:b", {"chr1:100:200": 5, **cargo(0)}), prevalence={"control": 0.2})
    assert service.ask("POST", "/v1/predict", question).status == 200


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"unit": "ct"}, 409, "its unit is ct, and pain was trained on counts"),
        ({"kind": "protein"}, 409, "its kind is protein"),
        ({"model": "other"}, 404, "there is no model 'other'"),
        ({"prevalence": {"migraine": 0.1}}, 409, "migraine is not a state"),
    ],
)
def test_what_does_not_fit_the_model_is_refused(
    service: Running, bundle: ModelBundle, change: dict[str, Any], status: int, message: str
) -> None:
    reply = service.ask("POST", "/v1/predict", body(bundle, **change))
    assert reply.status == status
    assert message in reply.json["error"]["message"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("hsa-let-7a-5p", 2.5, "not whole"),
        ("HSA_LET_7A_5P", 4, "are both hsa-let-7a-5p"),
        ("hsa-let-7a-5p", -1, "negative"),
    ],
)
def test_values_and_names_go_through_the_door_of_files(
    service: Running, bundle: ModelBundle, name: str, value: float, message: str
) -> None:
    question = asked(bundle, ("a", {**cargo(0), name: value}))
    reply = service.ask("POST", "/v1/predict", question)
    assert (reply.status, reply.code) == (409, "not_usable")
    assert message in reply.json["error"]["message"]
    frame = pd.DataFrame([{**cargo(0), name: value}], index=["a"])
    file = service.ask("POST", "/v1/predict-file", text(frame), CSV)
    assert (file.status, file.code) == (409, "not_usable")
    assert message in file.json["error"]["message"]


def test_a_sample_id_given_twice_is_refused(service: Running, bundle: ModelBundle) -> None:
    reply = service.ask("POST", "/v1/predict", asked(bundle, ("a", cargo(0)), ("a", cargo(1))))
    assert (reply.status, reply.code) == (409, "not_usable")


@pytest.mark.parametrize(
    ("method", "path", "headers", "content", "status", "code"),
    [
        ("GET", "/v1/predict", {}, None, 405, "no_method"),
        ("DELETE", "/", {}, None, 405, "no_method"),
        ("POST", "/v1/predict", {"Content-Type": "text/plain"}, b"{}", 415, "media_type"),
        ("POST", "/v1/predict", {}, b"{}", 415, "media_type"),
        ("POST", "/v1/predict", {**JSON, "Content-Encoding": "gzip"}, b"{}", 415, "encoding"),
        ("POST", "/v1/predict", {**JSON, "X-Long": "x" * 40000}, b"{}", 431, "headers"),
        ("POST", "/v1/predict?explain=51", JSON, b"{}", 400, "query"),
        ("POST", "/v1/predict?explain=3&explain=4", JSON, b"{}", 400, "query"),
        ("POST", "/v1/predict?explian=3", JSON, b"{}", 400, "query"),
        ("POST", "/v1/predict?explain=%ff", JSON, b"{}", 400, "query"),
        ("GET", "/v1/models/none", {}, None, 404, "no_model"),
        ("GET", "/v1/models/pain?format=pdf", {}, None, 400, "query"),
        ("GET", "/../../etc/passwd", {}, None, 404, "no_path"),
        ("GET", "/docs.json", {}, None, 404, "no_path"),
        ("GET", "/livez", {"Host": "evil.example"}, None, 403, "no_keys"),
        ("POST", "/v1/predict-file?format=xls", CSV, b"x", 400, "query"),
        ("POST", "/v1/predict-file?explain=2", CSV, b"x", 409, "not_usable"),
        ("POST", "/v1/predict-file?prevalence=a", CSV, b"x", 400, "query"),
    ],
)  # fmt: skip
def test_the_guard_refuses_in_one_shape(
    service: Running, method: str, path: str, headers: dict[str, str], content: bytes | None, status: int, code: str
) -> None:
    reply = service.ask(method, path, content, headers)
    assert (reply.status, reply.code) == (status, code)
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert ("allow" in reply.headers) == (status == 405)


def test_a_body_without_length_or_too_long_is_not_read(service: Running) -> None:
    head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    chunked = service.raw(head + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
    assert chunked.startswith(b"HTTP/1.1 411")
    assert b'"length"' in chunked
    large = service.raw(head + b"Content-Length: 99000000\r\n\r\n{")
    assert large.startswith(b"HTTP/1.1 413")
    slow = service.raw(head + b"Content-Length: 100\r\n\r\n{", close=False)
    assert slow.startswith(b"HTTP/1.1 408")


def test_what_is_not_http_is_refused_and_the_service_lives(service: Running) -> None:
    for content in (b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n", b"\0" * 100, b"GET"):
        assert not service.raw(content).startswith(b"HTTP/1.1 2")
    assert service.ask("GET", "/livez").status == 200


BROKEN = [
    (".csv", b"sample_id,a\nS1,x\n", "looked for is in its first column"),
    (".csv", b"\x00\x01\x02", "it looks like no format known here"),
    (".csv", b"", "plate.csv: is empty"),
    (".parquet", b"PAR1garbagePAR1", "no sound Parquet file"),
    (".arrow", b"ARROW1\0\0" + b"\xff" * 64, "plate.arrow"),
    (".arrow", b"\xff\xff\xff\xff\xff\xff\xff\x7f" * 8, "plate.arrow"),
]


@pytest.mark.parametrize(("suffix", "content", "message"), BROKEN)
def test_a_file_that_cannot_be_used_is_refused_by_name(
    models: tuple[Path, Registry, ModelBundle], tmp_path: Path, suffix: str, content: bytes, message: str
) -> None:
    (tmp_path / f"body{suffix}").write_bytes(content)
    job = {
        "model": str(models[0] / "pain" / "1.0.0"), "folder": str(tmp_path), "source": f"body{suffix}",
        "called": f"plate{suffix}", "use": {},
        "format": "csv",
        "kind": "mirna", "unit": "counts", "incomplete": False, "explain": 0, "records": None,
    }  # fmt: skip
    said = carried_out(job)["error"]
    assert message in said
    assert str(tmp_path) not in said
    assert not (tmp_path / "answers").exists()


def test_a_file_is_judged_by_its_header_before_it_is_read_through(
    models: tuple[Path, Registry, ModelBundle], tmp_path: Path
) -> None:
    row = "," + ",".join(["12.5"] * 10) + "\n"
    head = "row," + ",".join(f"column{j}" for j in range(10)) + "\n"
    (tmp_path / "body.csv").write_text(head + "".join(f"item{i}{row}" for i in range(400_000)))
    job = {
        "model": str(models[0] / "pain" / "1.0.0"), "folder": str(tmp_path), "source": "body.csv", "called": "plate.csv",
        "use": {}, "format": "csv", "kind": "mirna", "unit": "counts", "incomplete": False, "explain": 0, "records": None,
    }  # fmt: skip
    carried_out({"warm": job["model"]})
    began = time.process_time()
    said = carried_out(job)["error"]
    assert said.startswith("plate.csv: none of the ")
    assert time.process_time() - began < 2.5  # 0.5 s; to read it through takes 9


def test_the_service_says_what_the_reader_of_the_file_said(service: Running) -> None:
    reply = service.ask("POST", "/v1/predict-file", b"", CSV)
    assert (reply.status, reply.code) == (409, "not_usable")
    assert "table.csv: is empty" in reply.json["error"]["message"]


# What is told to whom


def test_the_request_id_comes_back_and_the_log_has_no_cargo_and_no_sample_id(
    service: Running, bundle: ModelBundle
) -> None:
    headers = {"X-Request-ID": "lims-4711"}
    question = asked(bundle, ("SECRET-PATIENT", {**cargo(0), "hsa-miR-SECRET": 123456789}))
    assert service.ask("POST", "/v1/predict", question, headers).headers["x-request-id"] == "lims-4711"
    wrong = asked(bundle, ("SECRET-PATIENT", {"hsa-miR-SECRET": 123456789.5}))
    reply = service.ask("POST", "/v1/predict", wrong, {"X-Request-ID": "no\tgood"})
    assert re.fullmatch("[0-9a-f]{16}", reply.headers["x-request-id"])
    service.ask("GET", "/v1/SECRET-PATH")
    log = service.log.read_text()
    assert "SECRET" not in log
    assert "12345678" not in log
    line = next(line for line in service.lines() if line.get("id") == "lims-4711")
    assert (line["route"], line["status"], line["samples"], line["model"]) == (
        "/v1/predict", 200, 1, "pain 1.0.0",
    )  # fmt: skip


def test_openapi_describes_every_route_with_every_status(service: Running) -> None:
    document = service.ask("GET", "/openapi.json").json
    assert document["openapi"] == "3.1.0"
    operations = {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert ("post", "/v1/predict") in operations
    assert ("post", "/v2/models/{name}/infer") in operations
    for (method, path), operation in operations.items():
        assert operation["summary"]
        for status, answer in operation["responses"].items():
            assert answer["description"], (method, path, status)
            assert answer["content"], (method, path, status)
    example = operations["post", "/v1/predict"]["requestBody"]["content"]["application/json"]["example"]
    assert service.ask("POST", "/v1/predict", example).status == 200
    tensors = operations["post", "/v2/models/{name}/infer"]["requestBody"]["content"]["application/json"]
    assert service.ask("POST", "/v2/models/pain/infer", tensors["example"]).status == 200


def test_the_python_example_runs_and_every_setting_is_told(service: Running) -> None:
    text = (ROOT / "service" / "README.md").read_text()
    (example,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    example = example.replace("localhost:3000", f"localhost:{service.port}")
    done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("S-001 uncertain {")
    with pytest.raises(SettingsError, match="is no setting") as caught:
        Settings.read({"EXOCLASSIFY_NONE": "1"})
    variables = re.findall(r"EXOCLASSIFY_\w+", str(caught.value))[1:]
    assert len(variables) > 10
    for variable in variables:
        assert f"`{variable}`" in text


def test_the_page_asks_nobody_else(service: Running) -> None:
    for path in ("/", "/page.css", *(f"/{name}.js" for name in ("page", "core", "sample", "study", "evidence"))):
        reply = service.ask("GET", path)
        assert reply.status == 200
        assert not re.search(rb"https?://(?!www\.w3\.org)", reply.body), path
        assert "script-src 'self'" in reply.headers["content-security-policy"]
        assert "unsafe" not in reply.headers["content-security-policy"]


def test_csv_answers_can_be_opened_by_a_plain_reader(service: Running) -> None:
    reply = service.ask("POST", "/v1/predict-file", text(TABLE.to_frame().iloc[:2]), CSV)
    rows = list(csv.DictReader(io.StringIO(reply.body.decode())))
    assert [row["sample_id"] for row in rows] == list(TABLE.sample_ids[:2])


def test_a_site_is_answered_by_the_model_that_has_its_profile(
    models: tuple[Path, Registry, ModelBundle], tmp_path: Path
) -> None:
    bundle = models[2]
    own = Registry(tmp_path / "models")
    own.add(bundle)
    own.promote("pain", "1.0.0", who="test", why="first")
    local = LocalSamples(TABLE.take(np.arange(12)), mix={"control": 0.4, "inflammatory": 0.3})
    there = recalibrate(replace(bundle, trained_on=None), local, site="clinic-b").bundle
    own.add(there)
    own.promote(there.name, there.version, who="test", why="first")
    (tmp_path / "service").mkdir()
    with running(own.root, tmp_path / "service") as started:
        question = body(bundle, range(12, 20))
        general = started.ask("POST", "/v1/predict", question)
        at_site = started.ask("POST", "/v1/predict", {**question, "site": "clinic-b"})
    assert (general.json["model"], at_site.json["model"]) == ("pain", "pain-clinic-b")
    for reply, expected in (
        (general, bundle.predict(TABLE.take(np.arange(12, 20)))),
        (at_site, there.predict(TABLE.take(np.arange(12, 20)))),
    ):
        found = [list(one["probabilities"].values()) for one in reply.json["results"]]
        assert found == expected.probabilities.tolist()
        assert [one["place"] for one in reply.json["results"]] == list(expected.places)
