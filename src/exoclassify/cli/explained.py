"""What `exoclassify score` says of its answers, and what `--explain N` writes beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exoclassify.cli.outputs import check_file

if TYPE_CHECKING:
    from pandas import DataFrame

    from exoclassify.model.bundle import ModelBundle
    from exoclassify.scoring.finishing import Report, Tally
    from exoclassify.scoring.stream import Asked

__all__ = ["check_explained", "explained_path", "missed", "summary", "write_explained"]


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


def summary(bundle: ModelBundle, tally: Tally, stated: Mapping[str, float] | None) -> list[str]:
    """Say how many samples got which call, why the others are uncertain, and at which prevalence."""
    lines = [f"{tally.n} samples scored with {bundle.name} {bundle.version}"]
    lines += [f"  {state:<20} {tally.calls[state]:5d}" for state in tally.states]
    lines += [f"  {'uncertain':<20} {tally.calls['uncertain']:5d}", *_reasons(tally)]
    lines += (
        [f"answered as from: {', '.join(f'{place} ({n})' for place, n in sorted(tally.places.items()))}"]
        if tally.n
        else []
    )
    if tally.n:
        lines.append(f"mean coverage of the panel: {tally.coverage / tally.n:.2f}")
    return [*lines, _mix(bundle, stated)]


def _reasons(tally: Tally) -> list[str]:
    from exoclassify.model.answers import REASONS

    lines = [f"    {flag:<18} {n:5d}  {REASONS[flag]}" for flag, n in tally.reasons.most_common() if n]
    if sum(tally.reasons.values()) > tally.calls["uncertain"]:
        lines.append("    (a sample can have several reasons)")
    return lines


def missed(report: Report) -> list[str]:
    """Say what has no answer, and where that is told row by row."""
    lines = []
    if report.left_out:
        from exoclassify.errors import first_three

        lines.append(
            f"left out, no tables by their ending: {len(report.left_out)} files ({first_three(report.left_out)})"
        )
    if report.n_rejected:
        rows = "1 row has" if report.n_rejected == 1 else f"{report.n_rejected} rows have"
        lines.append(f"{rows} no answer")
    lines += [f"not read, or not to its end: {reason}" for reason in report.broken]
    if report.rejected is not None:
        lines.append(f"each is named with its reason in {report.rejected}")
    return lines


def _mix(bundle: ModelBundle, stated: Mapping[str, float] | None) -> str:
    from exoclassify.model.prediction import shifted_prevalence

    training = bundle.blend.prevalence
    here = shifted_prevalence(bundle.states, training, stated)
    if here is None:
        mix = ", ".join(f"{state} {p:.2f}" for state, p in zip(bundle.states, training, strict=True))
        return f"probabilities hold at the mix of training ({mix}); --prevalence shifts them to the place of use"
    mix = ", ".join(
        f"{state} {p:.3g} (training {was:.2f})" for state, p, was in zip(bundle.states, here, training, strict=True)
    )
    return f"probabilities were shifted to the prevalence stated: {mix}; prediction sets were not"
