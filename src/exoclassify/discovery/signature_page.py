"""The section of a report that shows a signature: what was found, and how sure it is."""

from __future__ import annotations

from html import escape

import numpy as np

from exoclassify.discovery.panel_size import PanelCurve
from exoclassify.discovery.signature import Signature
from exoclassify.evidence.agreement import STANDINGS
from exoclassify.report.audit import audit_section
from exoclassify.report.html import Cell, Figure, Lead, Section, Table
from exoclassify.report.plots import Axis, Series, curves

__all__ = ["discovery_lead", "discovery_sections"]


_MOST = 40
"""Rows of the heatmap."""


def discovery_sections(signature: Signature) -> list[Section]:
    """Show a signature as the sections of a report.

    The findings, the markers one by one, and the panel where there is one.
    """
    found = bool(signature.markers)
    figures = [_volcano(signature), _paths(signature)] + ([_heatmap(signature)] if found else [])
    sections = [Section("Markers", "\n\n".join(signature.in_words()), figures, notes=_methods(signature))]
    if signature.critical:
        sections.insert(0, audit_section(signature.audit))
    if found:
        sections.append(_one_by_one(signature))
    if signature.curve is not None:
        sections.append(_panel(signature, signature.curve))
    return sections


def discovery_lead(signature: Signature) -> Lead:
    """Give the first screen: how many markers, whether they can be trusted, and what to do next."""
    n, contrast = len(signature.markers), signature.contrast
    against = f"{contrast.state} against {' and '.join(contrast.reference)}"
    best = ", ".join(signature.measured.molecules[i] for i in signature.order[:3])
    words = signature.in_words()
    if signature.critical:
        steps = [f"{f['mend']}." for f in signature.audit["findings"] if f["severity"] == "critical" and f["mend"]]
        verdict = f"What is found for {against} is not evidence of biology: the audit has critical findings."
        return Lead("critical", verdict, steps=steps[:3], details=[words[0]])
    if not n:
        steps = ["Add samples, or test fewer molecules (--min-prevalence); an underpowered cohort finds nothing."]
        return Lead(
            "warning", f"No marker of {against} was found that decoys would not give.", steps=steps, sign="No marker"
        )
    counted = "1 marker" if n == 1 else f"{n} markers"
    steps = ["Confirm them in another cohort: a marker of one cohort is a hypothesis."]
    if signature.panel:
        steps.append(f"Train on the panel of {len(signature.panel)}: exoclassify train --recipe recipe.toml")
    return Lead("good", f"{counted} of {against}, the most stable {best}.", steps=steps, sign="Markers found")


def _methods(signature: Signature) -> list[str]:
    stable = signature.stability
    pairs = (
        ["Pairs: every person has a level of its own, so that an effect is a mean change within persons. Labels are shuffled, "
         "and decoys made, by exchanging the two samples of a person; halves hold whole persons."]
        if signature.contrast.within
        else []
    )  # fmt: skip
    return [
        *pairs,
        "Effects: log2 fold change by linear models with variances that borrow strength (limma; for counts with voom's precision "
        "weights), 95 % interval. Where a missing value means too little to be found, detection is tested too and both parts are "
        "joined.",
        f"Selection: the cohort is halved within batches, subjects whole; a molecule's score is its share of halves among the "
        f"{stable.depths[0]} to {stable.depths[-1]} strongest, beside decoys made by shuffling samples within batches. The level "
        "holds on average over cohorts, not in each.",
        "A marker of this cohort is a hypothesis until another cohort confirms it. The signature was chosen on these samples: "
        "effects of what was chosen are larger than they will be elsewhere.",
    ]


def _volcano(signature: Signature) -> Figure:
    tests, chosen = signature.tests, signature.stability.selected
    effect = tests.abundance.effect
    strength = -np.log10(np.maximum(tests.p, 1e-300))
    known = np.isfinite(effect)
    reach = max(1.0, float(np.ceil(np.abs(effect[known]).max(initial=1.0))))
    top = max(2.0, float(np.ceil(strength.max(initial=2.0))))
    shown = np.array([i for i in signature.order if known[i]], dtype=np.intp)
    series = [
        Series(
            "marker", effect[shown], strength[shown], dots=True, labels=[signature.measured.molecules[i] for i in shown]
        ),
        Series("other molecule", effect[known & ~chosen], strength[known & ~chosen], dots=True),
    ]
    figure = curves(
        "Effect and evidence of every molecule",
        [one for one in series if len(one.x)],
        Axis("log2 fold change", -reach, reach),
        Axis("−log10 p", 0.0, top),
        "Right: more in the state. Up: less likely by chance.",
    )
    rows = [
        (signature.measured.molecules[i], float(effect[i]), float(tests.p[i]), float(tests.q[i]))
        for i in signature.order
    ]
    table = Table(["marker", "log2 fold change", "p", "q"], rows, "The markers; molecules.csv has every molecule.")
    return Figure(figure.title, figure.svg, table, figure.caption)


def _paths(signature: Signature) -> Figure:
    stable = signature.stability
    depths = stable.depths.astype(np.float64)
    shown = list(signature.order[:5])
    series = [Series(signature.measured.molecules[i], depths, stable.paths[:, i]) for i in shown]
    rest = np.setdiff1d(np.argsort(-stable.score, kind="stable")[: 5 + _MOST], shown)
    series += [Series("next in line", depths, stable.paths[:, i], reference=True) for i in rest[:1]]
    figure = curves(
        "Stability paths of the strongest markers",
        series,
        Axis("molecules and decoys counted as strongest", 0.0, float(depths[-1])),
        Axis("share of halves", 0.0, 1.0),
        "A true marker is among the strongest in most halves, however few are counted.",
    )
    names = [signature.measured.molecules[i] for i in (signature.order if len(signature.order) else rest[:10])]
    at = {name: i for i, name in enumerate(signature.measured.molecules)}
    rows: list[tuple[Cell, ...]] = [
        (name, float(stable.score[at[name]]), float(stable.frequency[at[name]])) for name in names
    ]
    table = Table(["molecule", "score", f"share of halves among the {stable.depth} strongest"], rows)
    return Figure(figure.title, figure.svg, table, figure.caption)


def _heatmap(signature: Signature) -> Figure:
    """Draw the markers' abundance in every sample, each molecule in its own standard deviations."""
    chosen = signature.order[:_MOST]
    V = signature.measured.Y[:, chosen]
    with np.errstate(invalid="ignore"):
        Z = (V - np.nanmean(V, axis=0)) / np.maximum(np.nanstd(V, axis=0), 1e-9)
    y = signature.contrast.y
    up = (signature.tests.direction[chosen] > 0) * 2.0 - 1.0
    batches = signature.contrast.batches
    order = np.lexsort((np.nan_to_num(Z * up).mean(axis=1), batches, y))
    title = "Abundance of the markers, sample by sample"
    width, left, line = 440.0, 120.0, 13.0
    cell = (width - left - 6) / len(y)
    parts = []
    for j in range(len(chosen)):
        name = signature.measured.molecules[chosen[j]]
        short = name if len(name) <= 18 else name[:17] + "…"
        parts.append(
            f'<text class="tick" x="{left - 6}" y="{24 + line * j + 10:.1f}" text-anchor="end">{escape(short)}</text>'
        )
        for i, sample in enumerate(order):
            parts.append(_square(Z[sample, j], left + cell * i, 24 + line * j, cell, line))
    split = left + cell * int((y == 0).sum())
    bottom = 24 + line * len(chosen)
    if len(signature.contrast.batch_names) > 1:
        parts += [
            f'<rect class="dot s{int(batches[sample]) % 5 + 1}" x="{left + cell * i:.2f}" y="{bottom + 3:.1f}" '
            f'width="{cell:.2f}" '
            'height="7" stroke="none"/>'
            for i, sample in enumerate(order)
        ]
        parts.append(f'<text class="tick" x="{left - 6}" y="{bottom + 11:.1f}" text-anchor="end">batch</text>')
        bottom += 12
    parts.append(f'<line class="axis" x1="{split:.1f}" y1="16" x2="{split:.1f}" y2="{bottom:.1f}"/>')
    contrast = signature.contrast
    names = (" and ".join(contrast.reference), contrast.state)
    parts += [
        f'<text class="tick" x="{x:.1f}" y="14" text-anchor="middle">{escape(name[:24])}</text>'
        for x, name in zip(((left + split) / 2, (split + width - 6) / 2), names, strict=True)
    ]
    svg = (
        f'<svg viewBox="0 0 {width:g} {bottom + 8:g}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>'
        f"{''.join(parts)}</svg>"
    )
    rows: list[tuple[Cell, ...]] = [
        (
            signature.measured.molecules[i],
            *(float(np.nanmean(signature.measured.Y[y == k, i])) if _any(signature, k, i) else None for k in (1, 0)),
        )
        for i in chosen
    ]
    table = Table(["marker", f"mean log2 in {names[1]}", f"in {names[0]}"], rows)
    caption = "Red: more than usual of that molecule, blue: less; deep from two standard deviations. Gaps: not found."
    if len(contrast.batch_names) > 1:
        caption += f" Below: the batch of each sample ({', '.join(contrast.batch_names[:5])}), samples sorted by state and batch."
    return Figure(title, svg, table, caption)


def _any(signature: Signature, side: int, molecule: int) -> bool:
    return bool(np.isfinite(signature.measured.Y[signature.contrast.y == side, molecule]).any())


def _square(z: float, x: float, y: float, width: float, height: float) -> str:
    if not np.isfinite(z):
        return ""
    depth = min(abs(z) / 2, 1.0)
    colour = "#b2182b" if z > 0 else "#2166ac"
    return (
        f'<rect x="{x:.2f}" y="{y:.1f}" width="{width:.2f}" height="{height - 1:.1f}" fill="{colour}" '
        f'fill-opacity="{depth:.2f}"/>'
    )


def _one_by_one(signature: Signature) -> Section:
    table = signature.frame()
    rows: list[tuple[Cell, ...]] = []
    for row in table.to_dict("records"):
        low, high = row["low"], row["high"]
        marks = [str(row["blood_cells"])] if row["blood_cells"] else []
        marks += ["differs between batches"] if row["direction_differs"] else []
        marks += [f"follows {row['follows']}"] if row["follows"] else []
        rows.append(
            (
                str(row["molecule"]),
                str(row["direction"]),
                f"{row['log2_fold_change']:+.2f} ({low:+.2f} to {high:+.2f})"
                if np.isfinite(low)
                else f"found in {row['found_in_state']:.0%}, not {row['found_in_reference']:.0%}",
                f"{row['q']:.2g}",
                float(row["stability"]),
                str(row["batches_agreeing"]),
                ", ".join(marks),
                str(row["evidence"]),
                str(row["evidence_text"]),
                str(row["public_tables"]),
            )
        )
    words = table["evidence"].value_counts()
    told = "; ".join(f"{words[word]} {meaning}" for word, meaning in STANDINGS.items() if word in words)
    columns = [
        "marker",
        "",
        "log2 fold change",
        "q",
        "stability",
        "batches",
        "beware",
        "standing",
        "published",
        "public tables",
    ]
    return Section(
        "Each marker, and what is published of it",
        f"Of {len(table)} markers: {told}. Only claims on people count for this; the text names animals and cells.",
        tables=[Table(columns, rows)],
        notes=[
            "Absence from the catalogue says nothing of a molecule. Most published contrasts are a painful disease against "
            "controls, not pain against its absence."
        ],
    )


def _panel(signature: Signature, curve: PanelCurve) -> Section:
    sizes = np.array(curve.sizes, dtype=np.float64)
    low, high = (np.clip(curve.auc + side * curve.error, 0.0, 1.0) for side in (-1, 1))
    lowest = min(0.5, float(np.floor(low.min() * 10) / 10))
    figure = curves(
        "Performance by size of the panel",
        [
            Series("AUC, one standard error", sizes, curve.auc, low, high),
            Series(f"chosen: {curve.chosen}", [curve.chosen, curve.chosen], [lowest, 1.0], reference=True),
        ],
        Axis("markers in the panel", 0.0, float(sizes[-1])),
        Axis("AUC on held-out samples", lowest, 1.0),
        "The molecules are chosen anew in every fold.",
    )
    bounds = curve.interval
    return Section(
        "The smallest panel that keeps the performance",
        f"{len(signature.panel)} markers ({', '.join(signature.panel)}) and {len(signature.references)} stable molecules to "
        f"compare them with ({', '.join(signature.references) or 'none'}).\n\nJudged by nested cross-validation, the choice of "
        f"molecules and of the size included: AUC {curve.honest_auc:.2f} ({bounds[0]:.2f} to {bounds[1]:.2f}). recipe.toml "
        "trains a model on exactly these molecules; trained on this same cohort it will look better than it is.",
        [figure],
        notes=[
            "Ridge regression on the panel normalised on itself alone, as it will be in use. Batches are not left out here: "
            "train with --batch judges that."
        ],
    )
