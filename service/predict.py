"""Answers for samples given by molecule names."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from exoclassify.data.changes import VisitTables
from exoclassify.errors import InputError, ModelError, first_three
from exoclassify.model.answers import REASONS
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.explain import of_row
from exoclassify.model.prediction import Predictions, Use
from exoclassify.typing import Floats
from service.exchange import Answer, Refusal, Request
from service.published import Published
from service.reading import decoded
from service.records import Records
from service.schemas import Explanation, Mover, PredictRequest, PredictResponse, Result, Sample
from service.served import Served
from service.telemetry import Metrics
from service.together import ROWS, Asked, Together

__all__ = [
    "MAX_MOVERS", "Predicting", "batches_of", "check_asked", "example_response", "explained", "explanation", "notice",
    "result", "rows_of", "use_of",
]  # fmt: skip

MAX_MOVERS = 50
"""Molecules in one explanation."""

_MAX_EXPLAINED = 100
"""Samples explained in one request: one takes about 20 ms, a hundred times what scoring it takes."""


def notice(bundle: ModelBundle) -> str:
    """Say what every answer must say."""
    said = "Support for a decision by a person, not a diagnosis."
    if bundle.about.training.simulated:
        said += " This model was trained on simulated samples: not for use on patients."
    return said


class Predicting:
    """Answers for samples, in whatever form they were asked."""

    def __init__(self, served: Served, metrics: Metrics, published: Published, records: Records) -> None:
        self._served, self._metrics, self._published = served, metrics, published
        self._records = records
        self._together = Together(records.keep)
        # One thread: explaining is long, and the event loop goes on answering meanwhile.
        self._explainer = ThreadPoolExecutor(1, "explain")
        self._n_explaining = 0

    @property
    def n_waiting(self) -> int:
        """Samples that wait to be scored."""
        return self._together.n_waiting

    async def predict(self, request: Request) -> Answer:
        """POST /v1/predict."""
        n_movers = explained(request.query)
        asked = decoded(await request.body(), PredictRequest)
        bundle = self._served.bundle(asked.model, asked.site)
        return Answer(await self.response(asked, bundle, n_movers, request))

    async def response(
        self, asked: PredictRequest, bundle: ModelBundle, n_movers: int, request: Request
    ) -> PredictResponse:
        """Answer a request that was read."""
        check_asked(asked, bundle)
        if n_movers:
            self._check_explaining(len(asked.samples))
        results = []
        question = Asked(bundle, use_of(asked))
        for at in range(0, len(asked.samples), ROWS):
            samples = asked.samples[at : at + ROWS]
            X = rows_of(samples, bundle)
            ids = tuple(sample.sample_id for sample in samples)
            found, start = await self.score(question, X, ids, request, samples, batches_of(samples, question.use))
            results += [result(found, start + i, sample) for i, sample in enumerate(samples)]
            if n_movers:
                batches = batches_of(samples, question.use) or (question.use.batch,) * len(samples)
                heads = [bundle.blend.place(replace(question.use, batch=batch))[0].head for batch in batches]
                await self._explain(bundle, X, results[at:], n_movers, heads)
        return PredictResponse(bundle.name, bundle.version, notice(bundle), results)

    def _check_explaining(self, n_samples: int) -> None:
        if n_samples > _MAX_EXPLAINED:
            raise Refusal(
                409,
                "too_many",
                f"{n_samples} samples to explain; ask for {_MAX_EXPLAINED} at a time, or send a file",
                "query.explain",
            )
        if self._n_explaining > 2 * _MAX_EXPLAINED:
            raise Refusal(
                429, "overloaded", "many explanations are being made; try again in a second", None, {"Retry-After": "1"}
            )

    async def _explain(
        self, bundle: ModelBundle, X: Floats, results: list[Result], n: int, heads: Sequence[int]
    ) -> None:
        loop = asyncio.get_running_loop()
        self._n_explaining += len(results)
        try:
            for answer, row, head in zip(results, X, heads, strict=True):
                answer.explanation = await loop.run_in_executor(
                    self._explainer, explanation, bundle, row[None, :], n, self._published, head, answer.best_guess
                )
        finally:
            self._n_explaining -= len(results)

    async def score(
        self,
        question: Asked,
        X: Floats,
        ids: tuple[str, ...],
        request: Request,
        samples: Sequence[Sample] | None = None,
        batches: tuple[str, ...] | None = None,
    ) -> tuple[Predictions, int]:
        """Score at most `ROWS` rows, count and keep the answers; arguments and results as `Together.answer`."""
        source = self._records.source(request, X, question.bundle, samples)
        found, start = await self._together.answer(question, X, ids, source, batches)
        self._metrics.answers(found, start, start + len(ids))
        request.answered(question.bundle, len(ids))
        return found, start


def explained(query: dict[str, str]) -> int:
    """Read how many molecules an explanation should name."""
    text = query.get("explain", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text) <= MAX_MOVERS):
        raise Refusal(400, "query", f"explain={text[:20]}: give a whole number from 0 to {MAX_MOVERS}", "query.explain")
    return int(text)


def explanation(
    bundle: ModelBundle, X: Floats, n: int, published: Published, head: int, best_guess: str
) -> Explanation:
    """Say which molecules moved one answer, and what is published on them.

    Parameters
    ----------
    X : ndarray of shape (1, n_molecules)
        Raw values in the panel's order.
    best_guess : str
        The most probable state of the answer, of which it is told: offset and mix have a say in that.
    """
    found, base, others = of_row(bundle, X[0], head, bundle.states.index(best_guess), n)
    movers = [
        Mover(
            mover.molecule,
            None if np.isnan(mover.value) else mover.value,
            mover.log_odds,
            published.claims(mover.molecule),
            published.in_tables(mover.molecule),
        )
        for mover in found
    ]
    return Explanation(best_guess, base, movers, others)


def example_response(bundle: ModelBundle) -> PredictResponse:
    """Answer for the first golden profile, as an example of an answer."""
    found = bundle.interpret(("S-001",), bundle.measure(bundle.golden[:1]), Use())
    return PredictResponse(bundle.name, bundle.version, notice(bundle), [result(found, 0, Sample("S-001", {}))])


def use_of(asked: PredictRequest) -> Use:
    """Read where the samples are from, and how sure the answers must be."""
    use = Use(asked.prevalence, asked.batch or "", asked.same_batch, asked.site or "", asked.max_wrong, asked.level)
    use.check()
    return use


def batches_of(samples: Sequence[Sample], use: Use) -> tuple[str, ...] | None:
    """Give the batch of each sample; None where no sample names one."""
    if all(sample.batch is None for sample in samples):
        return None
    if use.same_batch or use.site:
        raise InputError("request: a sample names its batch, and the request another place; say one of them")
    return tuple(use.batch if sample.batch is None else sample.batch for sample in samples)


def check_asked(asked: PredictRequest, bundle: ModelBundle, plan: VisitTables | None = None) -> None:
    """Refuse what is not of the model's kind and unit (of the samples that its changes are made of), and ids that come twice."""
    read = bundle.panel if plan is None else plan
    for what, mine, theirs in (("kind", read.kind, asked.kind), ("unit", read.unit, asked.unit)):
        if mine != theirs:
            changes = plan is None and bundle.about.visit_tables is not None
            raise ModelError(
                f"request: its {what} is {theirs}, and {bundle.name} was trained on {mine}; send {mine}"
                + (", the change against the person's other sample" if changes else ", or ask another model")
            )
    ids = [sample.sample_id for sample in asked.samples]
    if len(set(ids)) < len(ids):
        twice = first_three(sorted({sample for sample in ids if ids.count(sample) > 1}))
        raise InputError(f"request: sample ids come more than once ({twice}); give every sample its own")


def rows_of(samples: Sequence[Sample], bundle: ModelBundle) -> Floats:
    """Give raw values in the panel's order, shape (n_samples, n_molecules)."""
    rows = [bundle.panel.profile(sample.cargo, sample.sample_id) for sample in samples]
    return rows[0] if len(rows) == 1 else np.concatenate(rows)


def result(found: Predictions, i: int, sample: Sample) -> Result:
    """Give the answer for one sample."""
    states, flags = found.states, list(found.flags[i])
    answer = Result(
        sample.sample_id,
        found.calls[i],
        states[int(found.probabilities[i].argmax())],
        float(found.probabilities[i].max()),
        dict(zip(states, found.probabilities[i].tolist(), strict=True)),
        [state for state, held in zip(states, found.sets[i].tolist(), strict=True) if held],
        float(found.novelty_p[i]),
        float(found.coverage[i]),
        flags,
        [REASONS[flag] for flag in flags],
        found.places[i],
    )
    if found.layers:
        answer.layers = list(found.layers[i])
    if sample.metadata:
        answer.metadata = sample.metadata
    return answer
