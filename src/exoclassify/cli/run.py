"""exoclassify run: audit, model and markers of one study, with a page that leads to them."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exoclassify.cli import options as opt
from exoclassify.cli.audit import audit
from exoclassify.cli.discover import discover
from exoclassify.cli.train import train

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exoclassify.data.study import Study
    from exoclassify.model.about import About

__all__ = ["run"]

_PAGES = {
    "Audit": ("audit.html", "what could explain the result without biology"),
    "Model": ("model.html", "how good the model is, with every figure"),
    "Predictions": ("predictions.csv", "every out-of-fold answer, with your sample ids"),
}


def run(
    study: Annotated[Path, typer.Argument(help="Study file, as exoclassify init writes it.")],
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    jobs: opt.Jobs = -1,
    force: opt.Force = False,
) -> None:
    """Audit, train, judge and find the markers of one study.

    index.html says what came of it. The same as `audit`, `train` and `discover` with the study file, each with its usual
    choices. With more than two states the markers of each are sought, in a folder of its own.
    """
    from exoclassify.data.study import Study
    from exoclassify.errors import FileError
    from exoclassify.model.bundle import ModelBundle
    from exoclassify.tables.writing import write_text_atomically

    said = Study.read(study)
    if out.exists() and not (force and out.is_dir()):
        raise FileError(f"{out}: is there already; give --force to replace what an earlier run wrote in it")
    out.mkdir(parents=True, exist_ok=True)
    options = _options(said)
    audit(**options, report=out / "audit.html", jobs=jobs, force=force)
    train(
        **options, out=out / "model", predictions=out / "predictions.csv", report=out / "model.html", jobs=jobs, force=force
    )  # fmt: skip
    about = ModelBundle.load(out / "model").about
    sought = _sought(about.states, said.reference)
    for folder, state in sought.items():
        discover(**options, out=out / folder, state=state, reference=said.reference, force=force)
    pages = {**_PAGES, **{
        f"Markers of {state}" if state else "Markers": (f"{folder}/report.html", "which molecules mark the state")
        for folder, state in sought.items()
    }}  # fmt: skip
    text = _index(about, study.name, pages)
    write_text_atomically(out / "index.html", text, force=force)
    print(f"all of it, to read: {out / 'index.html'}")


def _sought(states: Sequence[str], reference: str | None) -> dict[str, str | None]:
    """Give the states whose markers are sought, by the folder they are written to; of two states, `discover` chooses."""
    if len(states) == 2:
        return {"markers": None}
    return {f"markers-{re.sub(r'[^A-Za-z0-9._-]+', '-', state)}": state for state in states if state != reference}


def _options(study: Study) -> dict[str, Any]:
    return {
        "cargo": Path(study.cargo) if study.cargo else None, "kind": study.kind or None, "unit": study.unit or None,
        "layer": [f"{one.name}={one.cargo}:{one.kind}:{one.unit}" for one in study.layers],
        "samples": Path(study.samples), "label": study.label,
        "subject": study.subject, "batch": study.batch, "covariates": ",".join(study.covariates) or None,
        "not_detected": study.not_detected, "form": study.format, "columns": study.columns, "sheet": study.sheet,
        "id_column": study.id_column,
    }  # fmt: skip


def _index(about: About, source: str, pages: Mapping[str, tuple[str, str]]) -> str:
    """Give the page: the verdict on the model, word for word as its report has it, then where the rest is."""
    from exoclassify.report.html import Section, page
    from exoclassify.report.verdict import lead_of_model

    sections = [Section("The study", f"{about.training.mix} ({source}).", notes=tuple(about.training.notes))]
    text = page(
        "One study: audit, model and markers",
        sections,
        lead=lead_of_model(about),
        footer="Support for a decision, not a diagnosis.",
    )
    links = "".join(f'<li><a href="{place}">{escape(name)}</a>: {told}</li>' for name, (place, told) in pages.items())
    return text.replace("</main>", f"<section><h2>The pages</h2><ul>{links}</ul></section></main>", 1)
