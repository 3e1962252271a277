"""The repository routes of the Open Inference Protocol, as MLServer and Triton have them: index, load, unload."""

from __future__ import annotations

import asyncio

from service.exchange import Answer, Refusal, Request
from service.served import Served, Standing

__all__ = ["Repository"]


class Repository:
    """Says which models there are, and has one taken up or put down."""

    def __init__(self, served: Served) -> None:
        self._served = served

    async def index(self, request: Request) -> Answer:
        """POST /v2/repository/index."""
        found = [_listed(name, standing) for name, standing in self._served.standings.items()]
        return Answer(found)

    async def load(self, request: Request) -> Answer:
        """POST /v2/repository/models/{name}/load: look at its champion now, and try it again if it was refused."""
        name = request.path_params["name"]
        await asyncio.to_thread(self._served.load, name)
        problem = self._served.standing(name).problem
        if problem is not None:
            raise Refusal(409, "not_usable", problem)
        return Answer({})

    async def unload(self, request: Request) -> Answer:
        """POST /v2/repository/models/{name}/unload: it answers no more until it is loaded."""
        await asyncio.to_thread(self._served.unload, request.path_params["name"])
        return Answer({})


def _listed(name: str, standing: Standing) -> dict[str, str]:
    bundle = standing.bundle
    version = {} if bundle is None else {"version": bundle.version}
    return {
        "name": name, **version, "state": "UNAVAILABLE" if bundle is None else "READY", "reason": standing.problem or "",
    }  # fmt: skip
