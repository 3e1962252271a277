"""Options that several commands share, and those that hold several values in one text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from exoclassify.model.prediction import Use
    from exoclassify.tables.asked import Reading

__all__ = [
    "AsJson", "Batch", "BatchIs", "Cargo", "Columns", "DryRun", "Force", "Format", "IdColumn", "Jobs", "Kind",
    "Label", "Layers", "LayersOfModel", "Level", "MaxWrong", "ModelFolder", "ModelName", "NotDetected", "Prevalence",
    "ReportPage", "SameBatch", "Samples", "Sheet", "Site", "Subject", "Unit", "Why", "columns_of", "reading_of",
    "shares_of", "thresholds_of", "used",
]  # fmt: skip

Cargo = Annotated[
    Path | None, typer.Option(help="Table of samples and molecules: .csv, .tsv (also .gz), .parquet, .arrow, .xlsx.")
]
Kind = Annotated[str | None, typer.Option(help="What was measured: mirna, mrna, lncrna, protein or other.")]
Unit = Annotated[
    str | None,
    typer.Option(
        help="Unit of the values: counts (whole numbers), ct (cycles, 0 to 50), intensity (0 or more), log2_intensity, cpm (per "
        "million), or value (any additive scale, as arcsinh intensities or scores)."
    ),
]
NotDetected = Annotated[
    float | None, typer.Option(help="For ct: from this many cycles on, nothing was found.  [default: 40]")
]
Samples = Annotated[Path, typer.Option(help="Sample sheet, one row a sample; formats as for --cargo.")]
Label = Annotated[str, typer.Option(help="Column of the sheet that holds the state.")]
Subject = Annotated[
    str | None, typer.Option(help="Column that says which person a sample is of; needed when one gave several.")
]
Batch = Annotated[str | None, typer.Option(help="Column of the centre, run or plate; models are judged across these.")]
Jobs = Annotated[int, typer.Option(help="Processes at once, -1 for all cores; the result is the same.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Find out, and write nothing.")]
ModelFolder = Annotated[Path, typer.Argument(help="Folder of the model.")]
ModelName = Annotated[str, typer.Argument(help="Name of the model in the registry.")]
Why = Annotated[str, typer.Option(help="Kept in the history.")]

Prevalence = Annotated[
    str | None,
    typer.Option(
        help="Shares of states at the place of use, 0 to 1, as in neuropathic=0.05,inflammatory=0.1; states not named share the "
        "rest as in training.  [default: those of training, or of the site's profile]"
    ),
]
SameBatch = Annotated[
    bool,
    typer.Option("--same-batch", help="The samples are of some batch that the model was trained on, not known which."),
]
BatchIs = Annotated[
    str | None,
    typer.Option(help="Name of the batch of all samples; one that training did not know is an unknown batch."),
]
Site = Annotated[
    str | None, typer.Option(help="Name of the site, of which the model has a profile (exoclassify recalibrate).")
]
MaxWrong = Annotated[
    float | None,
    typer.Option(
        help="Share of the calls that may be wrong, expected in a batch like those left out in training.  [default: the recipe's]"
    ),
]
ReportPage = Annotated[
    Path | None,
    typer.Option(
        "--report",
        help="Write a page to read, such as report.html, and beside it report-files: figures as SVG and PNG, tables as CSV.",
    ),
]
Level = Annotated[float | None, typer.Option(help="Promised coverage of the prediction sets.  [default: the recipe's]")]


def used(
    prevalence: str | None,
    same_batch: bool,
    batch: str | None,
    site: str | None,
    max_wrong: float | None,
    level: float | None,
) -> Use:
    """Put what was said of place and certainty together."""
    from exoclassify.model.prediction import Use

    shares = None if prevalence is None else shares_of(prevalence)
    use = Use(shares, batch or "", same_batch, site or "", max_wrong, level)
    use.check()
    return use


Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="Format of the table: maxquant, diann, diann-report, fragpipe, spectronaut, discoverer, olink, adat, featurecounts, "
        "htseq, mirdeep2, mirtop, geo, rcc, nsolver, quantstudio, perseus, or plain.  [default: what its content says]",
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        help="Columns that hold samples, with * for the sample's name, as in 'LFQ intensity *'; several with commas between.",
    ),
]
Sheet = Annotated[str | None, typer.Option("--sheet", help="Sheet of the table's workbook.")]
IdColumn = Annotated[
    str | None, typer.Option("--id-column", help="Column of the sample ids.  [default: sample_id, or the first]")
]


Layers = Annotated[
    list[str] | None,
    typer.Option(
        "--layer",
        help="A layer of the same people in a table of its own, instead of --cargo: NAME=TABLE:KIND:UNIT, as in "
        "protein=protein.csv:protein:log2_intensity; --kind and --unit hold where they are left out. Give it again for each.",
    ),
]


LayersOfModel = Annotated[
    list[str] | None,
    typer.Option(
        "--layer",
        help="For a model of several layers, instead of --cargo: NAME=TABLE, of the kind and unit that the layer has in the "
        "model. Give it again for each; a layer may be left out, and a table may lack samples.",
    ),
]


def reading_of(form: str | None, columns: str | None, sheet: str | None, id_column: str | None) -> Reading:
    """Say how tables are to be read."""
    from exoclassify.tables.asked import Reading

    return Reading(form, columns, sheet, id_column)


def columns_of(text: str | None) -> tuple[str, ...]:
    """Split names with commas between.

    Parameters
    ----------
    text : str or None
        Such as ``age,sex``.
    """
    return () if text is None else tuple(part.strip() for part in text.split(",") if part.strip())


def shares_of(text: str, option: str = "--prevalence") -> dict[str, float]:
    """Read state=share pairs with commas between.

    Parameters
    ----------
    text : str
        Such as ``neuropathic=0.05,inflammatory=10%``.
    """
    from exoclassify.errors import InputError

    shares: dict[str, float] = {}
    for pair in text.split(","):
        state, found, share = (part.strip() for part in pair.rpartition("="))
        try:
            value = float(share.removesuffix("%")) / (100 if share.endswith("%") else 1)
        except ValueError:
            found = ""
        if not found or not state:
            raise InputError(
                f"{option}: {pair.strip()!r} is not a state and its share; write it as neuropathic=0.05,inflammatory=0.1"
            )
        if state in shares:
            raise InputError(f"{option}: {state} is given twice; give it once")
        shares[state] = value
    return shares


def thresholds_of(text: str) -> tuple[float, ...]:
    """Read probabilities with commas between.

    Parameters
    ----------
    text : str
        Such as ``0.2,0.5``.
    """
    from exoclassify.errors import InputError

    try:
        chosen = tuple(float(part) for part in columns_of(text))
    except ValueError as error:
        raise InputError(f"--thresholds {text}: give numbers with commas between, such as 0.2,0.5") from error
    if not chosen or not all(0 < value < 1 for value in chosen):
        raise InputError(f"--thresholds {text}: give probabilities above 0 and below 1, such as 0.2,0.5")
    return chosen
