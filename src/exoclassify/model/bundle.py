"""A model as a folder: readable, checked before anything in it is opened, and free of pickle.

::

    MODEL/
      bundle.json   panel, states, recipe, evaluation, provenance, library versions, sha256 of every other file and of itself
      arrays.npz    all fitted arrays; XGBoost's own UBJSON stands among them as bytes
      golden.csv    about 20 made-up profiles and the probabilities they must get
      README.md     the model card
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exoclassify.data.cargo import CargoTable
from exoclassify.data.formats.writing import write_folder_atomically
from exoclassify.errors import ModelError
from exoclassify.methods.conformal import conformal_p
from exoclassify.model.blend import FittedBlend
from exoclassify.model.compiled import PARITY, CompiledBlend, check_parity
from exoclassify.model.panel import Panel
from exoclassify.model.prediction import Predictions, answer, prevalence_shift, shifted_prevalence
from exoclassify.model.state import pack, unpack

__all__ = ["FORMAT", "ModelBundle"]

FORMAT = 1
"""Version of the folder's layout; another one is refused."""

_FILES = ("arrays.npz", "golden.csv", "README.md")

Floats = NDArray[np.float64]


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
            The samples were measured in a batch that the model was trained on; only then is a model of one batch, never
            tested on another, allowed to call a state.

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
        log_odds, residuals = self.compiled.evaluate(X)
        return self.interpret(X, ids, log_odds, residuals, stated, same_batch)

    def interpret(
        self,
        X: Floats,
        ids: tuple[str, ...],
        log_odds: Floats,
        residuals: Floats,
        stated: Floats | None,
        same_batch: bool,
    ) -> Predictions:
        """Turn the scorer's numbers into answers.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_molecules)
            Raw values in the panel's order.
        ids : tuple of str
            Sample ids.
        log_odds, residuals : ndarray
            As `CompiledBlend.evaluate` gives them.
        stated : ndarray of shape (n_states,) or None
            Prevalence at the place of use.
        same_batch : bool
            As in `predict`.

        Returns
        -------
        Predictions
        """
        answers = self.about["answers"]
        sets = self.blend.sets.sets(_softmax(log_odds), answers["level"])
        novelty_p = conformal_p(self.blend.novelty_reference, residuals)
        coverage = self.panel.coverage(X)
        probabilities, calls, flags = answer(
            log_odds, sets, novelty_p, coverage, self.states,
            shift=prevalence_shift(self.blend.prevalence, stated),
            novelty_alpha=answers["novelty_alpha"],
            min_coverage=self.panel.min_coverage,
            one_batch=not (same_batch or self.about["training"]["tested_across_batches"]),
        )  # fmt: skip
        return Predictions(
            ids, self.states, probabilities, sets, novelty_p, coverage, calls, flags, self.name, self.version
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
        np.savez_compressed(
            folder / "arrays.npz", allow_pickle=False, **arrays, **{"panel.weight": self.panel.weight}
        )
        columns = [f"p_{state}" for state in self.states]
        frame = pd.DataFrame(self.golden, columns=list(self.panel.molecules))
        frame.insert(0, "sample_id", [f"golden-{i + 1:02d}" for i in range(len(frame))])
        probabilities = pd.DataFrame(self.golden_probabilities(), columns=columns)
        pd.concat([frame, probabilities], axis=1).to_csv(folder / "golden.csv", index=False)
        (folder / "README.md").write_text(self.card, encoding="utf-8")
        panel = {
            "molecules": list(self.panel.molecules), "kind": self.panel.kind, "unit": self.panel.unit,
            "not_detected": self.panel.not_detected, "typical": self.panel.typical,
            "min_coverage": self.panel.min_coverage,
        }  # fmt: skip
        files = {name: _sha256((folder / name).read_bytes()) for name in _FILES}
        described = {"format": FORMAT, **self.about, "panel": panel, "fitted": tree, "files": files}
        described["sha256"] = _digest(described)
        (folder / "bundle.json").write_text(
            json.dumps(described, indent=1, allow_nan=False) + "\n", encoding="utf-8"
        )

    @classmethod
    def load(cls, path: str | Path, *, verify: bool = False) -> ModelBundle:
        """Read a folder; every file's sha256 is checked before it is opened.

        Parameters
        ----------
        path : str or Path
            The folder.
        verify : bool
            Also demand that the golden profiles get the probabilities they got when the model was made.

        Returns
        -------
        ModelBundle

        Raises
        ------
        ModelError
            If the folder is not a model, of another format, incomplete or changed, or does not give its own answers.
        """
        folder = Path(path)
        described = _described(folder)
        contents = {name: _checked(folder, name, described["files"][name]) for name in _FILES}
        arrays = _arrays(contents["arrays.npz"], folder)
        try:
            blend = unpack(described["fitted"], arrays)
            panel = Panel(
                molecules=tuple(described["panel"]["molecules"]),
                weight=arrays["panel.weight"],
                **{
                    key: described["panel"][key]
                    for key in ("kind", "unit", "not_detected", "typical", "min_coverage")
                },
            )
            golden = pd.read_csv(io.BytesIO(contents["golden.csv"]))
            about = {
                k: v
                for k, v in described.items()
                if k not in ("format", "panel", "fitted", "files", "sha256")
            }
            profiles = golden[list(panel.molecules)].to_numpy(dtype=np.float64)
            expected = golden[[f"p_{state}" for state in blend.states]].to_numpy(dtype=np.float64)
        except (KeyError, ValueError) as error:
            raise ModelError(
                f"{folder.name}: not a complete model ({error}); train or fetch it again"
            ) from error
        bundle = cls(blend, panel, about, profiles, contents["README.md"].decode("utf-8"))
        bundle.check()
        if verify:
            bundle._demand(expected)
        return bundle

    def _demand(self, expected: Floats) -> None:
        worst = float(np.abs(self.golden_probabilities() - expected).max(initial=0.0))
        if not worst <= PARITY:
            raise ModelError(
                f"{self.name} {self.version}: the golden profiles differ by up to {worst:.1e} from the probabilities they must "
                f"get (allowed {PARITY:.0e}); the libraries here give other answers than those that made the model: "
                "install the versions in bundle.json, or train it again"
            )


def _softmax(log_odds: Floats) -> Floats:
    powers = np.exp(log_odds - log_odds.max(axis=1, keepdims=True))
    result: Floats = powers / powers.sum(axis=1, keepdims=True)
    return result


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest(described: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in described.items() if key != "sha256"}
    return _sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode())


def _described(folder: Path) -> dict[str, Any]:
    try:
        described = json.loads((folder / "bundle.json").read_bytes())
    except FileNotFoundError as error:
        raise ModelError(
            f"{folder.name}: not a model folder (it has no bundle.json); give the folder that `exoclassify train --out` wrote"
        ) from error
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{folder.name}/bundle.json: cannot be read ({error}); fetch the model again"
        ) from error
    if not isinstance(described, dict) or "format" not in described or "files" not in described:
        raise ModelError(f"{folder.name}: bundle.json is not that of an exoclassify model")
    if described["format"] != FORMAT:
        raise ModelError(
            f"{folder.name}: made in format {described['format']}, this version reads format {FORMAT}; "
            "use the exoclassify version named in its bundle.json, or train it again"
        )
    if described.get("sha256") != _digest(described) or set(described["files"]) != set(_FILES):
        raise ModelError(
            f"{folder.name}: bundle.json was changed after the model was saved; fetch or train it again"
        )
    return described


def _checked(folder: Path, name: str, expected: str) -> bytes:
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise ModelError(
            f"{folder.name}: {name} cannot be read ({error.strerror}); fetch or train the model again"
        ) from error
    if _sha256(content) != expected:
        raise ModelError(
            f"{folder.name}: {name} was changed after the model was saved (its sha256 differs); fetch or train it again"
        )
    return content


def _arrays(content: bytes, folder: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, zipfile.BadZipFile, KeyError) as error:
        raise ModelError(
            f"{folder.name}: arrays.npz cannot be read ({error}); fetch or train the model again"
        ) from error
