"""The markers of a pain state, with an error bound, and what the literature says of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from exoclassify.auditing.audit import audit
from exoclassify.auditing.following import following
from exoclassify.data.cohort import Cohort, cohort_of
from exoclassify.discovery.contrast import Contrast
from exoclassify.discovery.marker_tests import MarkerTests, Measured
from exoclassify.discovery.panel_size import PanelCurve, panel_curve, ranked
from exoclassify.discovery.signature import Signature
from exoclassify.discovery.stability import Stability, stability_selection
from exoclassify.evidence.agreement import standing
from exoclassify.evidence.blood_cells import blood_cells
from exoclassify.evidence.catalogue import Catalogue
from exoclassify.evidence.fingerprints import Fingerprints
from exoclassify.evidence.priors import Prior
from exoclassify.evidence.reanalysis import Reanalysis, told_in_tables
from exoclassify.typing import Floats

__all__ = ["discover", "discover_layers", "tables_of_others"]


def discover(
    cohort: Cohort | str | Path,
    *,
    state: str | None = None,
    reference: Sequence[str] = (),
    covariates: Sequence[str] = (),
    catalogue: Catalogue | None = None,
    condition: str | None = None,
    prior: Prior | None = None,
    level: float = 0.1,
    min_prevalence: float = 0.2,
    panel: bool = True,
    paired: bool = False,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    beside: Sequence[float] | Floats = (),
) -> Signature:
    """Find the molecules that mark a state.

    Parameters
    ----------
    cohort : Cohort or path
        One layer of cargo, labels, and where known subjects and batches; of several see `discover_layers`.
        Or the path of its study file, whose covariates and reference hold where none are given.
    state, reference, covariates
        See `Contrast.of`.
    catalogue : Catalogue, optional
        What is published; the project's own if omitted.
    condition : str, optional
        The condition studied, as `Catalogue.condition` finds it; without it every known marker is known elsewhere.
    prior : Prior, optional
        What is known beforehand, by which tests are weighed; all alike if omitted.
    level : float
        Largest share of false markers, above 0 and at most 0.5.
    min_prevalence : float
        Least share of the samples in which a molecule is found.
    panel : bool
        Also look for the smallest panel, which takes most of the time.
    paired : bool
        Find what changes within a person between two visits: every subject of the cohort has one sample of each state, as
        `exoclassify.data.visits.before_and_after` gives them. No panel is then sought.
    seed : int
        Of all chance; the same seed gives the same signature.
    progress : callable, optional
        Called with steps done and steps in all, of the panel.
    beside : sequence of float
        p of tests of other layers, over which q-values are taken too; see `discover_layers`.

    Raises
    ------
    DesignError
        If the samples are too few, or the design cannot be estimated.
    InputError
        If a state, covariate or condition is unknown, or a covariate lacks values.
    """
    cohort, study = cohort_of(cohort, "discover: cohort")
    covariates = covariates or (study.covariates if study else ())
    reference = reference or ((study.reference,) if study and study.reference else ())
    catalogue = Catalogue.read() if catalogue is None else catalogue
    conditions = () if condition is None else catalogue.condition(condition)
    contrast = Contrast.of(cohort, state=state, reference=reference, covariates=covariates, within=paired)
    with threadpool_limits(limits=1):  # many small products: more threads only wait for each other
        measured = Measured.of(contrast, min_prevalence=min_prevalence)
        tests = MarkerTests.of(contrast, measured)
        weights = None if prior is None else prior.weights(measured.molecules, tests.p)
        if weights is not None or len(beside):
            tests = tests.weighed(np.ones(len(tests.p)) if weights is None else weights, beside)
        stable = stability_selection(
            measured.units(contrast), level=level, allowed=tests.q <= level, weights=weights, seed=seed
        )
        curve = None
        if panel and not paired and stable.selected.any():
            curve = panel_curve(contrast, largest=int(stable.selected.sum()), seed=seed, progress=progress)
    chosen, references = _panel(contrast, measured, stable, curve)
    ways = {1: "up", -1: "down", 0: ""}
    standings, marks, in_tables, public = {}, {}, {}, tables_of_others(cohort)
    for i in stable.selected.nonzero()[0]:
        name = measured.molecules[i]
        standings[name] = standing(catalogue.of(name), ways[int(tests.direction[i])], conditions)
        if contrast.cohort.cargo.kind == "mirna":
            in_tables[name] = told_in_tables(public.of(name))
            if blood_cells(name):
                marks[name] = blood_cells(name)
    found = audit(contrast.cohort, covariates=covariates, curve=False, seed=seed)
    return Signature(
        contrast,
        measured,
        tests,
        stable,
        level,
        curve,
        chosen,
        references,
        standings,
        marks,
        in_tables,
        weights,
        cohort.digest(),
        found.to_dict(),
        following(found, contrast.cohort, tuple(standings)),
    )


def discover_layers(
    cohort: Cohort, *, state: str | None = None, reference: Sequence[str] = (), covariates: Sequence[str] = (),
    min_prevalence: float = 0.2, **options: Any,
) -> dict[str, Signature]:  # fmt: skip
    """Find the molecules that mark a state in each of several layers, q-values taken over all of them.

    Parameters
    ----------
    cohort : Cohort
        With several layers; each is tested on the samples that have it.
    state, reference, covariates, min_prevalence, **options
        As for `discover`; no panel is sought, which is of one table.
    """
    alone = {name: cohort.of_layer(name) for name in cohort.layers}
    p = {}
    for name, layer in alone.items():
        contrast = Contrast.of(layer, state=state, reference=reference, covariates=covariates)
        with threadpool_limits(limits=1):
            p[name] = MarkerTests.of(contrast, Measured.of(contrast, min_prevalence=min_prevalence)).p
    return {
        name: discover(
            layer, state=state, reference=reference, covariates=covariates, min_prevalence=min_prevalence, panel=False,
            beside=np.concatenate([p[other] for other in alone if other != name]), **options,
        )
        for name, layer in alone.items()
    }  # fmt: skip


def tables_of_others(cohort: Cohort, leave_out: Sequence[str] = ()) -> Reanalysis:
    """Give the public tables that are not the cohort itself."""
    whole = Reanalysis.read()
    known = {table.accession for table in whole.tables}
    own = {one.accession for one in Fingerprints.read().recognise(cohort.cargo)} & known
    return whole.without([*leave_out, *own])


def _panel(
    contrast: Contrast, measured: Measured, stable: Stability, curve: PanelCurve | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Take the strongest markers of the signature, as many as the curve says, and the references."""
    if curve is None:
        return (), ()
    molecules = contrast.cohort.cargo.molecules
    order, references = ranked(contrast)
    selected = {measured.molecules[i] for i in stable.selected.nonzero()[0]}
    yardsticks = tuple(molecules[i] for i in references if molecules[i] not in selected)
    markers = [molecules[i] for i in order if molecules[i] in selected]
    return tuple(markers[: curve.chosen]), yardsticks
