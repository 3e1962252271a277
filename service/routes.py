"""Every path of the service, with what OpenAPI says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from exoclassify.data.units import KINDS, UNITS
from exoclassify.model.bundle import ModelBundle
from service.exchange import FHIR, JSON, Answer, Handler, Request, Route, encoded
from service.fhir import Fhir
from service.files import FORMATS, Files
from service.files import MEDIA as FILE_MEDIA
from service.follow import Following
from service.models import Models
from service.oip import Protocol
from service.openapi import document
from service.pages import PAGES, evidence_map, page
from service.predict import MAX_MOVERS, Predicting, example_response
from service.published import Published
from service.records import Records
from service.repository import Repository
from service.schemas import PredictRequest, PredictResponse
from service.served import Served
from service.settings import Settings
from service.studies import Studies

__all__ = ["routes"]

_EXPLAIN: dict[str, Any] = {
    "type": "integer", "minimum": 0, "maximum": MAX_MOVERS, "default": 0,
    "description": "Name this many molecules that moved each answer, with what is published on them.",
}  # fmt: skip
_FILE_QUERY: dict[str, dict[str, Any]] = {
    "format": {"enum": list(FORMATS), "description": "Of the answer; else the Accept header, else csv."},
    "kind": {"enum": list(KINDS), "description": "To be checked against the model."},
    "unit": {"enum": list(UNITS), "description": "To be checked against the model."},
    "prevalence": {
        "type": "string", "description": "Shares at the place of use.", "example": "neuropathic=0.05",
        "pattern": r"^[^=,]+=0?\.[0-9]{1,12}(,[^=,]+=0?\.[0-9]{1,12})*$",
    },
    "same_batch": {"enum": ["true", "false"], "default": "false"},
    "incomplete": {
        "enum": ["true", "false"], "default": "false",
        "description": "Of a file that is damaged or cut short: the answers up to there, as `exoclassify score` gives them.",
    },
    "batch": {"type": "string", "description": "Of all samples; one that was not trained on is an unknown batch."},
    "site": {"type": "string", "description": "Of which a profile was made."},
    "max_wrong": {
        "type": "number", "minimum": 0.01, "maximum": 0.5, "example": 0.05,
        "description": "Share of the calls that may be wrong.",
    },
    "level": {
        "type": "number", "exclusiveMinimum": 0.5, "exclusiveMaximum": 1, "example": 0.9,
        "description": "Promised coverage of the prediction sets.",
    },
    "model": {"type": "string", "description": "Needed only where several models are served."},
    "explain": {**_EXPLAIN, "description": "As for /v1/predict; with format=ndjson only."},
}  # fmt: skip

Content = dict[str, Any]
Examples = Callable[[Sequence[ModelBundle]], Content]


def routes(
    settings: Settings,
    version: str,
    served: Served,
    models: Models,
    predicting: Predicting,
    files: Files,
    protocol: Protocol,
    repository: Repository,
    published: Published,
    records: Records,
    studies: Studies | None,
    *,
    keyed: bool,
) -> list[Route]:
    """Give all routes, those that are asked most first."""
    answers = _json("FollowResponse")
    found = [
        _post("/v1/predict", predicting.predict, "Answer for 1 to 1000 samples", _asked, _answered, settings.max_json,
              sheds=True, query={"explain": _EXPLAIN}),
        *_protocol(settings, protocol),
        _post("/v1/predict-file", files.predict, "Answer for a table", _table, _FILE_ANSWERS, settings.max_file,
              FILE_MEDIA, streams=True, sheds=True, query=_FILE_QUERY),
        _post("/v1/follow", Following(served, predicting).follow, "The course of one person over 2 to 100 visits",
              _followed, answers, settings.max_json, sheds=True),
        *_health(models),
        *_told(models, published),
        *_outcomes(settings, records),
        *_studies(settings, studies),
        *_fhir(settings, served, predicting, version),
        *_repository(repository),
        _of_bentoml(),
    ]  # fmt: skip
    written: dict[tuple[ModelBundle, ...], bytes] = {}  # for the models that answer now

    async def openapi(request: Request) -> Answer:
        bundles = tuple(s.bundle for s in served.standings.values() if s.bundle is not None)
        if bundles not in written:
            written.clear()
            written[bundles] = encoded(document(found, version, bundles, keyed=keyed))
        return Answer(written[bundles])

    found.append(_get("/openapi.json", openapi, "This document", _plain(), needs_key=False))
    return found


_BYTES = "application/octet-stream"
_TEXT: Content = {"schema": {"type": "string"}}
_FILE_ANSWERS: Content = dict.fromkeys(FORMATS.values(), _TEXT)


def _get(
    path: str, handler: Handler, summary: str, answers: Content, unavailable: Content | None = None, **more: Any
) -> Route:
    about = {"summary": summary, "answers": answers, **({"unavailable": unavailable} if unavailable else {})}
    return Route("GET", path, handler, about=about, **more)


def _post(
    path: str,
    handler: Handler,
    summary: str,
    request: Examples | None,
    answers: Content | Examples,
    max_body: int = 0,
    media: Iterable[str] = (JSON,),
    **more: Any,
) -> Route:
    """Give a route that reads a body; one of which no request is described reads none."""
    about = {"summary": summary, "request": request, "answers": answers}
    return Route("POST", path, handler, tuple(media) if request else (), max_body, about=about, **more)


def _json(schema: str) -> Content:
    return {JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _plain(*required: str) -> Content:
    return {JSON: {"schema": {"type": "object", **({"required": list(required)} if required else {})}}}


def _any(bundles: Sequence[ModelBundle]) -> Content:
    return _plain()


def _health(models: Models) -> list[Route]:
    ready = _plain("ready", "stopping", "models")
    return [
        _get("/livez", models.live, "The process runs", _plain("live"), needs_key=False, always=True),
        _get("/readyz", models.ready, "It can answer", ready, ready, needs_key=False, always=True),
        _get("/metrics", models.metrics, "Figures for Prometheus", {"text/plain": _TEXT}, always=True),
    ]


def _told(models: Models, published: Published) -> list[Route]:
    """Give what is said of models and molecules, and the page."""
    name = "/v1/models/{name}"
    return [
        _get("/v1/models", models.listed, "The models served", _json("ModelList")),
        _get(name, models.card, "The card of a model", _plain() | {"text/html": _TEXT},
             query={"format": {"enum": ["json", "html"]}}),
        _get(f"{name}/example", models.example, "Made-up profiles as a table, to try a model with", {"text/csv": _TEXT}),
        _get("/v1/evidence", published.conditions, "The catalogue's conditions, or all that is known of one", _plain(),
             query={"condition": {"type": "string"}}),
        _get("/v1/evidence/{molecule}", published.evidence, "Published claims on a molecule, and its effects in public tables",
             _json("Evidence")),
        *(_get(path, page(path), "The page", {media: _TEXT}, needs_key=False) for path, (_, media) in PAGES.items()),
        _get("/evidence-map.svg", evidence_map(published.catalogue), "Cargo by condition", {"image/svg+xml": _TEXT},
             needs_key=False),
    ]  # fmt: skip


def _outcomes(settings: Settings, records: Records) -> list[Route]:
    if not settings.database:
        return []
    answers = _json("OutcomesResponse")
    return [
        _post("/v1/outcomes", records.outcomes, "Later diagnoses, by sample id", _outcomes_asked, answers, settings.max_json,
              sheds=True),
    ]  # fmt: skip


def _studies(settings: Settings, studies: Studies | None) -> list[Route]:
    async def asked(request: Request) -> Answer:
        return Answer({"allowed": studies is not None})

    first = _get("/v1/studies", asked, "Whether studies are allowed here", _plain("allowed"))
    if studies is None:
        return [first]
    one, told = "/v1/studies/{id}", _plain("state", "progress")
    return [
        first,
        _post("/v1/studies", studies.opened, "Open a study", None, _plain("id")),
        _post(f"{one}/files/{{role}}", studies.file, "Its table of cargo, or its sample sheet", _table, _plain("called"),
              settings.max_file, FILE_MEDIA, streams=True),
        _post(f"{one}/look", studies.look, "What the files seem to be", None, _plain()),
        _post(f"{one}/start", studies.start, "Audit or train", _any, told, settings.max_json),
        _get(one, studies.told, "How a study stands", told),
        _post(f"{one}/cancel", studies.cancel, "End a study", None, told),
        _get(f"{one}/results/{{result}}", studies.result, "Report, model or predictions", {"text/html": _TEXT}, needs_key=False),
        _post(f"{one}/import", studies.taken, "Put its model into use", _any, _plain("name", "version"), settings.max_json),
    ]  # fmt: skip


def _protocol(settings: Settings, protocol: Protocol) -> list[Route]:
    ready = _plain("ready")
    found = []
    for path in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        found += [
            _post(f"{path}/infer", protocol.infer, "Answer for tensors", _tensors, _json("InferResponse"), settings.max_json,
                  (JSON, _BYTES), untyped=True, sheds=True),
            _get(path, protocol.model, "What a model reads and gives", _plain("name", "inputs")),
            _get(f"{path}/ready", protocol.model_ready, "A model can answer", ready),
        ]  # fmt: skip
    return [
        *found,
        _get("/v2", protocol.server, "The server (Open Inference Protocol)", _plain("name")),
        _get("/v2/health/live", protocol.live, "The process runs", _plain("live"), needs_key=False, always=True),
        _get("/v2/health/ready", protocol.ready, "It can answer", ready, _plain(), needs_key=False),
    ]


def _repository(repository: Repository) -> list[Route]:
    index = {JSON: {"schema": {"type": "array", "items": {"type": "object", "required": ["name", "state", "reason"]}}}}
    name = "/v2/repository/models/{name}"
    return [
        _post("/v2/repository/index", repository.index, "All models, and whether they answer", None, index),
        _post(f"{name}/load", repository.load, "Take up a model's champion now", None, _plain()),
        _post(f"{name}/unload", repository.unload, "Put a model down", None, _plain()),
    ]


def _of_bentoml() -> Route:
    """Describe ``predict`` as BentoML's own clients ask for it."""
    request, response = (msgspec.json.schema(each) for each in (PredictRequest, PredictResponse))
    flat = [{**each, **each["$defs"][each["$ref"].rpartition("/")[2]]} for each in (request, response)]
    described = {"name": "predict", "route": "/v1/predict", "input": flat[0], "output": flat[1]}
    body = encoded({"name": "exoclassify", "type": "service", "routes": [described]})

    async def schema(request: Request) -> Answer:
        return Answer(body)

    return _get("/schema.json", schema, "What bentoml.SyncHTTPClient asks first", _plain("routes"))


def _fhir(settings: Settings, served: Served, predicting: Predicting, version: str) -> list[Route]:
    try:
        fhir = Fhir(served, predicting, version)
    except ImportError:
        return []
    answers = {FHIR: {"schema": {"type": "object", "required": ["resourceType"]}}}
    return [
        _get("/fhir/metadata", fhir.metadata, "What is spoken here", answers, needs_key=False),
        _post("/fhir/RiskAssessment", fhir.assess, "Answer as FHIR R5 RiskAssessment", _asked, answers, settings.max_json,
              sheds=True),
    ]  # fmt: skip


def _asked(bundles: Sequence[ModelBundle]) -> Content:
    content = {"schema": {"$ref": "#/components/schemas/PredictRequest"}}
    if not bundles:
        return {JSON: content}
    panel = bundles[0].panel
    values = dict(zip(panel.molecules, bundles[0].golden[0].tolist(), strict=True))
    example: dict[str, Any] = {
        "kind": panel.kind, "unit": panel.unit,
        "samples": [{"sample_id": "S-001", "cargo": {name: _number(value) for name, value in values.items()}}],
    }  # fmt: skip
    if len(bundles) > 1:
        example["model"] = bundles[0].name
    return {JSON: {**content, "example": example}}


def _followed(bundles: Sequence[ModelBundle]) -> Content:
    content: Content = {"schema": {"$ref": "#/components/schemas/FollowRequest"}}
    if bundles:
        example = dict(_asked(bundles)[JSON]["example"])
        sample = example.pop("samples")[0]
        example["subject"] = "P07"
        example["samples"] = [{**sample, "visit": f"V{i}", "sample_id": f"S-00{i}"} for i in (1, 2)]
        content["example"] = example
    return {JSON: content}


def _answered(bundles: Sequence[ModelBundle]) -> Content:
    content = _json("PredictResponse")
    if bundles:
        content[JSON]["example"] = msgspec.to_builtins(example_response(bundles[0]))
    return content


def _outcomes_asked(bundles: Sequence[ModelBundle]) -> Content:
    state = bundles[0].states[0] if bundles else "neuropathic"
    example = {"outcomes": [{"sample_id": "S-001", "state": state, "diagnosed": "2026-03-01"}]}
    return {JSON: {"schema": {"$ref": "#/components/schemas/OutcomesRequest"}, "example": example}}


def _number(value: float) -> float | int | None:
    if value != value:
        return None
    return int(value) if value.is_integer() else value


def _tensors(bundles: Sequence[ModelBundle]) -> Content:
    content = {"schema": {"$ref": "#/components/schemas/InferRequest"}}
    if not bundles:
        return {JSON: content}
    golden = bundles[0].golden
    row = [_number(value) for value in golden[0].tolist()]
    tensor = {"name": "cargo", "shape": [1, golden.shape[1]], "datatype": "FP64", "data": row}
    return {JSON: {**content, "example": {"inputs": [tensor]}}}


def _table(bundles: Sequence[ModelBundle]) -> Content:
    content: Content = {media: {"schema": {"type": "string", "format": "binary"}} for media in FILE_MEDIA}
    if bundles:
        panel, row = bundles[0].panel, bundles[0].golden[0].tolist()
        numbers = [_number(value) for value in row]
        cells = ["" if number is None else str(number) for number in numbers]
        for media, mark in (("text/csv", ","), ("text/tab-separated-values", "\t")):
            lines = [mark.join(("sample_id", *panel.molecules)), mark.join(("S-001", *cells))]
            content[media]["example"] = "\n".join([*lines, ""])
    return content
