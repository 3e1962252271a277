"""What is told about a model, as one value: what its card and report are written from, and what bundle.json holds of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from exoclassify.data.changes import VisitTables
from exoclassify.model.evaluation import Comparison, Evaluation
from exoclassify.model.figures import Value
from exoclassify.model.prediction import DEFAULT_MAX_WRONG

__all__ = ["About", "Training"]


class Training(Value):
    """What a model was trained on.

    Parameters
    ----------
    samples : mapping of str to int
        By state.
    subjects : int or None
        None where no subject ids were given.
    batches : mapping of str to int or None
        Samples by batch.
    simulated : bool
        Not of real people.
    tested_across_batches : bool
        Whether batches could be left out.
    data_sha256 : str
        Of the cohort.
    molecules_in_table : int
        Of which the panel was chosen.
    notes : tuple of str
        What was done to the cohort when it was read.
    """

    samples: Mapping[str, int]
    subjects: int | None
    batches: Mapping[str, int] | None
    simulated: bool
    tested_across_batches: bool
    data_sha256: str
    molecules_in_table: int
    notes: tuple[str, ...] = ()

    @property
    def n_samples(self) -> int:
        """Samples in all."""
        return sum(self.samples.values())

    @property
    def mix(self) -> str:
        """The samples by state, in words."""
        return ", ".join(f"{n} {state}" for state, n in self.samples.items())


class CallsFrom(Value):
    """From which probability on a state is called, None for nothing; and why nothing is (or empty)."""

    calls_from: float | None
    closed: str


class Places(Value):
    """Calls in a batch that was trained on, and in an unknown one."""

    trained_on: CallsFrom
    unknown: CallsFrom


class Promised(Value):
    """The levels that answers keep to."""

    level: float
    max_wrong: float = DEFAULT_MAX_WRONG
    novelty_alpha: float
    places: Places | None = None


class BaseLearner(Value):
    """A base learner with its weight for a new batch."""

    name: str
    weight: float
    inner_log_loss: float


class LayerRepeats(Value):
    """As `Repeats`, where a set of layers is read."""

    layers: tuple[str, ...]
    sd: Mapping[str, float]
    freedom: float
    persons: int
    source: str


class Repeats(Value):
    """How far answers to one person in one state lie apart; see `exoclassify.model.retest.Retest`."""

    sd: Mapping[str, float]
    freedom: float
    persons: int
    source: str
    layers: tuple[LayerRepeats, ...] | None = None


class Visits(Value):
    """What a model reads of a person's visits, and how it compares with the samples as they are.

    See `exoclassify.data.changes.VisitTables`.
    """

    reads: str
    visits: tuple[str, ...]
    kind: str
    unit: str
    not_detected: float | None
    plain: Comparison | None


class JudgedAtSite(Value):
    """A recalibrated model on local samples left out, beside an unknown batch and guessing the mix."""

    log_loss: float
    log_loss_before: float
    log_loss_of_guessing: float
    gain_over_guessing_low: float | None = None
    auc: float


class Recalibration(Value):
    """How a model was recalibrated for one site; its distance in units of that of the training batches, not kept by 0.1."""

    site: str
    source: str = Field(validation_alias="from", serialization_alias="from")
    samples: Mapping[str, int]
    mix: Mapping[str, float] | None = None
    subjects: int | None
    left_out_as_trained_on: int
    left_out_as_not_measured: int | None = None
    left_out_for_missing_layers: int | None = None
    data_sha256: str
    novel_before: float | None = None
    steps: tuple[str, ...]
    needs: Mapping[str, str]
    judged: JudgedAtSite | None
    distance: float | None = None
    uncertainty: float | None = None
    calls_from: float | None = None
    training_batches: int | None = None


class About(Value):
    """Everything that should be known of a model before it is trusted.

    Parameters
    ----------
    name, version, created : str
        Created: date and time.
    states : tuple of str
        What it distinguishes.
    training : Training
        On what.
    answers : Promised
        Level of the sets, wrong calls allowed, novelty.
    voices : tuple of BaseLearner
        What it is made of.
    recipe : mapping
        As `Recipe.of` reads it.
    evaluation : Evaluation or None
        None where it was not judged.
    libraries : mapping of str to str
        Versions.
    audit : mapping or None
        As `exoclassify audit --json` prints it, with what is drawn.
    retest : Repeats or None
        Measurement noise, where persons were sampled repeatedly.
    visits : Visits or None
        Of a model of changes within persons.
    recalibration : Recalibration or None
        Of a model for one site.
    """

    name: str
    version: str
    created: str
    states: tuple[str, ...]
    training: Training
    answers: Promised
    voices: tuple[BaseLearner, ...]
    recipe: Mapping[str, Any]
    evaluation: Evaluation | None
    libraries: Mapping[str, str]
    audit: Mapping[str, Any] | None = None
    retest: Repeats | None = None
    visits: Visits | None = None
    recalibration: Recalibration | None = None

    @property
    def visit_tables(self) -> VisitTables | None:
        """What it reads of a person's visits; None for a model that reads samples as they are."""
        told = self.visits
        if told is None:
            return None
        return VisitTables(told.reads, told.visits, told.kind, told.unit, told.not_detected)
