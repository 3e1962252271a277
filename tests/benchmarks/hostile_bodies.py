"""What the service says to mutated bodies: ``python tests/benchmarks/hostile_bodies.py [--n 20000] [--models DIR]``.

Sound bodies of every POST route and protocol are mutated: bytes flipped, cut off or doubled, values of the JSON replaced or left
out, numbers made extreme, media types confused. Asked: no status of 500 or above but 503 for load, no traceback in the log, the
service ready afterwards, and a sound question answered as before.
"""

from __future__ import annotations

import argparse
import copy
import http.client
import io
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1]))
from exoclassify.model.bundle import ModelBundle
from serving import CSV, JSON, ROOT, Running, asked, running

_EXTREME: tuple[Any, ...] = (
    None, True, -1, 10**30, 1e308, float("nan"), "", "x" * 5000, "=1+1", "\u0000", "\ud800", [], {}, [[]], {"a": {}},
)  # fmt: skip


def bodies(bundle: ModelBundle) -> list[tuple[str, Any, dict[str, str]]]:
    """Sound bodies: path, a JSON value or bytes, and headers."""
    molecules = bundle.panel.molecules
    row = dict(zip(molecules, bundle.golden[0].tolist(), strict=True))
    named = asked(bundle, ("S1", row), ("S2", row))
    tensor = {"name": "cargo", "shape": [1, len(molecules)], "datatype": "FP64", "data": bundle.golden[0].tolist()}
    table = ",".join(("sample_id", *molecules)) + "\n" + ",".join(("S1", *map(str, bundle.golden[0].tolist()))) + "\n"
    columns = {"sample_id": ["S1", "S2"], **{name: [value, value] for name, value in row.items()}}
    with io.BytesIO() as file:
        pq.write_table(pa.table(columns), file)
        parquet = file.getvalue()
    return [
        ("/v1/predict", named, JSON),
        ("/v1/predict?explain=3", {**named, "prevalence": dict.fromkeys(bundle.states, 1 / len(bundle.states))}, JSON),
        ("/v1/predict-file", table.encode() * 2, CSV),
        ("/v1/predict-file?format=ndjson&explain=2", parquet, {"Content-Type": "application/vnd.apache.parquet"}),
        (f"/v2/models/{bundle.name}/infer", {"inputs": [tensor]}, JSON),
        ("/fhir/RiskAssessment", named, JSON),
        ("/v1/outcomes", {"outcomes": [{"sample_id": "S1", "label": bundle.states[0]}]}, JSON),
        ("/v2/repository/index", {"ready": True}, JSON),
    ]


def _flipped(data: bytes, rng: np.random.Generator) -> bytes:
    kind = rng.integers(4)
    if kind == 0:
        return data[: int(rng.integers(0, len(data)))]
    if kind == 1:
        at, size = (int(rng.integers(0, len(data))), int(rng.integers(1, 200)))
        return data[:at] + data[at : at + size] * 3 + data[at + size :]
    changed = bytearray(data)
    for at in rng.integers(0, len(data), int(rng.integers(1, 12))):
        changed[at] = int(rng.integers(0, 256))
    return bytes(changed)


def _replaced(whole: Any, rng: np.random.Generator) -> Any:
    where = changed = copy.deepcopy(whole)
    while isinstance(where, dict | list) and len(where):
        keys = list(where) if isinstance(where, dict) else list(range(len(where)))
        key = keys[int(rng.integers(len(keys)))]
        if isinstance(where[key], dict | list) and where[key] and rng.random() < 0.8:
            where = where[key]
            continue
        if rng.random() < 0.2:
            del where[key]
        else:
            where[key] = _EXTREME[int(rng.integers(len(_EXTREME)))]
        break
    return changed


def mutated(body: Any, rng: np.random.Generator) -> bytes:
    """One mutation of a sound body."""
    if isinstance(body, bytes):
        return _flipped(body, rng)
    if rng.random() < 0.6:
        return json.dumps(_replaced(body, rng)).encode("utf-8", "surrogatepass")
    return _flipped(json.dumps(body).encode(), rng)


def _asked(
    connection: http.client.HTTPConnection, path: str, body: bytes, headers: dict[str, str]
) -> tuple[int, bytes]:
    try:
        connection.request("POST", path, body, headers)
        reply = connection.getresponse()
        return reply.status, reply.read()
    except (http.client.HTTPException, OSError):
        connection.close()
        return 0, b""


def attack(service: Running, bundle: ModelBundle, n: int) -> None:
    """Send n mutated bodies, and print what came back by path."""
    rng, sound = np.random.default_rng(0), bodies(bundle)
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    before = service.ask("POST", sound[0][0], sound[0][1]).json["results"]
    found: dict[str, Counter[int]] = {path: Counter() for path, _, _ in sound}
    for i in range(n):
        path, body, headers = sound[i % len(sound)]
        if rng.random() < 0.05:
            headers = {
                "Content-Type": str(rng.choice(["text/csv", "application/json", "application/octet-stream", "x", ""]))
            }
        content = mutated(body, rng)
        status, said = _asked(connection, path, content, headers)
        found[path][status] += 1
        if status == 0 or (status >= 500 and status != 503):
            print(f"{i} {path}: {status} {said[:200]!r} for {content[:200]!r}", flush=True)
    print(f"{'path':48}answers by status (0: the connection was closed without one)")
    for path, counts in found.items():
        print(f"{path:48}{dict(sorted(counts.items()))}")
    assert service.ask("GET", "/readyz").status == 200
    assert service.ask("POST", sound[0][0], sound[0][1]).json["results"] == before
    print("tracebacks in the log:", service.log.read_text().count("Traceback"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=20_000)
    chosen = parser.parse_args()
    models = ROOT / "models"
    name = "pain-state-demo"
    version = json.loads((models / name / "champion").read_text())["version"]
    with tempfile.TemporaryDirectory() as folder:
        settings = {"database": f"sqlite:///{folder}/records.db", "spool": f"{folder}/spool"}
        with running(models, Path(folder), **settings) as service:
            service.wait_until("/readyz", lambda reply: reply.status == 200)
            attack(service, ModelBundle.load(models / name / version), chosen.n)


if __name__ == "__main__":
    main()
