"""The Open Inference Protocol, version 2, so that clients of KServe, MLServer and Triton work unchanged.

A model is given its molecules either as one tensor ``cargo`` of shape (n, n_molecules) in the panel's order, or as one
tensor of shape (n) or (n, 1) a molecule, under its name; null is not measured. ``sample_id`` (BYTES) may stand beside. Tensors
may come as JSON or as bytes; answers are JSON, which every client reads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import UNSET

from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import Predictions, Use
from exoclassify.typing import Floats
from service.binary import infer_request
from service.exchange import Answer, Refusal, Request
from service.predict import Predicting
from service.schemas import MAX_SAMPLES, InferResponse, Scalar, Tensor
from service.served import Served
from service.together import ROWS, Asked

__all__ = ["Protocol"]

_NUMBERS = ("FP64", "FP32", "FP16", "INT64", "INT32", "INT16", "INT8", "UINT64", "UINT32", "UINT16", "UINT8")

_OF_MLSERVER = "input-1"
"""What the codecs of MLServer call a matrix that nobody named; it is read as ``cargo``."""


class Protocol:
    """Routes of the protocol; `version` is that of the server."""

    def __init__(self, served: Served, predicting: Predicting, version: str) -> None:
        self._served, self._predicting, self._version = served, predicting, version

    async def server(self, request: Request) -> Answer:
        """GET /v2."""
        extensions = ["binary_tensor_data", "model_repository"]
        return Answer({"name": "exoclassify", "version": self._version, "extensions": extensions})

    async def live(self, request: Request) -> Answer:
        """GET /v2/health/live."""
        return Answer({"live": True})

    async def ready(self, request: Request) -> Answer:
        """GET /v2/health/ready."""
        ready = self._served.ready
        return Answer({"ready": ready}, 200 if ready else 503)

    async def model_ready(self, request: Request) -> Answer:
        """GET /v2/models/{name}/ready."""
        bundle = self._bundle(request)
        return Answer({"name": bundle.name, "ready": True})

    async def model(self, request: Request) -> Answer:
        """GET /v2/models/{name}."""
        bundle = self._bundle(request)
        n, k = len(bundle.panel.molecules), len(bundle.states)
        reads = {"kind": bundle.panel.kind, "unit": bundle.panel.unit, "molecules": bundle.panel.molecules}
        outputs = [("call", "BYTES", [-1]), ("probabilities", "FP64", [-1, k]), ("prediction_set", "BYTES", [-1])]
        outputs += [("novelty_p", "FP64", [-1]), ("coverage", "FP64", [-1]), ("flags", "BYTES", [-1])]
        inputs = [
            {"name": "cargo", "datatype": "FP64", "shape": [-1, n], "parameters": reads},
            {"name": "sample_id", "datatype": "BYTES", "shape": [-1]},
        ]
        return Answer({
            "name": bundle.name,
            "versions": [bundle.version],
            "platform": "exoclassify",
            "inputs": inputs,
            "outputs": [{"name": name, "datatype": datatype, "shape": shape} for name, datatype, shape in outputs],
            "parameters": {"states": bundle.states},
        })  # fmt: skip

    async def infer(self, request: Request) -> Answer:
        """POST /v2/models/{name}/infer."""
        asked = infer_request(await request.body(), request.headers)
        bundle = self._bundle(request)
        ids, X = _samples(asked.inputs, bundle)
        question = Asked(bundle, _use(asked.parameters))
        parts = []
        for at in range(0, len(ids), ROWS):
            stop = min(at + ROWS, len(ids))
            found, start = await self._predicting.score(question, X[at:stop], ids[at:stop], request)
            parts.append((found, start, start + stop - at))
        wanted = None if asked.outputs is UNSET else [output.name for output in asked.outputs]
        outputs = _outputs(bundle, ids, parts, wanted)
        return Answer(InferResponse(bundle.name, bundle.version, outputs, asked.id))

    def _bundle(self, request: Request) -> ModelBundle:
        bundle = self._served.bundle(request.path_params["name"])
        version = request.path_params.get("version", bundle.version)
        if version != bundle.version:
            raise Refusal(404, "no_version", f"{bundle.name} {version} does not answer; {bundle.version} does")
        return bundle


def _use(parameters: Any) -> Use:
    given = {} if parameters is UNSET else parameters
    same_batch = given.get("same_batch", False)
    if not isinstance(same_batch, bool):
        raise Refusal(409, "not_usable", "parameters.same_batch: give true or false", "$.parameters.same_batch")
    names = {}
    for key in ("batch", "site"):
        names[key] = given.get(key, "")
        if not isinstance(names[key], str):
            raise Refusal(409, "not_usable", f"parameters.{key}: give a name", f"$.parameters.{key}")
    use = Use(batch=names["batch"], same_batch=same_batch, site=names["site"])
    use.check()
    return use


def _samples(inputs: list[Tensor], bundle: ModelBundle) -> tuple[tuple[str, ...], Floats]:
    named = {tensor.name: tensor for tensor in inputs}
    if len(named) < len(inputs):
        raise Refusal(409, "not_usable", "an input comes twice; give each name once", "$.inputs")
    for tensor in inputs:
        if not all(float(size).is_integer() for size in tensor.shape):
            raise Refusal(409, "not_usable", f"{tensor.name}: a shape is whole numbers", "$.inputs")
        tensor.shape = [int(size) for size in tensor.shape]
    n = int(inputs[0].shape[0])
    if not 1 <= n <= MAX_SAMPLES:
        raise Refusal(409, "not_usable", f"{n} samples; give 1 to {MAX_SAMPLES} in one request", "$.inputs[0].shape")
    for tensor in inputs:
        if tensor.shape[0] != n:
            raise Refusal(
                409, "not_usable", f"{tensor.name} has {tensor.shape[0]} rows and {inputs[0].name} {n}", "$.inputs"
            )
    ids = tuple(f"sample-{i + 1}" for i in range(n))
    if "sample_id" in named:
        ids = _ids(named.pop("sample_id"))
    if not named:
        raise Refusal(409, "not_usable", "give `cargo`, or one input a molecule", "$.inputs")
    if len(named) == 1 and (matrix := named.get("cargo") or named.get(_OF_MLSERVER)) is not None:
        return ids, _matrix(matrix, ids, bundle)
    columns = {name: _numbers(tensor, n) for name, tensor in named.items()}
    rows = zip(*columns.values(), strict=True)
    return ids, np.concatenate(
        [
            bundle.panel.profile(dict(zip(columns, row, strict=True)), sample)
            for sample, row in zip(ids, rows, strict=True)
        ]
    )


def _flat(tensor: Tensor) -> list[Scalar]:
    flat: list[Scalar] = []
    assert tensor.data is not UNSET  # `infer_request` saw to it
    for item in tensor.data:
        if isinstance(item, list):
            flat += item
        else:
            flat.append(item)
    size = int(np.prod(tensor.shape))
    if len(flat) != size:
        raise Refusal(409, "not_usable", f"{tensor.name}: {len(flat)} values for the shape {tensor.shape}", "$.inputs")
    return flat


def _ids(tensor: Tensor) -> tuple[str, ...]:
    ids = tuple(value for value in _flat(tensor) if isinstance(value, str) and 0 < len(value) <= 128)
    if len(set(ids)) < tensor.shape[0] or len(ids) != tensor.shape[0] or tensor.datatype != "BYTES":
        raise Refusal(
            409, "not_usable", "sample_id: give BYTES, a different text of 1 to 128 letters a sample", "$.inputs"
        )
    return ids


def _numbers(tensor: Tensor, size: int) -> list[float | None]:
    if tensor.datatype not in _NUMBERS:
        raise Refusal(409, "not_usable", f"{tensor.name}: datatype {tensor.datatype[:20]}; give FP64", "$.inputs")
    flat = _flat(tensor)
    if len(flat) != size:
        raise Refusal(409, "not_usable", f"{tensor.name}: give the shape [{size}] or [{size}, 1]", "$.inputs")
    numbers: list[float | None] = []
    for value in flat:
        if value is not None and (isinstance(value, bool | str) or abs(value) > 1e300):
            raise Refusal(409, "not_usable", f"{tensor.name}: {str(value)[:20]} is no number", "$.inputs")
        numbers.append(value)
    return numbers


def _matrix(tensor: Tensor, ids: tuple[str, ...], bundle: ModelBundle) -> Floats:
    panel = bundle.panel
    n, p = len(ids), len(panel.molecules)
    if tensor.shape != [n, p]:
        raise Refusal(
            409,
            "not_usable",
            f"cargo: shape {tensor.shape}; the panel has {p} molecules, so give [{n}, {p}]",
            "$.inputs",
        )
    X = np.array(_numbers(tensor, n * p), dtype=np.float64).reshape(n, p)
    panel.check_values(X, ids, "request")
    X = X.copy()
    panel.censor(X)
    return X


def _outputs(
    bundle: ModelBundle, ids: tuple[str, ...], parts: list[tuple[Predictions, int, int]], wanted: list[str] | None
) -> list[Tensor]:
    states, n = bundle.states, len(ids)
    probabilities: list[Any] = []
    sets: list[Any] = []
    columns: dict[str, list[Any]] = {"call": [], "novelty_p": [], "coverage": [], "flags": []}
    for found, start, stop in parts:
        probabilities += found.probabilities[start:stop].ravel().tolist()
        sets += [
            ";".join(state for state, held in zip(states, row, strict=True) if held)
            for row in found.sets[start:stop].tolist()
        ]
        columns["call"] += found.calls[start:stop]
        columns["novelty_p"] += found.novelty_p[start:stop].tolist()
        columns["coverage"] += found.coverage[start:stop].tolist()
        columns["flags"] += [";".join(flags) for flags in found.flags[start:stop]]
    outputs = {
        "call": Tensor("call", [n], "BYTES", columns["call"]),
        "probabilities": Tensor("probabilities", [n, len(states)], "FP64", probabilities, {"states": list(states)}),
        "prediction_set": Tensor("prediction_set", [n], "BYTES", sets),
        "novelty_p": Tensor("novelty_p", [n], "FP64", columns["novelty_p"]),
        "coverage": Tensor("coverage", [n], "FP64", columns["coverage"]),
        "flags": Tensor("flags", [n], "BYTES", columns["flags"]),
    }
    unknown = [name for name in wanted or () if name not in outputs]
    if unknown:
        raise Refusal(
            409, "not_usable", f"there is no output {unknown[0][:50]!r}; known: {', '.join(outputs)}", "$.outputs"
        )
    return [outputs[name] for name in (wanted or outputs)]
