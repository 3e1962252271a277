"""The OpenAPI document: written from the routes and the schemas that read and write, so that it cannot say anything else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from exoclassify.model.bundle import ModelBundle
from service.exchange import FHIR, JSON, Route
from service.schemas import (
    Error,
    Evidence,
    FollowRequest,
    FollowResponse,
    InferRequest,
    InferResponse,
    ModelList,
    OutcomesRequest,
    OutcomesResponse,
    PredictRequest,
    PredictResponse,
    Result,
)

__all__ = ["document"]

_SCHEMAS = (
    PredictRequest, PredictResponse, FollowRequest, FollowResponse, Result, ModelList, Evidence, InferRequest, InferResponse,
    Error, OutcomesRequest, OutcomesResponse,
)  # fmt: skip

_REFUSALS = {
    "400": "The body or the query cannot be read; `where` says the place.",
    "401": "No API key, or an unknown one.",
    "403": "Asked from another machine, or by a foreign host name, while there are no API keys.",
    "404": "There is no such thing.",
    "405": "The path answers another method; see Allow.",
    "408": "The body came too slowly.",
    "409": "The samples cannot be used as stated, or do not fit the model; the message names the fix.",
    "411": "Content-Length is missing.",
    "413": "The body is too large, or takes too much to read.",
    "415": "Another content type or encoding was expected.",
    "429": "Too much is asked of the service or with this key; see Retry-After.",
    "431": "The headers are too large.",
    "500": "A fault of the service; its log has the request id.",
    "503": "Stopping, or no model can answer yet; see Retry-After.",
}


def document(routes: Sequence[Route], version: str, bundles: Sequence[ModelBundle], *, keyed: bool) -> dict[str, Any]:
    """Write the document.

    Parameters
    ----------
    bundles : sequence of ModelBundle
        Those that answer now; their kinds, units, states and molecules make the examples.
    """
    _, schemas = msgspec.json.schema_components(_SCHEMAS, ref_template="#/components/schemas/{name}")
    _narrow(schemas, bundles)
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, bundles, keyed)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "exoclassify",
            "version": version,
            "summary": "Pain state from the cargo of exosomes: support for a decision by a person, not a diagnosis.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key, where there are keys."}
            },
        },
    }


def _operation(route: Route, bundles: Sequence[ModelBundle], keyed: bool) -> dict[str, Any]:
    about = route.about
    answers = about["answers"](bundles) if callable(about["answers"]) else about["answers"]
    responses: dict[str, Any] = {"200": {"description": "Answered.", "content": answers}}
    responses |= {str(status): _refusal(str(status), route.path) for status in _statuses(route)}
    if "unavailable" in about:
        headers = _HEADERS["503"] if "503" in responses else {}
        responses["503"] = {
            "description": "It cannot answer.", "content": about["unavailable"], "headers": headers
        }  # fmt: skip
    for answer in responses.values():
        answer["headers"] = {
            "X-Request-ID": {"schema": {"type": "string"}, "required": True}, **answer.get("headers", {})
        }  # fmt: skip
    operation: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", f"{route.method.lower()}{route.path}").rstrip("_"),
        "summary": about["summary"],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", **_part(name, bundles)}}
            for name in re.findall(r"\{(\w+)\}", route.path)
        ]
        + [{"name": name, "in": "query", "schema": dict(schema)} for name, schema in route.query.items()],
        "responses": responses,
    }
    if route.needs_key and keyed:
        operation["security"] = [{"key": []}]
    if route.media:
        operation["requestBody"] = {"required": True, "content": about["request"](bundles)}
    return operation


def _statuses(route: Route) -> list[int]:
    statuses = [400, 403, 405, 431, 500]
    statuses += [401] if route.needs_key else []
    statuses += [429] if route.needs_key or route.sheds else []
    statuses += [] if route.always else [503]
    statuses += [404] if "{" in route.path or route.media or route.query else []
    statuses += [408, 409, 411, 413, 415] if route.media else []
    return sorted(set(statuses))


def _refusal(status: str, path: str) -> dict[str, Any]:
    """Describe a refusal as `Refusal.answer` writes it for callers of a path."""
    message = "what was found, what was expected, and how to fix it"
    content: dict[str, Any] = {
        JSON: {
            "schema": {"$ref": "#/components/schemas/Error"},
            "example": {"error": {"code": "one_word", "message": message, "where": None}},
        }
    }
    if path == "/v2" or path.startswith("/v2/"):
        schema = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
        content = {JSON: {"schema": schema, "example": {"error": message}}}
    elif path.startswith("/fhir/"):
        content = {FHIR: {"schema": {"type": "object", "required": ["resourceType", "issue"]}}}
    return {"description": _REFUSALS[status], "content": content, "headers": _HEADERS.get(status, {})}


_RETRY = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
_HEADERS: dict[str, Any] = {
    "401": {"WWW-Authenticate": {"schema": {"type": "string"}}},
    "405": {"Allow": {"schema": {"type": "string"}, "required": True, "description": "Methods that the path answers."}},
    "429": _RETRY,
    "503": _RETRY,
}


def _part(name: str, bundles: Sequence[ModelBundle]) -> dict[str, Any]:
    if name == "molecule":
        return {"minLength": 1, "maxLength": 200, "pattern": r"^[^/\x00-\x1f\x7f]+$", "example": "hsa-miR-21-5p"}
    values = [bundle.name if name == "name" else bundle.version for bundle in bundles]
    return {"enum": sorted(set(values))} if values else {}


def _narrow(schemas: dict[str, Any], bundles: Sequence[ModelBundle]) -> None:
    """Say what the models that answer now can read: their kinds and units, and what a number of that unit can be."""
    if not bundles:
        return
    units = sorted({bundle.panel.unit for bundle in bundles})
    names = sorted({bundle.name for bundle in bundles})
    for request in (schemas[name]["properties"] for name in ("PredictRequest", "FollowRequest")):
        request["kind"]["enum"] = sorted({bundle.panel.kind for bundle in bundles})
        request["unit"]["enum"] = units
        request["model"]["anyOf"] = [{"type": "string", "enum": names}, {"type": "null"}]
    if len(units) == 1:
        for sample in ("Sample", "Visit"):
            schemas[sample]["properties"]["cargo"]["additionalProperties"]["anyOf"][0] = _UNITS[units[0]]


_UNITS = {
    "counts": {"type": "integer", "minimum": 0, "maximum": 1_000_000_000},
    "ct": {"type": "number", "exclusiveMinimum": 0, "maximum": 50},
    "intensity": {"type": "number", "minimum": 0},
    "log2_intensity": {"type": "number", "maximum": 60},
    "cpm": {"type": "number", "minimum": 0, "maximum": 1_000_000},
    "value": {"type": "number"},
    "layers": {"type": "number"},
}
"""What a number of each unit can be, as `exoclassify.data.units` checks it."""
