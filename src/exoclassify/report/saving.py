"""A report on disk: the page, and beside it a folder with its figures (SVG, PNG), its tables (CSV) and the text to paste."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from exoclassify.report.html import Cell, Report, Section, Table
from exoclassify.report.methods import legends
from exoclassify.tables.encoding import guarded
from exoclassify.tables.writing import write_folder_atomically, write_text_atomically

__all__ = ["files_beside", "save"]

_WIDTH = 1760
"""Pixels of a PNG: a column of a journal at 600 dots an inch."""


def files_beside(path: Path) -> Path:
    """Give the folder that stands beside a page, such as report-files beside report.html."""
    return path.with_name(f"{path.stem}-files")


def save(report: Report, path: Path, *, force: bool = False) -> Path:
    """Write a page and the folder beside it.

    Returns
    -------
    Path
        The folder: ``figure-1-….svg`` and ``.png``, ``table-1-….csv``, ``legends.txt``.
    """
    folder = files_beside(path)
    write_folder_atomically(
        folder, lambda to: _fill(to, report.sections, report.lead.table if report.lead else None), force=force
    )
    write_text_atomically(path, report.html, force=force)
    return folder


def _fill(folder: Path, sections: Sequence[Section], first: Table | None) -> None:
    style = _style()
    figures = [figure for section in sections for figure in section.figures]
    for i, figure in enumerate(figures, start=1):
        name = f"figure-{i}-{_slug(figure.title)}"
        svg = _alone(figure.svg, style)
        _put(folder / f"{name}.svg", svg)
        (folder / f"{name}.png").write_bytes(_png(svg))
        _write(folder / f"{name}.csv", figure.table)
    tables = [(first.caption, first)] if first is not None else []
    tables += [(table.caption or section.title, table) for section in sections for table in section.tables]
    for i, (caption, table) in enumerate(tables, start=1):
        _write(folder / f"table-{i}-{_slug(caption)}.csv", table)
    pasted = [section.summary for section in sections if section.title == "Methods and legends to paste"]
    _put(folder / "methods-and-legends.txt", "\n\n".join(pasted or legends(sections)) + "\n")


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:48].strip("-") or "untitled"


def _put(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _style() -> str:
    """Give the drawing rules of the page, in its light colours and without variables, which few programs know."""
    css = files("exoclassify.report").joinpath("report.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--([a-z0-9]+): (#[0-9a-f]+)", css[: css.index("@media")]))
    rules = css[css.index("/* drawing") : css.index("/* end of drawing")].partition("*/")[2]
    rules = re.sub(r"var\(--([a-z0-9]+)\)", lambda found: colours[found[1]], rules)
    return f"text {{ font-family: Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif; font-size: 12px; }}{rules}"


def _alone(svg: str, style: str) -> str:
    """Make a drawing of the page stand alone: its own style, and a white ground."""
    head, _, rest = svg.partition(">")
    width, height = re.findall(r"[\d.]+", head.partition('viewBox="')[2].partition('"')[0])[2:]
    head = head.replace("<svg", f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"', 1)
    return f'{head}><style>{style}</style><rect width="100%" height="100%" fill="#fff"/>{rest}\n'


def _png(svg: str) -> bytes:
    import resvg_py

    return bytes(resvg_py.svg_to_bytes(svg_string=svg, width=_WIDTH))


def _write(path: Path, table: Table) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table.columns)
        writer.writerows([[_cell(cell) for cell in row] for row in table.rows])


def _cell(cell: Cell) -> Cell:
    return guarded(cell) if isinstance(cell, str) else "" if cell is None else cell
