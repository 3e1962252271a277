"""The page for people: a few files of our own, nothing from anywhere else."""

from __future__ import annotations

from pathlib import Path

from exoclassify.evidence.catalogue import Catalogue
from exoclassify.evidence.matrix import EvidenceMatrix
from service.exchange import Answer, Handler, Request

__all__ = ["PAGES", "evidence_map", "page"]

PAGES = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    **{f"/{name}.js": (f"{name}.js", "text/javascript") for name in ("page", "core", "sample", "study", "evidence")},
}
"""Paths, the file of each, and its content type."""

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def page(path: str) -> Handler:
    """Make the route of one file."""
    name, media = PAGES[path]
    content = (Path(__file__).parent / "page" / name).read_bytes()
    headers = {"content-security-policy": _CSP, "cache-control": "no-cache"}

    async def answer(request: Request) -> Answer:
        return Answer(content, 200, headers, media)

    return answer


def evidence_map(catalogue: Catalogue) -> Handler:
    """Make the route of the map of cargo by condition, drawn once."""
    drawn = EvidenceMatrix.of(catalogue).svg().encode()
    headers = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}

    async def answer(request: Request) -> Answer:
        return Answer(drawn, 200, headers, "image/svg+xml")

    return answer
