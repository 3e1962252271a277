"""One person over several visits."""

from __future__ import annotations

import msgspec

from exoclassify.data.visits import in_order
from exoclassify.errors import InputError
from exoclassify.model.course import course
from exoclassify.model.retest import Retest
from service.exchange import Answer, Request
from service.predict import Predicting, batches_of, check_asked, notice, rows_of, use_of
from service.reading import decoded
from service.schemas import FollowRequest, FollowResponse
from service.served import Served
from service.together import Asked

__all__ = ["Following"]


class Following:
    """Answers for the visits of one person, with the noise of measurement."""

    def __init__(self, served: Served, predicting: Predicting) -> None:
        self._served, self._predicting = served, predicting

    async def follow(self, request: Request) -> Answer:
        """POST /v1/follow."""
        asked = decoded(await request.body(), FollowRequest)
        bundle = self._served.bundle(asked.model, asked.site)
        Retest.check(bundle)
        check_asked(asked, bundle)
        visits = [sample.visit for sample in asked.samples]
        _check_order(visits)
        noise, use, level = Retest.of_model(bundle), use_of(asked), asked.interval
        X, batches = rows_of(asked.samples, bundle), batches_of(asked.samples, use)
        ids = tuple(sample.sample_id for sample in asked.samples)
        found = course(bundle, asked.subject, visits, ids, X, noise, use, batches or (), level)
        for sample in asked.samples:
            sample.subject = asked.subject
        await self._predicting.score(Asked(bundle, use), X, ids, request, asked.samples, batches)
        said = {**found.to_dict(), "notice": notice(bundle)}
        answer = msgspec.convert(said, FollowResponse)
        return Answer(answer)


def _check_order(visits: list[str]) -> None:
    """Refuse visits whose names tell another order than that in which they were sent."""
    try:
        ordered = in_order(visits, "request")
    except InputError:  # they tell none: the order is that of the request
        return
    sent = list(dict.fromkeys(visits))
    if list(ordered) != sent:
        wrong = next(i for i, (a, b) in enumerate(zip(sent, ordered, strict=True)) if a != b)
        raise InputError(
            f"request: visits are out of order, {sent[wrong]} stands before {ordered[wrong]}; send them in the order of time"
        )
