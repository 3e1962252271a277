"""Bodies of requests and answers. Reading is strict: no text for a number, no unknown field, no NaN, no key twice."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

__all__ = [
    "MAX_SAMPLES", "Claim", "Error", "ErrorBody", "Evidence", "Explanation", "FollowRequest", "FollowResponse",
    "InferRequest", "InferResponse", "ModelList", "Mover", "OutcomesRequest", "OutcomesResponse", "PredictRequest",
    "PredictResponse", "RequestedTensor", "Result", "Sample", "ServedModel", "Tensor",
]  # fmt: skip

MAX_SAMPLES = 1000
"""Samples in one request."""

Scalar = str | int | float | bool | None
Name = Annotated[str, Meta(min_length=1, max_length=200)]
SampleId = Annotated[
    str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$", description="Unique within the request.")
]
Batch = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Probability = Annotated[float, Meta(ge=0, le=1)]
Size = Annotated[int, Meta(ge=0, le=10_000_000)]


class Strict(Struct, forbid_unknown_fields=True):
    """What a caller sends."""


class Sample(Strict):
    """One sample: raw values by molecule name, null or absent where nothing was measured; of several layers by layer."""

    sample_id: SampleId
    cargo: Annotated[
        dict[Name, float | dict[Name, float | None] | None],
        Meta(
            description="Raw values in the stated unit. For a model of several layers an object for each layer, by name, each "
            "in its own unit; layers may be left out."
        ),
    ]
    metadata: Annotated[dict[Name, Scalar], Meta(description="Given back as it is, never used or logged.")] = {}
    subject: Annotated[
        Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] | None,
        Meta(
            description="Whose sample it is; kept with the record, where records are kept, so that a person can be forgotten."
        ),
    ] = None
    batch: Annotated[
        Batch | None,
        Meta(description="Of this sample, instead of the request's; one not trained on is an unknown batch."),
    ] = None


class PredictRequest(Strict):
    """Samples to answer for."""

    kind: Annotated[str, Meta(description="What the molecules are; the model's, `layers` where it reads several.")]
    unit: Annotated[str, Meta(description="What the values are; the model's, `layers` where it reads several.")]
    samples: Annotated[list[Sample], Meta(min_length=1, max_length=MAX_SAMPLES)]
    model: Annotated[str | None, Meta(description="Needed only where several models are served.")] = None
    prevalence: Annotated[
        dict[str, Annotated[float, Meta(gt=0, lt=1)]],
        Meta(description="Shares of the states at the place of use; states not named share the rest."),
    ] = {}
    same_batch: Annotated[
        bool, Meta(description="The samples are of some batch that the model was trained on, not known which.")
    ] = False
    batch: Annotated[
        Batch | None, Meta(description="Of all samples; one that was not trained on is an unknown batch.")
    ] = None
    site: Annotated[Batch | None, Meta(description="Of which a profile was made (exoclassify recalibrate --site).")] = (
        None
    )
    max_wrong: Annotated[
        Annotated[float, Meta(ge=0.01, le=0.5)] | None, Meta(description="Share of the calls that may be wrong.")
    ] = None
    level: Annotated[
        Annotated[float, Meta(gt=0.5, lt=1)] | None, Meta(description="Promised coverage of the prediction sets.")
    ] = None


class Visit(Sample, kw_only=True):
    """One sample of a person who is followed."""

    visit: Annotated[Name, Meta(description="Its name; no two samples have the same.")]


class FollowRequest(PredictRequest, kw_only=True):
    """The visits of one person, in the order of time."""

    subject: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
    samples: Annotated[list[Visit], Meta(min_length=2, max_length=100)]  # type: ignore[assignment]  # each is a Sample
    interval: Annotated[
        float,
        Meta(
            ge=0.5,
            lt=1,
            description="Level of the intervals; 1 less it: share of unchanged persons with an alarm, at most.",
        ),
    ] = 0.95


class GivenOutcome(Strict):
    """What a sample turned out to be."""

    sample_id: SampleId
    state: Name
    diagnosed: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    source: Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] | None = None


class OutcomesRequest(Strict):
    """Later diagnoses, by sample id; sending the same again changes nothing."""

    outcomes: Annotated[list[GivenOutcome], Meta(min_length=1, max_length=MAX_SAMPLES)]
    replace: Annotated[bool, Meta(description="A sample known with another state gets the new one.")] = False


class OutcomesResponse(Struct):
    """Sample ids by what became of their outcomes."""

    new: list[str]
    same: list[str]
    replaced: list[str]
    contradicted: Annotated[list[str], Meta(description="Known with another state, and left.")]
    never_scored: Annotated[list[str], Meta(description="Kept; no answer was given for them.")]
    strange_states: Annotated[list[str], Meta(description="No model answered with these for these samples.")]


class Claim(Struct):
    """One published claim, and how its molecule relates to the one asked for."""

    molecule: str
    relation: str
    direction: str
    condition: str
    contrast: str
    pain_stratified: Annotated[bool, Meta(description="A contrast of pain, not of a painful disease against controls.")]
    species: str
    system: str
    biofluid: str
    n: int | None
    study: str
    reference: str
    url: str
    note: str


class TableEffect(Struct):
    """The effect of a molecule in one public table, recomputed."""

    molecule: str
    accession: str
    condition: str
    biofluid: str
    n_state: int
    n_reference: int
    direction: str
    log2_fold_change: float
    low: float
    high: float
    q: float
    confounded_by: Annotated[str, Meta(description="Technical measures that separate the states; empty: none found.")]
    verdict: Annotated[str, Meta(description="The audit's, on that table.")]


class Evidence(Struct):
    """What is published on one molecule, and what public tables say of it."""

    molecule: str
    claims: list[Claim]
    notice: str
    public_tables: list[TableEffect]
    in_public_tables: Annotated[str, Meta(description="The same in a sentence; empty: no table holds it.")]
    catalogue_version: str


class Mover(Struct):
    """How far one molecule moved the answer; above 0 is towards the state."""

    molecule: str
    measured: Annotated[float | None, Meta(description="null: not measured, the filled-in value moved it.")]
    log_odds: float
    evidence: list[Claim]
    in_public_tables: Annotated[str, Meta(description="What public tables say of it; empty: none holds it.")] = ""


class Explanation(Struct):
    """Log-odds of the most probable state against the mean of the others: ``base + movers + others``."""

    state: str
    base: float
    movers: Annotated[list[Mover], Meta(description="The strongest first.")]
    others: Annotated[float, Meta(description="All molecules not listed, added up.")]


class Result(Struct):
    """The answer for one sample."""

    sample_id: str
    call: Annotated[str, Meta(description="A state, or `uncertain`.")]
    best_guess: Annotated[str, Meta(description="The most probable state, called or not.")]
    p_best_guess: Probability
    probabilities: dict[str, Probability]
    prediction_set: Annotated[list[str], Meta(description="States that cannot be excluded.")]
    novelty_p: Probability
    coverage: Probability
    flags: list[str]
    reasons: Annotated[list[str], Meta(description="What the flags mean, and what would settle it.")]
    place: Annotated[
        str, Meta(description="Answered as from: `batch NAME`, `a training batch`, `site NAME` or `unknown batch`.")
    ]
    layers: Annotated[list[str] | UnsetType, Meta(description="That the answer rests on, of a model of several.")] = (
        UNSET
    )
    metadata: dict[str, Scalar] | UnsetType = UNSET
    explanation: Explanation | UnsetType = UNSET


class PredictResponse(Struct):
    """Answers in the order asked."""

    model: str
    version: str
    notice: str
    results: list[Result]


class Noise(Struct):
    """How far answers to samples of one person in one state lie apart."""

    sd: Annotated[dict[str, float], Meta(description="Of log-odds, each state against all others.")]
    freedom: float
    persons: int
    source: str


class Answered(Struct):
    """The answer at one visit."""

    visit: str
    sample_id: str
    call: str
    probabilities: dict[str, Probability]
    low: dict[str, Probability]
    high: dict[str, Probability]
    change: Annotated[
        dict[str, float], Meta(description="Log-odds since the first visit, each state against all others.")
    ]
    reliable: Annotated[dict[str, bool], Meta(description="The change exceeds the limit.")]
    novelty_p: Probability
    coverage: Probability
    flags: list[str]
    place: str
    layers: Annotated[list[str], Meta(description="That were used, of a model of several.")] | UnsetType = UNSET


class FollowResponse(Struct):
    """The course of one person."""

    model: str
    version: str
    notice: str
    subject: str
    level: float
    noise: Noise
    limit: Annotated[dict[str, float], Meta(description="A change of log-odds is beyond noise from here on.")]
    changed: bool
    summary: str
    visits: list[Answered]
    compared_on: (
        Annotated[
            list[str],
            Meta(description="Layers that every visit has, by which changes are told; of a model of several."),
        ]
        | UnsetType
    ) = UNSET


class ServedModel(Struct):
    """A model and which version of it answers."""

    name: str
    version: Annotated[str | None, Meta(description="That answers now.")]
    versions: list[str]
    kind: str | None
    unit: str | None
    states: list[str]
    problem: Annotated[str | None, Meta(description="Why the champion does not answer, when it does not.")]


class ModelList(Struct):
    """The models served."""

    models: list[ServedModel]


class Tensor(Struct):
    """A named array of the Open Inference Protocol; extra fields of other servers are ignored."""

    name: Name
    shape: Annotated[list[Size | Annotated[float, Meta(ge=0, le=10_000_000)]], Meta(min_length=1, max_length=2)]
    datatype: str
    data: list[Scalar | list[Scalar]] | UnsetType = UNSET
    parameters: dict[str, Any] | UnsetType = UNSET


class RequestedTensor(Struct):
    """An output that is wanted."""

    name: Name
    parameters: dict[str, Any] | UnsetType = UNSET


class InferRequest(Struct):
    """A request of the Open Inference Protocol, version 2."""

    inputs: Annotated[list[Tensor], Meta(min_length=1)]
    id: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    parameters: dict[str, Any] | UnsetType = UNSET
    outputs: list[RequestedTensor] | UnsetType = UNSET


class InferResponse(Struct):
    """An answer of the Open Inference Protocol, version 2."""

    model_name: str
    model_version: str
    outputs: list[Tensor]
    id: str | UnsetType = UNSET


class ErrorBody(Struct):
    """What went wrong."""

    code: str
    message: str
    where: str | None


class Error(Struct):
    """The one shape of every error."""

    error: ErrorBody
