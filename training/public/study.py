"""Audit, train and search one public table, or all, and print the row of docs/public-data.md; no counts, no models are kept.

python training/public/study.py FOLDER [--only ACCESSION]
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from exoclassify.auditing.audit import audit
from exoclassify.cli.doors import doors
from exoclassify.data.cohort import Cohort
from exoclassify.discovery.discover import discover
from exoclassify.errors import DesignError, FileError
from exoclassify.learning.recipe import Recipe
from exoclassify.lifecycle.fit import fit

HERE = Path(__file__).resolve().parent


def main(
    data: Annotated[Path, typer.Argument(help="Folder with one folder an accession: X.csv or X.csv.gz, and y.csv.")],
    only: Annotated[str | None, typer.Option(help="One accession.")] = None,
) -> None:
    """Print one row a table."""
    listed = tomllib.loads((HERE / "tables.toml").read_text(encoding="utf-8"))["table"]
    with doors():
        print("| table | samples | AUC within folds | log-loss (guessing) | markers | verdict | needed |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for entry in listed:
            if only in (None, entry["accession"]):
                print(studied(entry, data), flush=True)


def studied(entry: Mapping[str, Any], data: Path) -> str:
    """Give the row of one table."""
    folder = data / entry["accession"]
    found = [path for path in (folder / "X.csv", folder / "X.csv.gz") if path.is_file()]
    if not found:
        raise FileError(f"{folder}: holds neither X.csv nor X.csv.gz; fetch the counts of {entry['accession']}")
    wanted = entry.get("sha256")
    digest = hashlib.sha256(found[0].read_bytes()).hexdigest()
    if wanted not in (None, digest):
        raise FileError(f"{found[0]}: its sha256 is {digest}, expected {wanted}; fetch the table of that version")
    cohort = Cohort.read(
        found[0], kind="mirna", unit="counts", samples=folder / "y.csv", label=entry["label"], batch=entry.get("batch")
    )
    verdict = audit(cohort, curve=False).verdict
    states = ", ".join(f"{(cohort.y == state).sum()} {state}" for state in cohort.states)
    name = f"{entry['name']} ({entry['accession']})"
    try:
        markers = str(len(discover(cohort, state=_patients(cohort), panel=False).markers))
    except DesignError:
        markers = "too few"
    return f"| {name} | {states} | {_judged(cohort)} | {markers} | {verdict} | {entry['needed']} |"


def _patients(cohort: Cohort) -> str:
    return next(state for state in cohort.states if "ealthy" not in state and state != "control")


def _judged(cohort: Cohort) -> str:
    """AUC with its interval, and log-loss beside that of guessing, by the worse of the judgements that the data allow."""
    try:
        evaluation = fit(cohort, Recipe.read(HERE / "recipe.toml"), n_jobs=1).evaluation
    except DesignError as error:
        return f"refused: {str(error).split(';')[0]} | –"
    assert evaluation is not None
    told = []
    for found, word in ((evaluation.cross_validation, "within"), (evaluation.leave_one_batch_out, "batches left out")):
        if found is not None:
            told.append((f"{found.figures.auc.told(2)} {word}", found.figures.log_loss.value))
    shares = np.array([(cohort.y == state).mean() for state in cohort.states])
    guessing = float(-(shares * np.log(shares)).sum())
    losses = ", ".join(f"{loss:.2f}" for _, loss in told)
    return f"{'; '.join(text for text, _ in told)} | {losses} ({guessing:.2f})"


if __name__ == "__main__":
    typer.run(main)
