"""The same model behind other servers, each as its documentation shows it: one sample by names in, one answer out."""

from __future__ import annotations

import os
from typing import Any

from exoclassify.model.bundle import ModelBundle


def _answer(bundle: ModelBundle, sample_id: str, cargo: dict[str, float | None]) -> dict[str, Any]:
    found = bundle.predict_one(cargo, sample_id=sample_id)
    return {
        "sample_id": sample_id,
        "call": found.calls[0],
        "probabilities": dict(zip(found.states, found.probabilities[0].tolist(), strict=True)),
        "novelty_p": float(found.novelty_p[0]),
        "coverage": float(found.coverage[0]),
        "flags": list(found.flags[0]),
    }


def starlette_app() -> Any:
    """Starlette and msgspec, and nothing else: the floor."""
    import msgspec
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    bundle = ModelBundle.load(os.environ["PEER_MODEL"])
    sample = msgspec.defstruct("Sample", [("sample_id", str), ("cargo", dict[str, float | None])])
    asked = msgspec.defstruct("Asked", [("kind", str), ("unit", str), ("samples", list[sample])])
    decoder, encoder = msgspec.json.Decoder(asked), msgspec.json.Encoder()

    async def predict(request: Request) -> Response:
        body: Any = decoder.decode(await request.body())
        results = [_answer(bundle, each.sample_id, each.cargo) for each in body.samples]
        return Response(encoder.encode({"results": results}), media_type="application/json")

    return Starlette(routes=[Route("/v1/predict", predict, methods=["POST"])])


def fastapi_app() -> Any:
    """FastAPI with pydantic models, asynchronous."""
    from fastapi import FastAPI
    from pydantic import create_model

    bundle = ModelBundle.load(os.environ["PEER_MODEL"])
    sample = create_model("Sample", sample_id=(str, ...), cargo=(dict[str, float | None], ...))
    asked = create_model("Asked", kind=(str, ...), unit=(str, ...), samples=(list[sample], ...))  # type: ignore[valid-type]
    app = FastAPI()

    async def predict(body: Any) -> dict[str, Any]:
        return {"results": [_answer(bundle, each.sample_id, each.cargo) for each in body.samples]}

    predict.__annotations__["body"] = asked
    app.post("/v1/predict")(predict)
    return app


def bento_default() -> Any:
    """BentoML with its defaults: a synchronous API of a pydantic model."""
    import bentoml
    from pydantic import create_model

    sample = create_model("Sample", sample_id=(str, ...), cargo=(dict[str, float | None], ...))
    asked = create_model("Asked", kind=(str, ...), unit=(str, ...), samples=(list[sample], ...))  # type: ignore[valid-type]

    class Peer:
        def __init__(self) -> None:
            self.bundle = ModelBundle.load(os.environ["PEER_MODEL"])

        def predict(self, body: Any, /) -> dict[str, Any]:
            return {"results": [_answer(self.bundle, each.sample_id, each.cargo) for each in body.samples]}

        predict.__annotations__.update(body=asked, **{"return": dict[str, Any]})
        predict = bentoml.api(predict, route="/v1/predict")

    return bentoml.service(name="peer", http={"host": "127.0.0.1"})(Peer)


Peer = bento_default() if os.environ.get("PEER_BENTO") else None
