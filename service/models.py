"""What is said of the models, and whether the service can answer."""

from __future__ import annotations

import html
import time
from collections.abc import Callable

from markdown_it import MarkdownIt

from exoclassify.errors import ExoclassifyError
from exoclassify.model.bundle import ModelBundle
from service.exchange import Answer, Refusal, Request
from service.records import Records
from service.schemas import ModelList, ServedModel
from service.served import Served, Standing
from service.telemetry import Metrics

__all__ = ["Models"]

_KEPT = (
    "name", "version", "created", "states", "training", "answers", "voices", "evaluation", "recalibration", "libraries",
)  # fmt: skip


class Models:
    """Models, cards and health; `draining` says whether the worker is stopping."""

    def __init__(self, served: Served, metrics: Metrics, records: Records, draining: Callable[[], bool]) -> None:
        self._served, self._metrics, self._records, self._draining = served, metrics, records, draining

    async def live(self, request: Request) -> Answer:
        """GET /livez."""
        return Answer({"live": True})

    async def ready(self, request: Request) -> Answer:
        """GET /readyz: 200 when a model gave its golden answers and the worker is not stopping; says which are refused."""
        models = [self._described(name, standing) for name, standing in self._served.standings.items()]
        ready = self._served.ready and not self._draining()
        watch = {"seconds_since_look": round(time.time() - self._served.looked, 1), "problem": self._served.problem}
        body = {"ready": ready, "stopping": self._draining(), "models": models, "watch": watch}
        return Answer(body, 200 if ready else 503)

    async def metrics(self, request: Request) -> Answer:
        """GET /metrics."""
        self._metrics.looked(self._served.looked)
        if (ledger := self._records.ledger()) is not None:
            self._metrics.records(ledger)
        return Answer(self._metrics.text(), media_type="text/plain; version=0.0.4")

    async def listed(self, request: Request) -> Answer:
        """GET /v1/models."""
        standings = self._served.standings
        return Answer(ModelList([self._described(name, standing) for name, standing in standings.items()]))

    async def card(self, request: Request) -> Answer:
        """GET /v1/models/{name}: the card, as JSON, or as HTML where the Accept header asks for it first."""
        bundle = self._served.bundle(request.path_params["name"])
        _check_format(request.query)
        wanted = request.headers.get("accept", "")
        if request.query.get("format", "html" if wanted.startswith("text/html") else "json") == "html":
            csp = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
            return Answer(_page(bundle).encode(), 200, {"content-security-policy": csp}, "text/html")
        panel = bundle.panel
        told = bundle.about.to_json()
        about = {key: told.get(key) for key in _KEPT}
        reads = {
            "kind": panel.kind, "unit": panel.unit, "min_coverage": panel.min_coverage, "molecules": panel.molecules,
        }  # fmt: skip
        return Answer({**about, "panel": reads, "card": bundle.card})

    async def example(self, request: Request) -> Answer:
        """GET /v1/models/{name}/example: made-up profiles as a table, for trying the service."""
        bundle = self._served.bundle(request.path_params["name"])
        rows = [",".join(["sample_id", *bundle.panel.molecules])]
        for i, profile in enumerate(bundle.golden.tolist(), start=1):
            rows.append(
                ",".join([f"example-{i:02d}", *("" if value != value else f"{value:.10g}" for value in profile)])
            )
        return Answer("\n".join([*rows, ""]).encode(), media_type="text/csv")

    def _described(self, name: str, standing: Standing) -> ServedModel:
        bundle = standing.bundle
        try:
            versions = list(self._served.registry.versions(name))
        except (ExoclassifyError, OSError):
            versions = []
        if bundle is None:
            return ServedModel(name, None, versions, None, None, [], standing.problem)
        panel = bundle.panel
        return ServedModel(
            name, bundle.version, versions, panel.kind, panel.unit, list(bundle.states), standing.problem
        )


def _check_format(query: dict[str, str]) -> None:
    """Refuse a format that is none."""
    if query.get("format", "json") not in ("json", "html"):
        raise Refusal(400, "query", "format: give json or html", "query.format")


_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
"""For model cards; HTML in a card is shown as text."""

_STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;"
    "padding:0 1rem}table{border-collapse:collapse;display:block;overflow-x:auto}th,td{border:1px solid #8886;"
    "padding:.3rem .6rem;text-align:left}code{background:#8882;padding:0 .2em}h1{line-height:1.2}"
)


def _page(bundle: ModelBundle) -> str:
    title = html.escape(f"{bundle.name} {bundle.version}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style><body>{_MARKDOWN.render(bundle.card)}</body></html>"
    )
