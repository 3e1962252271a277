"""Every path of the service, with what OpenAPI says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from exoclassify.data.units import KINDS, UNITS
from exoclassify.model.bundle import ModelBundle
from service.exchange import FHIR, JSON, Answer, Request, Route, encoded
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
    """Give all routes."""
    found = [
        *_health(models),
        Route(
            "POST", "/v1/predict", predicting.predict, (JSON,), settings.max_json, sheds=True, query={"explain": _EXPLAIN},
            about={
                "summary": "Answer for 1 to 1000 samples", "request": _asked, "answers": _answered,
            },
        ),
        Route(
            "POST", "/v1/predict-file", files.predict, tuple(FILE_MEDIA), settings.max_file,
            streams=True, sheds=True, query=_FILE_QUERY,
            about={"summary": "Answer for a table", "request": _table, "answers": _FILE_ANSWERS},
        ),
        Route(
            "POST", "/v1/follow", Following(served, predicting).follow, (JSON,), settings.max_json, sheds=True,
            about={
                "summary": "The course of one person over 2 to 100 visits", "request": _followed,
                "answers": _json("FollowResponse"),
            },
        ),
        Route("GET", "/v1/models", models.listed, about=_about("The models served", _json("ModelList"))),
        Route(
            "GET", "/v1/models/{name}", models.card, query={"format": {"enum": ["json", "html"]}},
            about=_about("The card of a model", {JSON: {"schema": {"type": "object"}}, "text/html": _TEXT}),
        ),
        Route(
            "GET", "/v1/models/{name}/example", models.example,
            about=_about("Made-up profiles as a table, to try a model with", {"text/csv": _TEXT}),
        ),
        Route(
            "GET", "/v1/evidence", published.conditions, query={"condition": {"type": "string"}},
            about=_about("The catalogue's conditions, or all that is known of one", {JSON: {"schema": {"type": "object"}}}),
        ),
        Route(
            "GET", "/v1/evidence/{molecule}", published.evidence,
            about=_about("Published claims on a molecule, and its effects in public tables", _json("Evidence")),
        ),
        *_outcomes(settings, records),
        *_studies(settings, studies),
        *_protocol(settings, protocol),
        *_fhir(settings, served, predicting, version),
        *_repository(repository),
        _of_bentoml(),
        *(
            Route("GET", path, page(path), needs_key=False, about=_about("The page", {media: _TEXT}))
            for path, (_, media) in PAGES.items()
        ),
        Route("GET", "/evidence-map.svg", evidence_map(published.catalogue), needs_key=False,
              about=_about("Cargo by condition", {"image/svg+xml": _TEXT})),
    ]  # fmt: skip

    written: dict[tuple[ModelBundle, ...], bytes] = {}  # for the models that answer now

    async def openapi(request: Request) -> Answer:
        bundles = tuple(s.bundle for s in served.standings.values() if s.bundle is not None)
        if bundles not in written:
            written.clear()
            written[bundles] = encoded(document(found, version, bundles, keyed=keyed))
        return Answer(written[bundles])

    about = _about("This document", {JSON: {"schema": {"type": "object"}}})
    found.append(Route("GET", "/openapi.json", openapi, needs_key=False, about=about))
    return found


_BYTES = "application/octet-stream"
_TEXT: Content = {"schema": {"type": "string"}}
_FILE_ANSWERS: Content = dict.fromkeys(FORMATS.values(), _TEXT)


def _about(summary: str, answers: Content, **more: Any) -> dict[str, Any]:
    return {"summary": summary, "answers": answers, **more}


def _json(schema: str) -> Content:
    return {JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _plain(*required: str) -> Content:
    return {JSON: {"schema": {"type": "object", "required": list(required)}}}


def _health(models: Models) -> list[Route]:
    ready = _plain("ready", "stopping", "models")
    return [
        Route(
            "GET", "/livez", models.live, needs_key=False, always=True,
            about=_about("The process runs", _plain("live")),
        ),
        Route(
            "GET", "/readyz", models.ready, needs_key=False, always=True,
            about=_about("It can answer", ready, unavailable=ready),
        ),
        Route(
            "GET", "/metrics", models.metrics, always=True,
            about=_about("Figures for Prometheus", {"text/plain": _TEXT}),
        ),
    ]  # fmt: skip


def _outcomes(settings: Settings, records: Records) -> list[Route]:
    if not settings.database:
        return []
    return [
        Route(
            "POST", "/v1/outcomes", records.outcomes, (JSON,), settings.max_json, sheds=True,
            about={
                "summary": "Later diagnoses, by sample id", "request": _outcomes_asked, "answers": _json("OutcomesResponse"),
            },
        )
    ]  # fmt: skip


def _studies(settings: Settings, studies: Studies | None) -> list[Route]:
    allowed = encoded({"allowed": studies is not None})

    async def asked(request: Request) -> Answer:
        return Answer(allowed)

    about = _about("Whether studies are allowed here", _plain("allowed"))
    first = Route("GET", "/v1/studies", asked, about=about)
    if studies is None:
        return [first]
    one, told = "/v1/studies/{id}", _plain("state", "progress")
    file = tuple(FILE_MEDIA)
    return [
        first,
        Route("POST", "/v1/studies", studies.opened, about=_about("Open a study", _plain("id"))),
        Route(
            "POST", f"{one}/files/{{role}}", studies.file, file, settings.max_file, streams=True,
            about={"summary": "Its table of cargo, or its sample sheet", "request": _table, "answers": _plain("called")},
        ),
        Route("POST", f"{one}/look", studies.look, about=_about("What the files seem to be", _plain())),
        Route("POST", f"{one}/start", studies.start, (JSON,), settings.max_json,
              about=_about("Audit or train", told, request=_any)),
        Route("GET", one, studies.told, about=_about("How a study stands", told)),
        Route("POST", f"{one}/cancel", studies.cancel, about=_about("End a study", told)),
        Route("GET", f"{one}/results/{{result}}", studies.result, needs_key=False,
              about=_about("Report, model or predictions", {"text/html": _TEXT})),
        Route("POST", f"{one}/import", studies.taken, (JSON,), settings.max_json,
              about=_about("Put its model into use", _plain("name", "version"), request=_any)),
    ]  # fmt: skip


def _any(bundles: Sequence[ModelBundle]) -> Content:
    return {JSON: {"schema": {"type": "object"}}}


def _protocol(settings: Settings, protocol: Protocol) -> list[Route]:
    ready = _plain("ready")
    found = [
        Route("GET", "/v2", protocol.server, about=_about("The server (Open Inference Protocol)", _plain("name"))),
        Route("GET", "/v2/health/live", protocol.live, needs_key=False, always=True,
              about=_about("The process runs", _plain("live"))),
        Route("GET", "/v2/health/ready", protocol.ready, needs_key=False,
              about=_about("It can answer", ready, unavailable={JSON: {"schema": {"type": "object"}}})),
    ]  # fmt: skip
    for path in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        found += [
            Route("GET", path, protocol.model, about=_about("What a model reads and gives", _plain("name", "inputs"))),
            Route("GET", f"{path}/ready", protocol.model_ready, about=_about("A model can answer", _plain("ready"))),
            Route(
                "POST", f"{path}/infer", protocol.infer, (JSON, _BYTES), settings.max_json, untyped=True, sheds=True,
                about=_about("Answer for tensors", _json("InferResponse"), request=_tensors),
            ),
        ]  # fmt: skip
    return found


def _repository(repository: Repository) -> list[Route]:
    nothing = _plain()
    index = {JSON: {"schema": {"type": "array", "items": {"type": "object", "required": ["name", "state", "reason"]}}}}
    return [
        Route("POST", "/v2/repository/index", repository.index, about=_about("All models, and whether they answer", index)),
        Route(
            "POST", "/v2/repository/models/{name}/load", repository.load,
            about=_about("Take up a model's champion now", nothing),
        ),
        Route("POST", "/v2/repository/models/{name}/unload", repository.unload, about=_about("Put a model down", nothing)),
    ]  # fmt: skip


def _of_bentoml() -> Route:
    """Describe ``predict`` as BentoML's own clients ask for it."""
    request, response = (msgspec.json.schema(each) for each in (PredictRequest, PredictResponse))
    flat = [{**each, **each["$defs"][each["$ref"].rpartition("/")[2]]} for each in (request, response)]
    described = {"name": "predict", "route": "/v1/predict", "input": flat[0], "output": flat[1]}
    body = encoded({"name": "exoclassify", "type": "service", "routes": [described]})

    async def schema(request: Request) -> Answer:
        return Answer(body)

    return Route(
        "GET", "/schema.json", schema, about=_about("What bentoml.SyncHTTPClient asks first", _plain("routes"))
    )


def _fhir(settings: Settings, served: Served, predicting: Predicting, version: str) -> list[Route]:
    try:
        fhir = Fhir(served, predicting, version)
    except ImportError:
        return []
    answers = {FHIR: {"schema": {"type": "object", "required": ["resourceType"]}}}
    about = _about("Answer as FHIR R5 RiskAssessment", answers, request=_asked)
    return [
        Route("GET", "/fhir/metadata", fhir.metadata, needs_key=False, about=_about("What is spoken here", answers)),
        Route("POST", "/fhir/RiskAssessment", fhir.assess, (JSON,), settings.max_json, sheds=True, about=about),
    ]


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
