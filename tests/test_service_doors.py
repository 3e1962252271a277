"""Every door gives the same answer, and nothing that is thrown at a door breaks it."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from exoclassify.cli.main import app
from exoclassify.data.cargo import CargoTable
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import Use
from service.filework import carried_out
from serving import JSON, Running, asked, cohort, registry, running
from waiting import PATIENCE

pytestmark = pytest.mark.service

TABLE = cohort().cargo
N_MUTATED = int(os.environ.get("N_MUTATED", "2000"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ModelBundle]:
    root = tmp_path_factory.mktemp("models")
    return root, registry(root, "1.0.0")[1]["1.0.0"]


@pytest.fixture(scope="module")
def service(made: tuple[Path, ModelBundle], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(made[0], tmp_path_factory.mktemp("service")) as started:
        yield started


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """A few samples: real rows with holes, more or fewer reads, molecules in any order and spelling, some unknown."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = draw(st.lists(st.integers(0, TABLE.n_samples - 1), min_size=1, max_size=5))
    values = np.floor(TABLE.values[rows] * draw(st.sampled_from([0.0, 0.1, 1.0, 7.0])))
    values[rng.random(values.shape) < draw(st.sampled_from([0.0, 0.05, 0.5]))] = np.nan
    names = list(TABLE.molecules)
    if draw(st.booleans()):
        names = [name.replace("-", "_").replace("miR", "MIR") for name in names]
    ids = [f"{draw(st.sampled_from(['S', 'é', 'a,b', '007']))}-{i}" for i in range(len(rows))]
    frame = pd.DataFrame(values, pd.Index(ids, name="sample_id"), names)
    frame["hsa-miR-99999-5p"] = rng.integers(0, 9, len(rows)).astype(float)
    return frame.iloc[:, rng.permutation(frame.shape[1])]


def by_name(frame: pd.DataFrame) -> list[dict[str, float | None]]:
    return [
        {name: None if np.isnan(value) else value for name, value in zip(frame.columns, row, strict=True)}
        for row in frame.to_numpy()
    ]


def rest(service: Running, bundle: ModelBundle, frame: pd.DataFrame, **more: Any) -> np.ndarray[Any, Any]:
    question = asked(bundle, *zip(frame.index, by_name(frame), strict=True), **more)
    reply = service.ask("POST", "/v1/predict", question)
    assert reply.status == 200, reply.body
    assert [found["sample_id"] for found in reply.json["results"]] == list(frame.index)
    return np.array([list(found["probabilities"].values()) for found in reply.json["results"]])


def tensors(service: Running, frame: pd.DataFrame, same_batch: bool) -> np.ndarray[Any, Any]:
    n = len(frame)
    columns = [
        {"name": name, "shape": [n], "datatype": "FP64", "data": [None if np.isnan(v) else v for v in frame[name]]}
        for name in frame
    ]
    question = {"inputs": columns, "parameters": {"same_batch": same_batch}}
    reply = service.ask("POST", "/v2/models/pain/infer", question)
    assert reply.status == 200, reply.body
    found = next(output for output in reply.json["outputs"] if output["name"] == "probabilities")
    return np.array(found["data"]).reshape(found["shape"])


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(frame=frames(), share=st.sampled_from([None, 0.05]), same_batch=st.booleans(), seed=st.integers(0, 99))
def test_library_rest_and_protocol_agree_whatever_the_order_and_the_number(
    service: Running,
    made: tuple[Path, ModelBundle],
    frame: pd.DataFrame,
    share: float | None,
    same_batch: bool,
    seed: int,
) -> None:
    bundle = made[1]
    prevalence = {} if share is None else {"neuropathic": share}
    table = CargoTable.from_frame(frame, kind="mirna", unit="counts")
    expected = bundle.predict(table, Use(prevalence=prevalence, same_batch=same_batch)).probabilities
    more = {"prevalence": prevalence, "same_batch": same_batch}
    np.testing.assert_array_equal(rest(service, bundle, frame, **more), expected)
    turned = np.random.default_rng(seed).permutation(len(frame))
    np.testing.assert_array_equal(rest(service, bundle, frame.iloc[turned, ::-1], **more), expected[turned])
    alone = [rest(service, bundle, frame.iloc[[i]], **more)[0] for i in range(len(frame))]
    np.testing.assert_array_equal(alone, expected)
    if share is None:
        np.testing.assert_array_equal(tensors(service, frame, same_batch), expected)


@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(frame=frames(), same_batch=st.booleans())
def test_files_and_the_command_line_agree_with_the_library(
    made: tuple[Path, ModelBundle], frame: pd.DataFrame, same_batch: bool, tmp_path: Path
) -> None:
    root, bundle = made
    table = CargoTable.from_frame(frame, kind="mirna", unit="counts")
    expected = bundle.predict(table, Use(same_batch=same_batch)).to_frame()
    folder = root / "pain" / "1.0.0"
    frame.to_csv(tmp_path / "body.csv")
    job = {
        "model": str(folder), "folder": str(tmp_path), "source": "body.csv", "called": "body.csv",
        "format": "csv", "kind": "mirna", "unit": "counts",
        "use": {"same_batch": same_batch}, "incomplete": False, "explain": 0, "records": None,
    }  # fmt: skip
    assert carried_out(job)["calls"] == Counter(expected["call"])
    arguments = [
        "score",
        str(folder),
        "--cargo",
        str(tmp_path / "body.csv"),
        "--out",
        str(tmp_path / "out.csv"),
        "--force",
    ]
    done = CliRunner().invoke(app, [*arguments, "--same-batch"] if same_batch else arguments)
    assert done.exit_code == 0, done.output
    for path in ("answers", "out.csv"):
        found = pd.read_csv(tmp_path / path, keep_default_na=False, dtype={"sample_id": str})
        pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=0, atol=1e-12)


NUMBERS = ["1e999", "-1e999", "NaN", "Infinity", "-0", "1" * 400, "1" * 5000, "0.1e-400", "1e", "--1", "0x1", "01"]
WRONG: list[Any] = [None, True, "5", "", [], {}, [1], {"a": 1}, -1, 2.5, 1e300, 1e10, "\x00", "é" * 300]
OPENINGS = [b"[", b'{"a":', b'[{"a":']
QUOTES = [b'\\u0000"', b'\\ud800"', b'\x00"', b'\\"']
BOMB = gzip.compress(b"0" * 10_000_000)
TOP = ["kind", "unit", "samples", "model", "prevalence", "same_batch", "more"]
FIRST = ["sample_id", "cargo", "metadata", "more"]


def noise(rng: random.Random, n: int) -> bytes:
    return bytes(rng.randrange(256) for _ in range(n))


def of_bytes(sound: bytes, names: list[str], rng: random.Random) -> bytes:
    """Break the text of a body that has these keys."""
    at, name = rng.randrange(len(sound)), f'"{rng.choice(names)}": '
    start, end = sound[:at], sound[at:]
    return rng.choice(
        [
            lambda: start,
            lambda: start + noise(rng, 1) + end[1:],
            lambda: start + noise(rng, rng.randrange(1, 40)) + end,
            lambda: sound.replace(name.encode(), f'{name}{rng.choice(NUMBERS)}, "x{at}": '.encode(), 1),
            lambda: sound.replace(name.encode(), f"{name}1, {name}".encode(), 1),
            lambda: start + rng.choice(OPENINGS) * rng.choice([10, 1000, 50_000]) + end,
            lambda: BOMB,
            lambda: b'{"kind": "mirna", ' + sound[1:],
            lambda: sound.replace(b'"', rng.choice(QUOTES), rng.randrange(1, 9)),
        ]
    )()


def of_values(sound: bytes, names: list[str], rng: random.Random) -> bytes:
    """Break what a body says."""
    document = json.loads(sound)
    sample = document["samples"][0]
    name = rng.choice(names)
    strange = ["", " ", "\x00", "a" * 201, name.upper(), name.replace("-", "_"), "=1+1"]
    where, what = rng.choice(
        [(sample["cargo"], [name]), (sample["cargo"], strange), (document, TOP), (sample, FIRST), ({}, ["x"])]
    )
    where[rng.choice(what)] = rng.choice([*WRONG, *range(len(WRONG))])
    if rng.random() < 0.1:
        document["samples"] *= rng.choice([0, 2, 3])
    return json.dumps(document, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


def throw(service: Running, path: str, bodies: Iterator[bytes]) -> Counter[int]:
    """Send them one after the other on one connection; every refusal has its shape, and memory does not grow."""
    process, memory = psutil.Process(service.process.pid), 0
    seen: Counter[int] = Counter()
    connection = HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
    for i, content in enumerate(bodies):
        if i == 200:
            memory = process.memory_info().rss
        connection.request("POST", path, content, JSON)
        reply = connection.getresponse()
        found = reply.read()
        seen[reply.status] += 1
        assert reply.status in (200, 400, 404, 409), (content[:300], found)
        if reply.status != 200:
            error = json.loads(found)["error"]
            assert isinstance(error, str) if path.startswith("/v2") else set(error) == {"code", "message", "where"}
            assert len(found) < 5000
    connection.close()
    assert process.memory_info().rss < memory + 60e6
    return seen


def test_no_mutated_body_breaks_the_service(service: Running, made: tuple[Path, ModelBundle]) -> None:
    rng = random.Random(4)
    cargo = dict(zip(TABLE.molecules[:12], TABLE.values[0, :12].tolist(), strict=True))
    question = asked(made[1], ("S1", cargo), prevalence={"control": 0.5}, same_batch=False)
    sound = json.dumps(question).encode()
    broken = (rng.choice([of_bytes, of_values])(sound, list(cargo), rng) for _ in range(N_MUTATED))
    seen = throw(service, "/v1/predict", broken)
    assert min(seen[200], seen[400], seen[409]) > 10, seen
    assert service.ask("POST", "/v1/predict", question).status == 200


def test_no_mutated_tensor_breaks_the_service(service: Running, made: tuple[Path, ModelBundle]) -> None:
    rng = random.Random(5)
    data = [1, None, 3.0]
    tensors = [{"name": name, "shape": [3], "datatype": "FP64", "data": data} for name in TABLE.molecules[:5]]
    sound = json.dumps({"id": "7", "parameters": {"same_batch": True}, "inputs": tensors}).encode()
    names = ["id", "parameters", "inputs", "name", "shape", "datatype", "data"]
    seen = throw(service, "/v2/models/pain/infer", (of_bytes(sound, names, rng) for _ in range(N_MUTATED // 4)))
    assert min(seen[200], seen[400], seen[409]) > 0, seen


@pytest.mark.parametrize(
    ("paths", "examples", "tested"),
    [
        (
            # what puts the model down would have nothing left to ask
            ("--exclude-path", "/v1/predict-file", "--exclude-path", "/v2/repository/models/{name}/unload"),
            "8",
            r"Tested: [23]\d",
        ),
        (("--include-path", "/v1/predict-file"), "2", r"Tested: 1\b"),  # few: every file starts a process
    ],
)
def test_schemathesis_finds_nothing_that_openapi_does_not_say(
    service: Running, tmp_path: Path, paths: tuple[str, str], examples: str, tested: str
) -> None:
    pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"), "run", f"http://localhost:{service.port}/openapi.json",
            "--checks", "all", "--max-examples", examples, "--seed", "1", "--no-color",
            "--request-timeout", f"{PATIENCE:.0f}", *paths,
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:]
    assert re.search(tested, done.stdout)
