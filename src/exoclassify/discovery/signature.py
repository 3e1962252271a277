"""The markers of a state, with what is known of each and how sure it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exoclassify.discovery.contrast import Contrast
from exoclassify.discovery.marker_tests import MarkerTests, Measured
from exoclassify.discovery.panel_size import PanelCurve
from exoclassify.discovery.stability import FIRM, Stability
from exoclassify.evidence.agreement import Standing
from exoclassify.typing import Codes

__all__ = ["Signature"]


_TECHNICAL = 0.7
"""AUC of depth or detection alone from which it is told; two public cohorts have 0.81 and 0.89."""


@dataclass(frozen=True, eq=False)
class Signature:
    """What `discover` found.

    Parameters
    ----------
    contrast : Contrast
        Which samples were compared.
    measured : Measured
        Their cargo on the scale of the tests.
    tests : MarkerTests
        Of every molecule.
    stability : Stability
        What was selected.
    level : float
        Largest share of false markers that was asked for.
    curve : PanelCurve or None
        Performance by panel size; None when nothing was selected, or it was not asked for.
    panel, references : tuple of str
        The smallest panel: its markers, and the stable molecules they are compared with; empty without a curve.
    standings : mapping of str to Standing
        How each marker stands to the catalogue.
    marks : mapping of str to str
        haemolysis or platelets, for the markers that are known to follow them.
    in_tables : mapping of str to str
        What public tables say of each marker; empty where none holds it.
    weights : ndarray of shape (n_molecules,) or None
        Of the tests, by what was known beforehand; None when all were alike.
    chosen_on : str
        sha256 of the cohort.
    audit : mapping
        Of the samples compared, as `Audit.to_dict` gives it.
    follows : mapping of str to str
        What a marker follows of that which the audit found critical.
    """

    contrast: Contrast
    measured: Measured
    tests: MarkerTests
    stability: Stability
    level: float
    curve: PanelCurve | None
    panel: tuple[str, ...]
    references: tuple[str, ...]
    standings: dict[str, Standing]
    marks: dict[str, str]
    in_tables: dict[str, str]
    weights: NDArray[np.float64] | None
    chosen_on: str
    audit: Mapping[str, Any]
    follows: Mapping[str, str]

    @property
    def order(self) -> Codes:
        """Positions of the markers among the tested molecules, the most stable first, last those half of the batches deny."""
        chosen = np.flatnonzero(self.stability.selected)
        same, known = (counts[chosen] for counts in self.tests.agreeing)
        doubtful = (known > 1) & (2 * same <= known)
        return chosen[np.lexsort((self.tests.p[chosen], -self.stability.score[chosen], doubtful))]

    @property
    def critical(self) -> bool:
        """Whether the audit found something critical."""
        return any(finding["severity"] == "critical" for finding in self.audit["findings"])

    @property
    def markers(self) -> tuple[str, ...]:
        """Names of the markers, the most stable first."""
        return tuple(self.measured.molecules[i] for i in self.order)

    def frame(self) -> pd.DataFrame:
        """Give one row a marker, the first column ``molecule``; no row when nothing was selected."""
        table = self.everything().set_index("molecule").loc[list(self.markers)].reset_index()
        found = [self.standings[name] for name in self.markers]
        table["evidence"] = [standing.word for standing in found]
        table["evidence_text"] = [standing.sentence for standing in found]
        table["references"] = ["; ".join(standing.references) for standing in found]
        table["public_tables"] = [self.in_tables.get(name, "") for name in self.markers]
        table["blood_cells"] = [self.marks.get(name, "") for name in self.markers]
        table["follows"] = [self.follows.get(name, "") for name in self.markers]
        table["in_panel"] = [name in self.panel for name in self.markers]
        return table.drop(columns="selected")

    def everything(self) -> pd.DataFrame:
        """Give one row for each molecule tested."""
        tests, stable = self.tests, self.stability
        same, known = tests.agreeing
        words = {1: "up", -1: "down", 0: ""}
        return pd.DataFrame(
            {
                "molecule": self.measured.molecules,
                "direction": [words[int(sign)] for sign in tests.direction],
                "log2_fold_change": tests.abundance.effect,
                "low": tests.abundance.low,
                "high": tests.abundance.high,
                "p": tests.p,
                "q": tests.q,
                "p_abundance": tests.abundance.p,
                "p_detection": tests.detection.p,
                "found_in_state": tests.share_state,
                "found_in_reference": tests.share_reference,
                "stability": stable.frequency,
                "score": stable.score,
                "weight": np.ones(len(tests.p)) if self.weights is None else self.weights,
                "selected": stable.selected,
                "batches_agreeing": [f"{a}/{b}" for a, b in zip(same, known, strict=True)],
                "direction_differs": same < known,
            }
        )

    def in_words(self) -> list[str]:
        """Say what was found and how far it can be trusted, a sentence a line."""
        stable, n = self.stability, len(self.markers)
        lines = [f"CRITICAL: {self.audit['verdict']}"] if self.critical else []
        lines += self._compared()
        if not n:
            passing = int((self.tests.q <= self.level).sum())
            lines.append(
                f"No marker: nothing stands out from decoys at {self.level:.0%}, or shuffled labels do as well too often "
                f"({stable.chance:.0%} of the time). By Benjamini–Hochberg alone {passing} would pass."
            )
            return lines
        lines.append(
            f"{n} marker{'s' * (n > 1)}, each allowed by decoys and by Benjamini–Hochberg at {self.level:.0%}. Decoys put the "
            f"share of false ones at {stable.false_share:.1%}; shuffled labels do as well in {stable.chance:.1%} of the tries."
        )
        firm = int((stable.frequency[stable.selected] >= FIRM).sum())
        if firm > 1:
            lines.append(
                f"{firm} of them are among the {stable.depth} strongest in {FIRM:.0%} of the halves of the cohort or more; by "
                f"luck {stable.bound:.1f} at most can be expected there, whatever the data."
            )
        return lines + self._doubted() + self._of_panel()

    def _compared(self) -> list[str]:
        """Say what was compared, by which design and weights, and what else separates the samples."""
        contrast, counts = self.contrast, np.bincount(self.contrast.y, minlength=2)
        design = f"the design holds {', '.join(contrast.columns)}"
        if contrast.within:
            design += ", and a level for every person: only what changes within a person counts"
        elif contrast.repeated:
            design += f", and a correlation of {self.measured.correlation:.2f} within subjects"
        lines = [
            f"{contrast.state} ({counts[1]} samples) against {' and '.join(contrast.reference)} ({counts[0]}): "
            f"{len(self.measured.molecules)} of {contrast.cohort.cargo.n_molecules} molecules were found often enough to be "
            f"tested; {design}."
        ]
        technical = [
            f"the {k} alone separates them with an AUC of {v:.2f}"
            for k, v in self.measured.technical.items()
            if v >= _TECHNICAL
        ]
        if technical:
            lines.append(
                f"Beware: {', and '.join(technical)}. What goes with the depth or quality of a sample then looks like a marker: "
                "compare samples of equal depth, or confirm in a cohort where it does not differ."
            )
        if self.weights is None:
            return lines
        top, low = self.weights.max(), self.weights.min()
        lines.append(
            f"Tests were weighed by claims and public tables: {int((self.weights > 1).sum())} molecules counted up to "
            f"{top:.1f} times, the others down to {low:.2f}; learned from the cohort's other molecules, so a prior that does "
            "not fit gives 1."
            if top > 1
            else "Tests were to be weighed by claims and public tables, but the molecules known are no richer in effects "
            "here: all weights are 1."
        )
        return lines

    def _doubted(self) -> list[str]:
        lines = []
        torn = int(self.frame()["direction_differs"].sum())
        if torn:
            lines.append(f"{torn} of them go the other way in some batch: doubt these first.")
        if self.marks:
            named = ", ".join(self.marks)
            lines.append(
                f"{len(self.marks)} of them follow haemolysis or platelets ({named}): check how the blood was drawn and spun."
            )
        if self.follows:
            named = ", ".join(list(self.follows)[:5]) + (", …" if len(self.follows) > 5 else "")
            lines.append(
                f"{len(self.follows)} of them follow what the audit found critical and mark that as well as the state ({named})."
            )
        return lines

    def _of_panel(self) -> list[str]:
        if self.curve is None:
            return []
        at, (low, high) = self.curve.sizes.index(self.curve.chosen), self.curve.interval
        return [
            f"The smallest panel within one standard error of the best has {len(self.panel)} markers and "
            f"{len(self.references)} references: AUC {self.curve.auc[at]:.2f}; the whole procedure, judged by nested "
            f"cross-validation, {self.curve.honest_auc:.2f} ({low:.2f} to {high:.2f})."
        ]

    def recipe(self) -> str:
        """Write a recipe in TOML that trains on exactly the panel.

        Empty when there is no panel.
        """
        if not self.panel:
            return ""
        names = [*self.panel, *self.references]
        return (
            f"# Trains on exactly the panel that marks {_plain(self.contrast.state)} against "
            f"{_plain(' and '.join(self.contrast.reference))}: {len(self.panel)} markers, then\n"
            f"# {len(self.references)} stable molecules to compare them with. Keys left out are those of the default recipe.\n\n"
            "[panel]\n"
            f"molecules = [\n{_listed(names)}]\n"
            "# The cohort that they were chosen on: a model trained on it is judged too well, and its card says so.\n"
            f'chosen_on = "{self.chosen_on}"\n'
            "min_prevalence = 0.0\n"
        )


def _plain(text: str) -> str:
    """Keep a label inside its comment."""
    return " ".join(text.split())


def _listed(names: Sequence[str]) -> str:
    return "".join(f"    {json.dumps(name, ensure_ascii=False)},\n" for name in names)
