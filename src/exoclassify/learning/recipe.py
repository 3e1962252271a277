"""One training run as a value: every choice of science that a model rests on, readable and writable as TOML."""

from __future__ import annotations

import tomllib
from os import PathLike
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from exoclassify.errors import FileError, RecipeError, check_type
from exoclassify.methods.learners.linear import Scaling

__all__ = ["Gate", "Recipe", "Voice"]

ClassWeight = Literal["none", "balanced"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Voice(_Part):
    """A base learner: one learner on one view.

    Parameters
    ----------
    learner : str
        ridge, elastic-net, svm, ratios, forest, extra-trees or xgboost.
    view : str
        log, damped or ranks. Ratios need log or damped: a difference of ranks is no ratio.
    share : float
        Its weight in the blend before anything is learned.
    C : float
        Inverse penalty of ridge, elastic-net, svm and ratios.
    l1_ratio : float
        Share of the L1 penalty in elastic-net.
    n_trees, max_depth, min_leaf, learning_rate
        Of forest, extra-trees (n_trees, min_leaf) and xgboost (n_trees, max_depth, learning_rate).
    n_ratios, pool, uses : int
        How many ratios, chosen among how many molecules, each in at most so many ratios.
    prior : str
        Of ridge and svm: ``catalogue`` lets a molecule count the more, the more studies name it; see `Prior`.
    scaling : str
        Of ridge, svm and ratios: ``standard`` divides each molecule or ratio by its spread, ``none`` only centres it, so that
        it counts as much as it varies.
    """

    learner: Literal["ridge", "elastic-net", "svm", "ratios", "forest", "extra-trees", "xgboost"]
    view: Literal["log", "damped", "ranks"] = "log"
    share: Annotated[float, Field(gt=0)] = 1.0
    C: Annotated[float, Field(gt=0)] = 30.0
    l1_ratio: Annotated[float, Field(ge=0, le=1)] = 0.5
    n_trees: Annotated[int, Field(ge=1, le=5000)] = 150
    max_depth: Annotated[int, Field(ge=1, le=10)] = 3
    min_leaf: Annotated[int, Field(ge=1)] = 1
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.08
    n_ratios: Annotated[int, Field(ge=1)] = 200
    pool: Annotated[int, Field(ge=2, le=500)] = 120
    uses: Annotated[int, Field(ge=1)] = 4
    scaling: Scaling = "standard"
    prior: Literal["none", "catalogue"] = "none"

    @property
    def name(self) -> str:
        """Learner and view, such as ``ridge-ranks``; ``-centred`` without scaling, ``-informed`` with a prior."""
        more = "-centred" * (self.scaling == "none") + "-informed" * (self.prior != "none")
        return f"{self.learner}-{self.view}{more}"

    @model_validator(mode="after")
    def _fits_its_learner(self) -> Self:
        if self.learner == "ratios" and self.view == "ranks":
            raise ValueError("ratios need view = log or damped: a difference of ranks is no ratio")
        if self.scaling == "none" and self.learner not in ("ridge", "svm", "ratios"):
            raise ValueError(f"scaling = none is for ridge, svm and ratios; leave it out for {self.learner}")
        if self.prior == "catalogue" and (self.learner not in ("ridge", "svm") or self.scaling == "none"):
            raise ValueError("prior = catalogue is for ridge and svm with scaling = standard; leave it out here")
        return self


class Panel(_Part):
    """Which molecules a model reads, and how many of them a sample must have.

    `molecules` names them; empty lets the data choose. `chosen_on` is the sha256 of the cohort that they were chosen on:
    a model trained on that cohort is judged too well, and says so.
    """

    molecules: Annotated[tuple[str, ...], Field(strict=False)] = ()
    chosen_on: str = ""
    min_prevalence: Annotated[float, Field(ge=0, le=1)] = 0.2
    min_coverage: Annotated[float, Field(ge=0, le=1)] = 0.8

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        twice = sorted({name for name in self.molecules if self.molecules.count(name) > 1})
        if twice:
            raise ValueError(f"molecules: {', '.join(twice)} stands twice; name it once")
        return self


class Prior(_Part):
    """What base learners with ``prior = catalogue`` are not told.

    A molecule counts ``1 + log2(1 + n)`` times, n the studies of the catalogue that name it, its hairpin or its counterpart in
    another species. `without` names conditions, PMIDs or DOIs whose claims are left out: those of the cohort's own study, for a
    model weighed by them is judged too well.
    """

    without: Annotated[tuple[str, ...], Field(strict=False)] = ()


class Normalise(_Part):
    """How raw values become comparable; ``auto`` is the first method of the unit."""

    method: str = "auto"


class Blend(_Part):
    """How the voices are weighed.

    A voice's weight is its share times ``exp(-(its inner log-loss - the best one's) * subjects / temperature)``; ``fixed``
    keeps the shares.
    """

    weights: Literal["learned", "fixed"] = "learned"
    temperature: Annotated[float, Field(gt=0)] = 4.0
    class_weight: ClassWeight = "none"


class Folds(_Part):
    """How a model is judged, and how its inner choices are."""

    outer: Annotated[int, Field(ge=2, le=20)] = 5
    repeats: Annotated[int, Field(ge=1, le=100)] = 3
    inner: Annotated[int, Field(ge=2, le=20)] = 5


class Answers(_Part):
    """When a model says that it does not know: `level` of the prediction sets, `max_wrong` of the share wrong among calls."""

    level: Annotated[float, Field(gt=0.5, lt=1)] = 0.9
    max_wrong: Annotated[float, Field(ge=0.01, le=0.5)] = 0.05
    novelty_alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    novelty_components: Annotated[int, Field(ge=1, le=100)] = 10


def _default_voices() -> tuple[Voice, ...]:
    return (
        Voice(learner="ridge", view="log", share=2.0, C=300.0),
        Voice(learner="ridge", view="damped", share=2.0, C=300.0),
        Voice(learner="svm", view="ranks", share=1.0, C=10.0),
        Voice(learner="svm", view="ranks", share=1.0, C=30.0, scaling="none"),
        Voice(learner="ratios", view="damped", share=1.0, C=100.0, n_ratios=800, pool=200, uses=16),
    )


class Gate(_Part):
    """When a challenger may take the champion's place.

    Parameters
    ----------
    margin : float
        By how much log-loss (in nats) and AUC may be worse over all samples.
    group_margin : float
        By how much log-loss may be worse in any one batch or subgroup.
    call_margin : float
        By how much the share called may be lower; a challenger that calls nothing where the champion calls never passes.
    smallest_group : int
        Batches and subgroups of fewer samples are shown and do not decide.
    confidence : float
        Share of bootstrap draws in which it must be worse to count as worse in spite of the margin; and better, where
        better is asked.
    better : tuple of str
        ``log_loss``, ``auc`` or both: figures in which the challenger must be better. None: not worse is enough.
    subgroups : tuple of str
        Columns of the sample sheet whose values are judged one by one, such as sex.
    audit : bool
        A critical finding of the audit of the challenger's samples stops it.

    Notes
    -----
    Being no worse is judged by the estimate and the margin, for at 60 samples no interval excludes a margin of 0.02.
    """

    margin: Annotated[float, Field(ge=0, le=1)] = 0.02
    group_margin: Annotated[float, Field(ge=0, le=1)] = 0.1
    call_margin: Annotated[float, Field(ge=0, le=1)] = 0.1
    smallest_group: Annotated[int, Field(ge=2)] = 10
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.9
    better: Annotated[tuple[Literal["log_loss", "auc"], ...], Field(strict=False)] = ()
    subgroups: Annotated[tuple[str, ...], Field(strict=False)] = ()
    audit: bool = True


class Recipe(_Part):
    """One training run.

    Parameters
    ----------
    seed : int
        Of folds, forests and boosting; the same seed gives the same model, bit for bit, on the same library versions.
    panel, normalise, prior, blend, folds, answers, gate
        See their classes.
    voices : tuple of Voice
        The base learners of the blend, in a recipe under ``learners`` or ``voices``; one alone is a single learner.

    Notes
    -----
    The default base learners and shares were chosen over 30 tasks from 28 public tables (docs/benchmarks.md). The ranks are
    ahead on most tables; ridge regression on the log and damped views ranks better from one batch of the migraine cohort to the
    other, and holds four of seven shares for that.
    """

    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    panel: Panel = Panel()
    normalise: Normalise = Normalise()
    prior: Prior = Prior()
    blend: Blend = Blend()
    folds: Folds = Folds()
    answers: Answers = Answers()
    gate: Gate = Gate()
    voices: Annotated[tuple[Voice, ...], Field(min_length=1, strict=False)] = Field(default_factory=_default_voices)

    @model_validator(mode="before")
    @classmethod
    def _under_either_name(cls, raw: object) -> object:
        if not isinstance(raw, dict) or "learners" not in raw:
            return raw
        if "voices" in raw:
            raise ValueError("`learners` and `voices` are two names of one list; give it once, under one of them")
        return {("voices" if key == "learners" else key): value for key, value in raw.items()}

    @model_validator(mode="after")
    def _voices_differ(self) -> Self:
        names = [voice.name for voice in self.voices]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"learners: {', '.join(twice)} stands twice; give it once, with a larger share")
        return self

    @classmethod
    def read(cls, path: str | Path) -> Recipe:
        """Read a recipe from TOML.

        Parameters
        ----------
        path : str or Path
            The file; keys that are not given keep their defaults.

        Returns
        -------
        Recipe

        Raises
        ------
        FileError
            If the file cannot be read or is not TOML.
        RecipeError
            If a key is unknown or a value out of range; the message names it.
        """
        check_type(path, (str, PathLike), "Recipe.read: path", "the path of a recipe in TOML")
        path = Path(path)
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise FileError(
                f"{path.name}: cannot be read ({error.strerror}); give the path of a recipe in TOML"
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise FileError(f"{path.name}: not valid TOML ({error})") from error
        return cls.of(raw, source=path.name)

    @classmethod
    def of(cls, raw: dict[str, object], *, source: str = "recipe") -> Recipe:
        """Build a recipe from plain values.

        Parameters
        ----------
        raw : dict
            As TOML or JSON gives it.
        source : str
            Named in the message.

        Returns
        -------
        Recipe

        Raises
        ------
        RecipeError
            If a key is unknown or a value out of range.
        """
        try:
            check_type(raw, dict, f"{source}", "a mapping of its parts, as TOML gives it")
            return cls.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            spelled = "learners" if "learners" in raw else "voices"
            steps = [spelled if part == "voices" else str(part) for part in first["loc"]]
            where = ".".join(steps) or "recipe"
            if first["type"] == "extra_forbidden":
                known = ", ".join(_keys_beside(first["loc"]))
                raise RecipeError(f"{source}: unknown key {where}; keys here are {known}") from error
            found = "" if isinstance(first["input"], dict) else f", found {' '.join(repr(first['input']).split())[:60]}"
            message = first["msg"].removeprefix("Value error, ")
            raise RecipeError(f"{source}: {where}: {message}{found}") from error


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    part: type[BaseModel] = Recipe
    for step in location[:-1]:
        if step == "voices":
            part = Voice
        elif isinstance(step, str):
            inner = part.model_fields[step].annotation
            part = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else part
    return sorted(part.model_fields)
