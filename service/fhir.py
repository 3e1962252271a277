"""FHIR R5 RiskAssessment, an optional extra (``pip install '.[fhir]'``): the same answer, for systems that speak it."""

from __future__ import annotations

import datetime
from typing import Any

from exoclassify.model.bundle import ModelBundle
from service.exchange import FHIR, Answer, Refusal, Request
from service.predict import Predicting
from service.reading import decoded
from service.schemas import PredictRequest, PredictResponse, Result
from service.served import Served

__all__ = ["Fhir"]


class Fhir:
    """Answers with one RiskAssessment; for several samples with a Bundle of them.

    Raises
    ------
    ImportError
        If ``fhir.resources`` is not installed.
    """

    def __init__(self, served: Served, predicting: Predicting, version: str) -> None:
        from fhir.resources.bundle import Bundle
        from fhir.resources.capabilitystatement import CapabilityStatement
        from fhir.resources.riskassessment import RiskAssessment

        self._assessment, self._bundle = RiskAssessment, Bundle
        self._capabilities, self._version = CapabilityStatement, version
        self._served, self._predicting = served, predicting

    async def metadata(self, request: Request) -> Answer:
        """GET /fhir/metadata: the CapabilityStatement."""
        stated: dict[str, Any] = {
            "status": "active",
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "kind": "instance",
            "software": {"name": "exoclassify", "version": self._version},
            "implementation": {"description": "Pain state from the cargo of exosomes: decision support, not a diagnosis"},
            "fhirVersion": "5.0.0",
            "format": ["json"],
            "rest": [{
                "mode": "server",
                "documentation": "POST the body of /v1/predict to RiskAssessment; nothing is stored here.",
                "resource": [{"type": "RiskAssessment", "interaction": [{"code": "create"}]}],
            }],
        }  # fmt: skip
        return Answer(self._capabilities(**stated).model_dump_json().encode(), media_type=FHIR)

    async def assess(self, request: Request) -> Answer:
        """POST /fhir/RiskAssessment: the body is that of /v1/predict."""
        asked = decoded(await request.body(), PredictRequest)
        if any(sample.sample_id != sample.sample_id.strip() for sample in asked.samples):
            raise Refusal(409, "not_usable", "FHIR allows no blanks around an identifier", "samples")
        bundle = self._served.bundle(asked.model, asked.site)
        response = await self._predicting.response(asked, bundle, 0, request)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        found = [_assessment(result, response, bundle, now) for result in response.results]
        if len(found) == 1:
            text = self._assessment(**found[0]).model_dump_json()
        else:
            entries = [{"resource": {"resourceType": "RiskAssessment", **each}} for each in found]
            whole: dict[str, Any] = {"type": "collection", "timestamp": now, "entry": entries}
            text = self._bundle(**whole).model_dump_json()
        return Answer(text.encode(), media_type=FHIR)


def _assessment(result: Result, response: PredictResponse, bundle: ModelBundle, now: str) -> dict[str, Any]:
    """Probabilities are percentages in FHIR, up to 100."""
    level = bundle.about.answers.level
    said = [response.notice, f"Call: {result.call}; best guess {result.best_guess} ({result.place})."]
    said.append(f"States not excluded at {level:.0%}: {', '.join(result.prediction_set) or 'none'}.")
    said += [f"{flag}: {reason}" for flag, reason in zip(result.flags, result.reasons, strict=True)]
    said.append(f"Novelty p {result.novelty_p:.3f}; coverage of the panel {result.coverage:.2f}.")
    return {
        "status": "preliminary" if result.call == "uncertain" else "final",
        "subject": {"identifier": {"value": result.sample_id}},
        "occurrenceDateTime": now,
        "method": {"text": f"exoclassify model {response.model} {response.version}"},
        "prediction": [
            {"outcome": {"text": state}, "probabilityDecimal": round(100 * p, 4)}
            for state, p in result.probabilities.items()
        ],
        "note": [{"text": text} for text in said],
    }
