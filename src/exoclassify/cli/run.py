"""exoclassify run: audit, model and markers of one study, with a page that leads to them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from exoclassify.cli.audit import audit
from exoclassify.cli.discover import discover
from exoclassify.cli.train import train

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exoclassify.data.study import Study

__all__ = ["run"]

_PAGES = {"audit": "audit.html", "model": "model.html", "markers": "markers/report.html"}


def run(
    study: Annotated[Path, typer.Argument(help="Study file, as exoclassify init writes it.")],
    out: Annotated[Path, typer.Option(help="Folder to write to.")],
    jobs: Annotated[int, typer.Option(help="Processes at once, -1 for all cores; the result is the same.")] = -1,
    force: Annotated[bool, typer.Option("--force", help="Replace what an earlier run wrote there.")] = False,
) -> None:
    """Audit a study, train and judge a model of it, and find its markers; index.html says what came of it.

    The same as `audit`, `train` and `discover` with the study file, each with its usual choices.
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
    audit(**options, report=out / _PAGES["audit"], jobs=jobs, force=force)
    train(
        **options, out=out / "model", predictions=out / "predictions.csv", report=out / _PAGES["model"], jobs=jobs, force=force
    )  # fmt: skip
    discover(**options, out=out / "markers", reference=said.reference, force=force)
    text = _index(ModelBundle.load(out / "model").about, study.name)
    write_text_atomically(out / "index.html", text, force=force)
    print(f"all of it, to read: {out / 'index.html'}")


def _options(study: Study) -> dict[str, Any]:
    return {
        "cargo": Path(study.cargo) if study.cargo else None, "kind": study.kind or None, "unit": study.unit or None,
        "layer": [f"{one.name}={one.cargo}:{one.kind}:{one.unit}" for one in study.layers],
        "samples": Path(study.samples), "label": study.label,
        "subject": study.subject, "batch": study.batch, "covariates": ",".join(study.covariates) or None,
        "not_detected": study.not_detected, "form": study.format, "columns": study.columns, "sheet": study.sheet,
        "id_column": study.id_column,
    }  # fmt: skip


def _index(about: Mapping[str, Any], source: str) -> str:
    """Give the page: the verdict on the model, word for word as its report has it, then where the rest is."""
    from exoclassify.report.html import Section, page
    from exoclassify.report.verdict import lead_of_model

    counts = ", ".join(f"{n} {state}" for state, n in about["training"]["samples"].items())
    sections = [Section("The study", f"{counts}, as {source} says.", notes=tuple(about["training"]["notes"]))]
    text = page(
        "One study: audit, model and markers",
        sections,
        lead=lead_of_model(about),
        footer="Support for a decision, not a diagnosis.",
    )
    told = {"audit": "what could explain the result without biology", "model": "how good the model is, with every figure",
            "markers": "which molecules mark the state"}  # fmt: skip
    links = "".join(
        f'<li><a href="{place}">{name.capitalize()}</a>: {told[name]}</li>' for name, place in _PAGES.items()
    )
    links += '<li><a href="predictions.csv">Predictions</a>: every out-of-fold answer, with your sample ids</li>'
    return text.replace("</main>", f"<section><h2>Pages</h2><ul>{links}</ul></section></main>", 1)
