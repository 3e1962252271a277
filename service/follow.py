"""One person over several visits."""

from __future__ import annotations

import msgspec
import pandas as pd

from exoclassify.data.cargo import CargoTable
from exoclassify.data.changes import VisitTables
from exoclassify.data.samples import SampleSheet
from exoclassify.data.visits import in_order
from exoclassify.errors import InputError
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.course import course
from exoclassify.model.retest import Retest
from exoclassify.typing import Floats
from service.exchange import Answer, Request
from service.predict import Predicting, batches_of, check_asked, notice, rows_of, use_of
from service.reading import decoded
from service.schemas import FollowRequest, FollowResponse, Visit
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
        plan, samples = bundle.about.visit_tables, asked.samples
        check_asked(asked, bundle, plan)
        _check_order([sample.visit for sample in samples])
        if plan is None:
            X = rows_of(samples, bundle)
        else:
            X, samples = _since_baseline(plan, asked, bundle)
        noise, use, level = Retest.of_model(bundle), use_of(asked), asked.interval
        visits, batches = [sample.visit for sample in samples], batches_of(samples, use)
        ids = tuple(sample.sample_id for sample in samples)
        found = course(bundle, asked.subject, visits, ids, X, noise, use, batches or (), level)
        for sample in samples:
            sample.subject = asked.subject
        await self._predicting.score(Asked(bundle, use), X, ids, request, samples, batches)
        said = {**found.to_dict(), "notice": notice(bundle)}
        answer = msgspec.convert(said, FollowResponse)
        return Answer(answer)


def _since_baseline(plan: VisitTables, asked: FollowRequest, bundle: ModelBundle) -> tuple[Floats, list[Visit]]:
    """Make the changes that the model reads of samples as they were measured; also the samples that they are of."""
    ids = [sample.sample_id for sample in asked.samples]
    cargo = pd.DataFrame([sample.cargo for sample in asked.samples], index=ids)
    said = {"subject": asked.subject, "visit": [sample.visit for sample in asked.samples]}
    sheet = SampleSheet(pd.DataFrame(said, index=ids), subject_column="subject", time_column="visit", source="request")
    table = CargoTable.from_frame(
        cargo, kind=plan.kind, unit=plan.unit, not_detected=plan.not_detected, source="request"
    )
    made = plan.since_baseline(table, sheet)
    return bundle.panel.values(made), [sample for sample in asked.samples if sample.sample_id in made.sample_ids]


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
