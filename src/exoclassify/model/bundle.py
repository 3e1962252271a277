"""A model one can use: it answers, it checks itself, it is saved and read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exoclassify.data.cargo import CargoTable
from exoclassify.errors import ModelError, first_three
from exoclassify.methods.conformal import conformal_p
from exoclassify.model.blend import FittedBlend
from exoclassify.model.compiled import PARITY, CompiledBlend, check_parity
from exoclassify.model.folder import ModelParts, fill_folder, only_refusals, read_folder
from exoclassify.model.golden import differing, golden_answers
from exoclassify.model.panel import Panel
from exoclassify.model.prediction import (
    Answers,
    Predictions,
    answer,
    drawn_in,
    prevalence_shift,
    shifted_prevalence,
)
from exoclassify.model.state import pack, unpack
from exoclassify.model.trained_on import TrainedOn
from exoclassify.tables.writing import write_folder_atomically

__all__ = ["Measured", "ModelBundle"]

_PANEL = ("kind", "unit", "not_detected", "typical", "min_coverage", "hairpins_apart")
"""Plain values of the panel, kept in bundle.json."""

Floats = NDArray[np.float64]


class Measured(NamedTuple):
    """What the scorer finds in samples.

    Parameters
    ----------
    log_odds : ndarray of shape (n_samples, n_states)
        Calibrated at the training prevalence.
    residuals : ndarray of shape (n_samples,)
        How unlike the training samples each is.
    coverage : ndarray of shape (n_samples,)
        Measured share of the panel, 0 to 1.
    """

    log_odds: Floats
    residuals: Floats
    coverage: Floats


@dataclass(frozen=True, eq=False)
class ModelBundle:
    """A model one can use: fitted parts, panel, and everything that should be known before it is trusted.

    Parameters
    ----------
    blend : FittedBlend
        What was learned.
    panel : Panel
        What it reads.
    about : dict
        Plain values: name, version, recipe, answers (level, novelty_alpha), training, evaluation (or None: not judged),
        libraries, and so on; what the card is written from.
    golden : ndarray of shape (n_golden, n_molecules)
        Made-up profiles in the panel's order and unit.
    card : str
        The model card in Markdown.
    trained_on : TrainedOn or None, default None
        What it remembers of its training samples; None for a model that was not asked to.
    report : str or None
        The page to read, HTML; None when there is none.
    aside : DataFrame or None
        Answers to the samples kept aside, by which models are compared; None when it was not judged.

    Notes
    -----
    Every prediction goes through the compiled scorer, which is compared with the step-by-step blend when a bundle is made
    and whenever it is loaded. It gives support for a decision; it is not a medical device and gives no diagnosis.
    """

    blend: FittedBlend
    panel: Panel
    about: dict[str, Any]
    golden: Floats
    card: str
    trained_on: TrainedOn | None = None
    report: str | None = field(default=None, kw_only=True)
    aside: pd.DataFrame | None = field(default=None, kw_only=True)
    compiled: CompiledBlend = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "compiled", CompiledBlend.of(self.blend))

    @property
    def name(self) -> str:
        """The model's name."""
        return str(self.about["name"])

    @property
    def version(self) -> str:
        """The model's version."""
        return str(self.about["version"])

    @property
    def states(self) -> tuple[str, ...]:
        """The pain states it tells apart."""
        return self.blend.states

    def predict(
        self, table: CargoTable, *, prevalence: Mapping[str, float] | None = None, same_batch: bool = False
    ) -> Predictions:
        """Answer for a table of samples; no answer depends on the other samples.

        Parameters
        ----------
        table : CargoTable
            New samples of the model's kind and unit; more molecules than the panel are ignored.
        prevalence : mapping of str to float, optional
            Shares of the states at the place of use; shifts the probabilities, not the prediction sets.
        same_batch : bool
            The samples were measured in a batch that the model was trained on. Otherwise a state is excluded only if every
            training batch kept aside would exclude it, and a model never tested across batches calls none; if its batches
            were named, the probabilities are drawn towards the training mix, see `prediction.drawn_in`.

        Returns
        -------
        Predictions

        Raises
        ------
        ModelError
            If kind or unit differ, or the table lacks too much of the panel.
        InputError
            If the prevalence is not valid.
        """
        stated = shifted_prevalence(self.states, self.blend.prevalence, prevalence)
        return self._answer(self.panel.values(table), table.sample_ids, stated, same_batch)

    def predict_one(
        self,
        cargo: Mapping[str, float | None],
        *,
        sample_id: str = "sample",
        prevalence: Mapping[str, float] | None = None,
        same_batch: bool = False,
    ) -> Predictions:
        """Answer for one sample given by molecule names: the fast path from names to answer.

        Parameters
        ----------
        cargo : mapping of str to float or None
            Raw values in the model's unit by molecule name; None and absent = not measured.
        sample_id : str
            Named in the answer.
        prevalence, same_batch
            As in `predict`.

        Returns
        -------
        Predictions
            With one sample.

        Raises
        ------
        InputError
            If two names are one molecule, a value cannot be of the model's unit, or the prevalence is not valid.
        """
        X = self.panel.profile(cargo, sample_id)
        stated = shifted_prevalence(self.states, self.blend.prevalence, prevalence)
        return self._answer(X, (sample_id,), stated, same_batch)

    def _answer(
        self, X: Floats, ids: tuple[str, ...], stated: Floats | None, same_batch: bool
    ) -> Predictions:
        return self.interpret(ids, self.measure(X), stated, same_batch)

    def measure(self, X: Floats) -> Measured:
        """Let the scorer look at samples; `judge` and `interpret` make answers of what it finds.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_molecules)
            Raw values in the panel's order, already held against its unit.

        Returns
        -------
        Measured
        """
        return Measured(*self.compiled.evaluate(X), self.panel.coverage(X))

    def interpret(
        self, ids: tuple[str, ...], measured: Measured, stated: Floats | None, same_batch: bool
    ) -> Predictions:
        """Put what was measured into words.

        Parameters
        ----------
        ids : tuple of str
            Sample ids.
        measured, stated, same_batch
            As in `judge`.

        Returns
        -------
        Predictions
        """
        found = self.judge(measured, stated=stated, same_batch=same_batch)
        calls, flags = found.in_words(self.states)
        return Predictions(
            ids, self.states, found.probabilities, found.sets, found.novelty_p, found.coverage, calls, flags,
            self.name, self.version,
        )  # fmt: skip

    def judge(self, measured: Measured, *, stated: Floats | None = None, same_batch: bool = False) -> Answers:
        """Answer in numbers alone: with `measure` the path for a million rows.

        Parameters
        ----------
        measured : Measured
            Of n_samples samples.
        stated : ndarray of shape (n_states,) or None
            Prevalence at the place of use, as `shifted_prevalence` completes it.
        same_batch : bool
            As in `predict`.

        Returns
        -------
        Answers
            Bit for bit what `predict` says of the same samples.
        """
        limits, training = self.about["answers"], self.about["training"]
        log_odds = measured.log_odds
        one_batch = not (same_batch or training["tested_across_batches"])
        # Without a batch column nobody said that the samples are of another batch than those of training.
        new_batch = one_batch and training["batches"] is not None
        return answer(
            drawn_in(log_odds, self.blend.prevalence) if new_batch else log_odds,
            self.blend.sets.sets(_softmax(log_odds), limits["level"], same_batch=same_batch),
            conformal_p(self.blend.novelty_reference, measured.residuals),
            measured.coverage,
            shift=prevalence_shift(self.blend.prevalence, stated),
            novelty_alpha=limits["novelty_alpha"],
            min_coverage=self.panel.min_coverage,
            one_batch=one_batch,
        )

    def check(self) -> float:
        """Compare the compiled scorer with the fitted parts on golden, random and NaN-bearing rows.

        Returns
        -------
        float
            The largest difference of any probability.

        Raises
        ------
        ModelError
            If it exceeds the allowed 1e-6.
        """
        rng = np.random.default_rng(20)
        shuffled = rng.permuted(self.golden, axis=0)
        holes = np.where(rng.random(self.golden.shape) < 0.3, np.nan, shuffled)
        rows = (("golden rows", self.golden), ("random rows", shuffled), ("rows with missing values", holes))
        return max(check_parity(self.blend, self.compiled, X, what) for what, X in rows)

    def golden_probabilities(self) -> Floats:
        """Probabilities of the golden profiles; shape (n_golden, n_states)."""
        return _softmax(self.compiled.evaluate(self.golden)[0])

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the folder, whole or not at all.

        Parameters
        ----------
        path : str or Path
            The folder; it must not exist unless `force`.
        force : bool
            Replace what is there.

        Raises
        ------
        FileError
            If the folder exists or cannot be written.
        ModelError
            If the compiled scorer differs from the fitted parts.
        """
        self.check()
        write_folder_atomically(Path(path), self._write, force=force)

    def _write(self, folder: Path) -> None:
        tree, arrays = pack(self.blend)
        panel = {"molecules": list(self.panel.molecules), **{key: getattr(self.panel, key) for key in _PANEL}}
        golden = pd.DataFrame(self.golden, columns=list(self.panel.molecules))
        golden.insert(0, "sample_id", [f"golden-{i + 1:02d}" for i in range(len(golden))])
        expected = pd.DataFrame(self.golden_probabilities(), columns=[f"p_{state}" for state in self.states])
        fill_folder(
            folder,
            described={**self.about, "panel": panel, "fitted": tree},
            arrays={
                **arrays,
                "panel.weight": self.panel.weight,
                **({} if self.trained_on is None else self.trained_on.arrays()),
            },
            golden=pd.concat([golden, expected, golden_answers(self)], axis=1),
            card=self.card,
            report=self.report,
            aside=self.aside,
        )

    @classmethod
    def load(cls, path: str | Path, *, verify: bool = False) -> ModelBundle:
        """Read a folder; every file's sha256 is checked before it is opened.

        Parameters
        ----------
        path : str or Path
            The folder.
        verify : bool
            Also demand that the golden profiles get the answers they got when the model was made.

        Returns
        -------
        ModelBundle

        Raises
        ------
        ModelError
            If the folder is not a model, of another format, incomplete or changed, or does not give its own answers.
        """
        with only_refusals(Path(path).name):
            return cls._read(read_folder(Path(path)), verify=verify)

    @classmethod
    def _read(cls, parts: ModelParts, *, verify: bool) -> ModelBundle:
        blend = unpack(parts.described["fitted"], parts.arrays)
        described = dict(parts.described["panel"])
        panel = Panel(
            molecules=tuple(described["molecules"]),
            weight=parts.arrays["panel.weight"],
            **{key: described[key] for key in _PANEL},
        )
        profiles = _numbers(parts.golden[list(panel.molecules)])
        expected = _numbers(parts.golden[[f"p_{state}" for state in blend.states]])
        about = {key: value for key, value in parts.described.items() if key not in ("panel", "fitted")}
        bundle = cls(
            blend,
            panel,
            about,
            profiles,
            parts.card,
            TrainedOn.read(parts.arrays),
            report=parts.report,
            aside=parts.aside,
        )
        bundle.check()
        if verify:
            bundle._demand(expected, parts.golden)
        return bundle

    def _demand(self, expected: Floats, golden: pd.DataFrame) -> None:
        worst = float(np.abs(self.golden_probabilities() - expected).max(initial=0.0))
        if not worst <= PARITY:
            raise ModelError(
                f"{self.name} {self.version}: the golden profiles differ by up to {worst:.1e} from the probabilities they must "
                f"get (allowed {PARITY:.0e}); the libraries here give other answers than those that made the model: "
                "install the versions in bundle.json, or train it again"
            )
        if differ := differing(self, golden):
            raise ModelError(
                f"{self.name} {self.version}: the golden profiles get other answers than they must ({first_three(differ)}); "
                "the model was changed, or the libraries here are others than those in bundle.json: fetch or train it again"
            )


def _numbers(texts: pd.DataFrame) -> Floats:
    return texts.replace("", "nan").to_numpy().astype(np.float64)


def _softmax(log_odds: Floats) -> Floats:
    powers = np.exp(log_odds - log_odds.max(axis=1, keepdims=True))
    result: Floats = powers / powers.sum(axis=1, keepdims=True)
    return result
