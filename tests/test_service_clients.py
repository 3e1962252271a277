"""The clients that people have, as they are: Triton's, MLServer's codecs, BentoML's, and a reader of FHIR.

Triton's and MLServer's want other versions of libraries than this project; they run from an environment of their own, which
EXOCLASSIFY_TEST_CLIENTS names (``python -m venv E; E/bin/pip install 'tritonclient[http]' mlserver``).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fhir.resources.capabilitystatement import CapabilityStatement
from fhir.resources.operationoutcome import OperationOutcome

from exoclassify.model.bundle import ModelBundle
from serving import CSV, JSON, Running, asked, cohort, registry, running
from waiting import PATIENCE

pytestmark = [pytest.mark.service, pytest.mark.slow]
TABLE = cohort(3).cargo.take(np.arange(5))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, ModelBundle]]:
    folder = tmp_path_factory.mktemp("clients")
    _, bundles = registry(folder / "models", "1.0.0")
    with running(folder / "models", folder) as service:
        service.wait_until("/readyz", lambda reply: reply.status == 200)
        yield service, bundles["1.0.0"]


def client(code: str, *arguments: object) -> Any:
    """Run code in the environment of the clients, which has `argv`; it prints JSON."""
    place = os.environ.get("EXOCLASSIFY_TEST_CLIENTS")
    if not place:
        pytest.skip("EXOCLASSIFY_TEST_CLIENTS names no environment with tritonclient and mlserver")
    done = subprocess.run(
        [f"{place}/bin/python", "-W", "ignore", "-c", code, *map(str, arguments)],
        capture_output=True, text=True, timeout=PATIENCE,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("binary", [True, False], ids=["bytes", "json"])
def test_tritons_client_with_its_defaults_gets_the_librarys_answers(
    service: tuple[Running, ModelBundle], tmp_path: Path, binary: bool
) -> None:
    running_, bundle = service
    X = TABLE.aligned(bundle.panel.molecules)
    np.save(tmp_path / "X.npy", X)
    code = """
import json, sys
import numpy as np
import tritonclient.http as http
port, path, binary = sys.argv[1:]
client = http.InferenceServerClient(f"localhost:{port}")
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("pain")
X = np.load(path)
cargo = http.InferInput("cargo", list(X.shape), "FP64")
cargo.set_data_from_numpy(X, binary_data=binary == "True")
ids = http.InferInput("sample_id", [len(X)], "BYTES")
ids.set_data_from_numpy(np.array([f"s{i}" for i in range(len(X))], dtype=object), binary_data=binary == "True")
found = client.infer("pain", [cargo, ids], request_id="7")
asked = client.infer("pain", [cargo], outputs=[http.InferRequestedOutput("call")])
short = http.InferInput("cargo", [1, 2], "FP64")
short.set_data_from_numpy(X[:1, :2])
try:
    client.infer("pain", [short])
except http.InferenceServerException as error:
    said = error.message()
client.unload_model("pain")
gone = client.is_model_ready("pain")
index = client.get_model_repository_index()
client.load_model("pain")
print(json.dumps({
    "p": found.as_numpy("probabilities").tolist(), "id": found.get_response()["id"],
    "call": asked.as_numpy("call").astype(str).tolist(), "said": said, "gone": gone, "index": index,
    "back": client.is_model_ready("pain"),
}))
"""
    found = client(code, running_.port, tmp_path / "X.npy", binary)
    expected = bundle.predict(TABLE)
    np.testing.assert_array_equal(found["p"], expected.probabilities)
    assert found["call"] == list(expected.calls)
    assert found["id"] == "7"
    assert "the panel has" in found["said"]
    assert (found["gone"], found["back"]) == (False, True)
    assert [(each["name"], each["state"]) for each in found["index"]] == [("pain", "UNAVAILABLE")]


def test_mlservers_codecs_are_understood_and_read_the_answer(
    service: tuple[Running, ModelBundle], tmp_path: Path
) -> None:
    running_, bundle = service
    np.save(tmp_path / "X.npy", TABLE.aligned(bundle.panel.molecules))
    code = """
import json, sys, urllib.request
import numpy as np
from mlserver.codecs import NumpyCodec, NumpyRequestCodec, StringCodec
from mlserver.types import InferenceResponse, RepositoryIndexResponse
port, path = sys.argv[1:]
def post(where, body):
    request = urllib.request.Request(f"http://localhost:{port}{where}", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as reply:
        return reply.read()
request = NumpyRequestCodec.encode_request(np.load(path))
answer = InferenceResponse.model_validate_json(post("/v2/models/pain/infer", request.model_dump_json().encode()))
outputs = {output.name: output for output in answer.outputs}
index = RepositoryIndexResponse.model_validate_json(post("/v2/repository/index", b"{}"))
print(json.dumps({
    "p": NumpyCodec.decode_output(outputs["probabilities"]).tolist(),
    "call": StringCodec.decode_output(outputs["call"]), "index": [each.state for each in index.root],
    "name": request.inputs[0].name,
}))
"""
    found = client(code, running_.port, tmp_path / "X.npy")
    expected = bundle.predict(TABLE)
    assert found["name"] == "input-1"
    np.testing.assert_array_equal(found["p"], expected.probabilities)
    assert found["call"] == list(expected.calls)
    assert found["index"] == ["READY"]


def test_bentomls_client_asks_predict(service: tuple[Running, ModelBundle], tmp_path: Path) -> None:
    running_, bundle = service
    rows = [dict(zip(TABLE.molecules, row, strict=True)) for row in TABLE.values.tolist()]
    question = asked(bundle, *zip(TABLE.sample_ids, rows, strict=True))
    (tmp_path / "question.json").write_text(json.dumps(question))
    code = """
import json, sys
import bentoml
with bentoml.SyncHTTPClient(f"http://localhost:{sys.argv[1]}", server_ready_timeout=120) as client:
    found = client.predict(**json.load(open(sys.argv[2])))
print(json.dumps(found["results"]))
"""
    # A process of its own: the client leaves files and sockets for the collector to find.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(running_.port), str(tmp_path / "question.json")],
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert [result["call"] for result in found] == list(bundle.predict(TABLE).calls)


def test_errors_have_the_shape_that_callers_of_the_path_can_read(service: tuple[Running, ModelBundle]) -> None:
    running_, _ = service
    for method, path, body, headers in (
        ("POST", "/v2/models/pain/infer", b"{", JSON),
        ("POST", "/v2/models/none/infer", b'{"inputs": []}', JSON),
        ("GET", "/v2/models/none", None, {}),
        ("GET", "/v2/nothing", None, {}),
        ("POST", "/v2/models/pain/infer", b"", CSV),
    ):
        reply = running_.ask(method, path, body, headers)
        assert reply.status >= 400
        assert set(reply.json) == {"error"}
        assert isinstance(reply.json["error"], str)
    for method, path, body, headers in (
        ("POST", "/fhir/RiskAssessment", b"{", JSON),
        ("GET", "/fhir/RiskAssessment", None, {}),
        ("GET", "/fhir/Patient", None, {}),
        ("POST", "/fhir/RiskAssessment", b"", CSV),
    ):
        reply = running_.ask(method, path, body, headers)
        assert reply.status >= 400
        assert reply.headers["content-type"] == "application/fhir+json"
        assert OperationOutcome.model_validate_json(reply.body).issue[0].diagnostics
    stated = CapabilityStatement.model_validate_json(running_.ask("GET", "/fhir/metadata").body)
    assert stated.rest[0].resource[0].type == "RiskAssessment"
    broken = running_.raw(b"NOT HTTP AT ALL\r\n\r\n")
    assert json.loads(broken.partition(b"\r\n\r\n")[2])["error"]["code"] == "not_http"


@pytest.mark.parametrize(
    ("header", "parameters", "content", "message"),
    [
        ("9999999", {"binary_data_size": 8}, b"", "give the length of the JSON"),
        (None, {"binary_data_size": 9}, b"\0" * 8, "and 8 bytes are left"),
        (None, {"binary_data_size": 7}, b"\0" * 7, "no whole number of FP64"),
        (None, {"binary_data_size": 8}, b"\0" * 9, "1 bytes follow the last tensor"),
        (None, {"binary_data_size": True}, b"", "binary_data_size is True"),
        (None, {}, b"", "has neither data nor a binary_data_size"),
        (None, {"binary_data_size": 8}, b"\0\0\0\0\0\0\xf0\x7f", "is no number"),
    ],
)
def test_bytes_that_do_not_fit_their_tensor_are_refused(
    service: tuple[Running, ModelBundle], header: str | None, parameters: dict[str, Any], content: bytes, message: str
) -> None:  # fmt: skip
    tensor = {"name": "hsa-miR-21-5p", "shape": [1], "datatype": "FP64", "parameters": parameters}
    said = json.dumps({"inputs": [tensor]}).encode()
    headers = {"Inference-Header-Content-Length": header or str(len(said)), "Content-Type": "application/octet-stream"}
    reply = service[0].ask("POST", "/v2/models/pain/infer", said + content, headers)
    assert reply.status in (400, 409)
    assert message in reply.json["error"]
