"""A model one can use: it answers, it checks itself, it is saved and read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.covariates import COVARIATES, covariates_there
from exoclassify.errors import ModelError, check_type, first_three
from exoclassify.methods.fusion import code_of, named, set_codes
from exoclassify.model.about import About, Training
from exoclassify.model.answers import Answers
from exoclassify.model.blend import Blend
from exoclassify.model.compiled import CompiledBlend, check_parity
from exoclassify.model.evaluation import Evaluation
from exoclassify.model.folder import ModelParts, fill_folder, only_refusals, read_folder
from exoclassify.model.golden import demand, golden_table, numbers
from exoclassify.model.layered import CompiledLayers, LayeredBlend, compiled
from exoclassify.model.layered_panel import LayeredPanel
from exoclassify.model.legacy import brought_forward
from exoclassify.model.panel import Panel
from exoclassify.model.prediction import Limits, Predictions, Use, layers_of
from exoclassify.model.state import pack, unpack
from exoclassify.model.trained_on import TrainedOn
from exoclassify.tables.writing import write_folder_atomically
from exoclassify.typing import Floats, Mask

__all__ = ["Measured", "ModelBundle"]

Table = CargoTable | pd.DataFrame


class Measured(NamedTuple):
    """What the scorer finds in samples.

    Parameters
    ----------
    log_odds : ndarray of shape (n_samples, n_heads, n_states)
        Of each head, in a batch without an offset, the mix not added.
    residuals : ndarray of shape (n_samples,)
        How unlike the training samples each is.
    coverage : ndarray of shape (n_samples,)
        Measured share of the panel, 0 to 1.
    layers : ndarray of bool of shape (n_samples, n_layers)
        Which layers were used; no column for a model of one.
    """

    log_odds: Floats
    residuals: Floats
    coverage: Floats
    layers: Mask


@dataclass(frozen=True, eq=False, repr=False)
class ModelBundle:
    """A model one can use: fitted parts, panel, and everything that should be known before it is trusted.

    Parameters
    ----------
    blend : FittedBlend or LayeredBlend
        What was learned.
    panel : Panel
        What it reads.
    about : About
        Everything that is told about it, and what its card is written from.
    golden : ndarray of shape (n_golden, n_molecules)
        Made-up profiles in the panel's order and unit.
    card : str
        The model card in Markdown.
    trained_on : TrainedOn or None, default None
        What it remembers of its training samples; None for a model that was not asked to.
    report : str or None
        The page to read, HTML; None when there is none.
    aside : DataFrame or None
        Answers to the held-out samples, by which models are compared; None when it was not judged.

    Notes
    -----
    Every prediction goes through the compiled scorer, which is compared with the step-by-step blend when a bundle is made
    and whenever it is loaded. It gives support for a decision; it is not a medical device and gives no diagnosis.
    """

    blend: Blend
    panel: Panel
    about: About
    golden: Floats
    card: str
    trained_on: TrainedOn | None = None
    report: str | None = field(default=None, kw_only=True)
    aside: pd.DataFrame | None = field(default=None, kw_only=True)
    compiled: CompiledBlend | CompiledLayers = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "compiled", compiled(self.blend))

    def __repr__(self) -> str:
        molecules = len(self.panel.molecules)
        return f"<ModelBundle {self.name} {self.version}: {', '.join(self.states)}; {molecules} molecules>"

    @property
    def name(self) -> str:
        """The model's name."""
        return self.about.name

    @property
    def version(self) -> str:
        """The model's version."""
        return self.about.version

    @property
    def evaluation(self) -> Evaluation | None:
        """How good it is on samples that were held out; None when it was not judged."""
        return self.about.evaluation

    @property
    def training(self) -> Training:
        """What it was trained on."""
        return self.about.training

    @property
    def states(self) -> tuple[str, ...]:
        """The pain states it distinguishes."""
        return self.blend.states

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers it reads; empty for a model of one."""
        return tuple(self.panel.layers) if isinstance(self.panel, LayeredPanel) else ()

    def predict(
        self, table: Table | Mapping[str, Table], use: Use | None = None, *, batches: Sequence[str] | None = None
    ) -> Predictions:
        """Answer for a table of samples; no answer depends on the other samples.

        Parameters
        ----------
        table : CargoTable or DataFrame, or mapping of str to such
            New samples of the model's kind and unit; more molecules than the panel are ignored. Of a frame kind and unit are
            taken to be the model's. For a model of several layers a table for each, by name; layers may be left out, and a
            table may lack samples.
        use : Use, optional
            Where the samples are from and how sure the answers must be; an unknown batch if omitted.
        batches : sequence of str, optional
            The batch of each sample, instead of `Use.batch`.

        Returns
        -------
        Predictions

        Raises
        ------
        ModelError
            If kind or unit differ, or the table lacks too much of the panel.
        InputError
            If what is asked is not valid, or the site has no profile here.
        """
        check_type(use, (Use, type(None)), "predict: use", "a Use, such as Use(batch='A')")
        use = Use() if use is None else use
        ids, X = self.rows(table)
        return self.interpret(ids, self.measure(X), use, batches)

    def rows(self, table: Table | Mapping[str, Table]) -> tuple[tuple[str, ...], Floats]:
        """Line tables up with the panel: sample ids and raw values; arguments and errors as for `predict`."""
        if isinstance(self.panel, LayeredPanel) and isinstance(table, Mapping):
            self.check_layers(tuple(table))
            return self.panel.rows({name: _table_for(self.panel.layers[name], one) for name, one in table.items()})
        if isinstance(table, Mapping):
            raise ModelError(
                f"{self.name} {self.version} reads one table, not layers ({first_three(table)}); give one table"
            )
        found = _table_for(self.panel, table)
        return found.sample_ids, self.panel.values(found)

    def values(self, cohort: Cohort) -> Floats:
        """Line a cohort up with the panel: raw values in the order of its sheet; covariates are read from the sheet."""
        if not self.layers:
            return self.rows(cohort.cargo)[1]
        tables = {name: cohort.layer(name) for name in cohort.layers}
        if COVARIATES in self.layers and COVARIATES not in tables:
            own = self.panel.layers[COVARIATES].molecules if isinstance(self.panel, LayeredPanel) else ()
            tables |= covariates_there(cohort.sheet, own)
        return self.rows(tables)[1]

    def check_layers(self, names: Sequence[str]) -> None:
        """Refuse layers that are none of the model's, or that say no more than guessing without another."""
        if not isinstance(self.panel, LayeredPanel) or not isinstance(self.blend, LayeredBlend):
            raise ModelError(f"{self.name} {self.version} reads one table ({self.panel.measured_in}); give it alone")
        self.panel.check_names(names)
        if not self.blend.able[code_of(names, self.layers)]:
            others = [name for name in self.layers if name not in names]
            lacks = f"; give {' and '.join(others)} too" if others else ""
            raise ModelError(
                f"{' and '.join(names)} alone: on held-out samples {self.name} then said no more than guessing{lacks}"
            )

    def predict_one(
        self, cargo: Mapping[str, Any], use: Use | None = None, *, sample_id: str = "sample"
    ) -> Predictions:
        """Answer for one sample given by molecule names: the fast path from names to answer.

        Parameters
        ----------
        cargo : mapping of str to float or None
            Raw values in the model's unit by molecule name; None and absent = not measured. Of several layers such a mapping
            for each, by name.
        use : Use, optional
            As in `predict`.

        Raises
        ------
        InputError
            If two names are one molecule, a value cannot be of the model's unit, or what is asked is not valid.
        """
        check_type(cargo, Mapping, "predict_one: cargo", "values by molecule name, such as dict(row)")
        check_type(use, (Use, type(None)), "predict_one: use", "a Use, such as Use(batch='A')")
        use = Use() if use is None else use
        return self.interpret((sample_id,), self.measure(self.panel.profile(cargo, sample_id)), use)

    def measure(self, X: Floats) -> Measured:
        """Let the scorer look at samples; `judge` and `interpret` make answers of what it finds.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_molecules)
            Raw values in the panel's order, already checked against its unit.
        """
        coverage = self.panel.coverage(X)
        if isinstance(self.panel, LayeredPanel) and isinstance(self.compiled, CompiledLayers):
            log_odds, residuals, layers = self.compiled.measured(self.panel.kept(X))
            coverage = np.where(self.compiled.blend.able[set_codes(layers)], coverage, 0.0)
        else:
            log_odds, residuals = self.compiled.evaluate(X)
            layers = np.empty((len(X), 0), dtype=bool)
        return Measured(log_odds.transpose(1, 0, 2), residuals, coverage, layers)

    def interpret(
        self, ids: tuple[str, ...], measured: Measured, use: Use, batches: Sequence[str] | None = None
    ) -> Predictions:
        """Put what was measured into words; arguments as in `judge`."""
        found = self.judge(measured, use, batches)
        calls, flags = found.in_words(self.states)
        places = tuple(found.named[i] for i in found.places.tolist())
        return Predictions(
            ids, self.states, found.probabilities, found.sets, found.novelty_p, found.coverage, calls, flags,
            self.name, self.version, places,
            () if found.layers is None else tuple(layers_of(found.layer_sets[i]) for i in found.layers.tolist()),
        )  # fmt: skip

    def judge(self, measured: Measured, use: Use, batches: Sequence[str] | None = None) -> Answers:
        """Answer in numbers alone: with `measure` the path for a million rows; bit for bit what `predict` says.

        Parameters
        ----------
        batches : sequence of str, optional
            The batch of each sample, instead of `Use.batch`.
        """
        limits = self.about.answers
        asked = Limits(limits.level, limits.max_wrong, limits.novelty_alpha, self.panel.min_coverage)
        found = self.blend.judge(
            measured.log_odds.transpose(1, 0, 2), measured.residuals, measured.coverage, use, asked, batches
        )
        if not self.layers:
            return found
        codes, layers = np.unique(set_codes(measured.layers), return_inverse=True)
        sets = tuple(";".join(named(code, self.layers)) for code in codes.tolist())
        return replace(found, layers=layers, layer_sets=sets)

    def check(self) -> float:
        """Compare the compiled scorer with the fitted parts on golden, random and NaN-bearing rows.

        Gives the largest difference of any probability; one above 1e-6 is a ModelError.
        """
        rng = np.random.default_rng(20)
        shuffled = rng.permuted(self.golden, axis=0)
        holes = np.where(rng.random(self.golden.shape) < 0.3, np.nan, shuffled)
        rows = [("golden rows", self.golden), ("random rows", shuffled), ("rows with missing values", holes)]
        if isinstance(self.blend, LayeredBlend):
            rows += [("rows without a layer", _without(self.golden, columns)) for columns in self.blend.columns()]
        return max(check_parity(self.blend, self.compiled, X, what) for what, X in rows)

    def golden_probabilities(self) -> Floats:
        """Probabilities of the golden profiles in some batch that was trained on; shape (n_golden, n_states)."""
        return self.judge(self.measure(self.golden), Use(same_batch=True)).probabilities

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the folder, whole or not at all; it must not exist unless `force`.

        Raises
        ------
        FileError
            If the folder exists or cannot be written.
        ModelError
            If the compiled scorer differs from the fitted parts.
        """
        check_type(path, (str, Path), "save: path", "the path of a folder, such as models/pain")
        self.check()
        write_folder_atomically(Path(path), self._write, force=force)

    def _write(self, folder: Path) -> None:
        tree, arrays = pack(self.blend)
        known = {} if self.trained_on is None else self.trained_on.arrays()
        described = {**self.about.to_json(), "panel": self.panel.described(), "fitted": tree}
        arrays |= {"panel.weight": self.panel.weight, **known}
        fill_folder(
            folder, described=described, arrays=arrays, golden=golden_table(self), card=self.card, report=self.report,
            aside=self.aside,
        )  # fmt: skip

    @classmethod
    def load(cls, path: str | Path, *, verify: bool = False) -> ModelBundle:
        """Read a folder; every file's sha256 is checked before it is opened.

        Parameters
        ----------
        verify : bool
            Also demand that the golden profiles get the answers they got when the model was made.

        Raises
        ------
        ModelError
            If the folder is not a model, of another format, incomplete or changed, or does not give its own answers.
        """
        check_type(path, (str, Path), "load: path", "the path of a model's folder")
        with only_refusals(Path(path).name):
            return cls._read(read_folder(Path(path)), verify=verify)

    @classmethod
    def _read(cls, parts: ModelParts, *, verify: bool) -> ModelBundle:
        blend = _blend_of(parts)
        panel = LayeredPanel.read(parts.described["panel"], parts.arrays["panel.weight"])
        profiles = numbers(parts.golden[list(panel.molecules)])
        about = About.model_validate(parts.described)
        bundle = cls(
            blend, panel, about, profiles, parts.card, TrainedOn.read(parts.arrays), report=parts.report, aside=parts.aside
        )  # fmt: skip
        bundle.check()
        if verify:
            demand(bundle, parts.golden)
        return bundle


def _table_for(panel: Panel, table: Table) -> CargoTable:
    """Take a frame for a table of what the panel reads."""
    if isinstance(table, pd.DataFrame):
        if isinstance(panel, LayeredPanel):
            panel.refuse_single("the frame")
        return CargoTable.from_frame(table, kind=panel.kind, unit=panel.unit, not_detected=panel.not_detected)
    check_type(table, CargoTable, "predict: table", "a CargoTable, or a DataFrame with molecules in columns")
    return table


def _without(X: Floats, columns: slice) -> Floats:
    lacking = X.copy()
    lacking[:, columns] = np.nan
    return lacking


def _blend_of(parts: ModelParts) -> Blend:
    fitted = unpack(parts.described["fitted"], parts.arrays, first=parts.format == 1)
    if isinstance(fitted, Blend):
        return fitted
    training = parts.described["training"]
    return brought_forward(fitted, tested_across_batches=training["tested_across_batches"], batches=training["batches"])
