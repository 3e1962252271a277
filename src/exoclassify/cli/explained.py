"""What `exoclassify score --explain N` writes beside the predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exoclassify.cli.outputs import check_file

if TYPE_CHECKING:
    from pandas import DataFrame

    from exoclassify.model.bundle import ModelBundle
    from exoclassify.scoring.finishing import Report
    from exoclassify.scoring.stream import Asked

__all__ = ["check_explained", "explained_path", "write_explained"]


def explained_path(out: Path) -> Path:
    """Name the file of explanations: predictions.csv has predictions.explained.csv beside it."""
    return out.with_name(f"{out.name.removesuffix('.gz').rsplit('.', 1)[0]}.explained.csv")


def check_explained(out: Path, n: int | None, *, force: bool, inputs: Sequence[Path]) -> None:
    """Refuse a number of molecules, or a file, before any work is done."""
    if n is None:
        return
    from exoclassify.errors import InputError

    if n < 1:
        raise InputError(f"--explain: {n} molecules explain nothing; ask for 1 or more")
    check_file(explained_path(out), force=force, inputs=inputs)


def write_explained(
    bundle: ModelBundle, given: Sequence[str], asked: Asked, report: Report, n: int, *, force: bool
) -> list[str]:
    """Write the molecules that moved each answer.

    Returns
    -------
    list of str
        Lines for the reader: the first sample's explanation, and where the rest is.
    """
    from exoclassify.scoring.finishing import rejected_rows
    from exoclassify.scoring.stream import explained_files
    from exoclassify.tables.encoding import guarded_frame
    from exoclassify.tables.writing import write_atomically

    path, without = explained_path(report.out), {row["sample_id"] for row in rejected_rows(report)}
    first: list[DataFrame] = []

    def write(partial: Path) -> None:
        with partial.open("w", encoding="utf-8", newline="") as file:
            for frame in explained_files(bundle, given, asked, n, without):
                guarded_frame(frame).to_csv(file, index=False, header=not first)
                if not first:
                    first.append(frame.iloc[:n])

    write_atomically(path, write, force=force)
    told = _first(first[0]) if first else []
    return [*told, f"what moved every answer, in log-odds, is in {path}"]


def _first(whole: DataFrame) -> list[str]:
    if whole.empty:
        return []
    sample = whole["sample_id"].iloc[0]
    rows = whole[whole["sample_id"] == sample]
    lines = [f"what moved {sample} towards {rows['state'].iloc[0]} (+) or away from it (−), in log-odds:"]
    for row in rows.to_dict("records"):
        value = "not measured" if row["value"] != row["value"] else f"{row['value']:g}"
        told = f"  {row['published']}" if row["published"] else ""
        lines.append(f"  {row['log_odds']:+.2f}  {row['molecule']} ({value}){told}")
    return lines
