"""One self-contained page made of sections: no network, no script, light and dark, fit to print and to read by keyboard.

Whoever has something to show gives a `Section`; `page` puts sections together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

__all__ = ["Cell", "Figure", "Section", "Table", "page"]

Cell = str | float | int | bool | None
"""What a table can hold; None is shown as a dash."""

_PRINTED = 15
"""Rows of a figure's numbers that are still printed; the points of a curve stay on the screen."""


@dataclass(frozen=True)
class Table:
    """Rows under named columns.

    Parameters
    ----------
    columns : sequence of str
        Headers.
    rows : sequence of sequences
        Cells; numbers are set to the right and rounded to three decimals, None is shown as a dash.
    caption : str
        One sentence above the table; empty for none.
    folded : bool
        Shown when asked for, under its caption.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Figure:
    """A drawing, and beside it the numbers it was drawn from.

    Parameters
    ----------
    title : str
        What is shown; also read aloud in place of the drawing.
    svg : str
        One ``<svg>`` element, as `exoclassify.report.plots` makes it.
    table : Table
        The numbers.
    caption : str
        How to read it, in a sentence or two.
    """

    title: str
    svg: str
    table: Table
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """One part of a report.

    Parameters
    ----------
    title : str
        Of the section; its link is made from it.
    summary : str
        What was found, in plain words, before any number; paragraphs are parted by a blank line.
    figures : sequence of Figure
        Shown two beside each other where there is room.
    tables : sequence of Table
        Shown below the figures.
    notes : sequence of str
        Small print: methods and sources.
    tone : str
        "plain", "good", "warning" or "critical": the colour of the bar beside the summary, which the summary says in words
        too.
    """

    title: str
    summary: str
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()
    tone: str = "plain"


def page(title: str, sections: Sequence[Section], *, subtitle: str = "", footer: str = "") -> str:
    """Put sections together into one HTML page.

    Parameters
    ----------
    title : str
        Of the page.
    sections : sequence of Section
        In order; the first is the summary that a hurried reader stops after.
    subtitle : str
        One line under the title.
    footer : str
        One line at the end, such as versions and digests.

    Returns
    -------
    str
        A complete document. Every text is escaped; nothing is loaded from anywhere.
    """
    style = files("exoclassify.report").joinpath("report.css").read_text(encoding="utf-8")
    links = _links(sections)
    contents = "".join(
        f'<li><a href="#{link}">{escape(section.title)}</a></li>' for link, section in zip(links, sections, strict=True)
    )
    body = "\n".join(_section(section, link) for link, section in zip(links, sections, strict=True))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#main">Skip to the findings</a>\n'
        f'<header><h1>{escape(title)}</h1><p class="subtitle">{escape(subtitle)}</p></header>\n'
        f'<nav aria-label="Contents"><ol>{contents}</ol></nav>\n'
        f'<main id="main">\n{body}\n</main>\n<footer><p>{escape(footer)}</p></footer>\n</body>\n</html>\n'
    )


def _links(sections: Sequence[Section]) -> list[str]:
    """Make links from titles; a title that comes twice gets a number."""
    found: list[str] = []
    for section in sections:
        link = re.sub(r"[^a-z0-9]+", "-", section.title.lower()).strip("-") or "section"
        found.append(link if link not in found else f"{link}-{len(found)}")
    return found


def _section(section: Section, link: str) -> str:
    figures = "".join(_figure(figure) for figure in section.figures)
    notes = "".join(f"<li>{escape(note)}</li>" for note in section.notes)
    return (
        f'<section id="{link}" aria-labelledby="{link}-title">\n<h2 id="{link}-title">{escape(section.title)}</h2>\n'
        f'<div class="summary {escape(section.tone)}">{_paragraphs(section.summary)}</div>\n'
        + (f'<div class="figures">{figures}</div>\n' if figures else "")
        + "".join(_shown(table) for table in section.tables)
        + (f'<ul class="notes">{notes}</ul>\n' if notes else "")
        + "</section>"
    )


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n") if part.strip())


def _figure(figure: Figure) -> str:
    caption = f"<p>{escape(figure.caption)}</p>" if figure.caption else ""
    long = ' class="long"' if len(figure.table.rows) > _PRINTED else ""
    return (
        f"<figure><figcaption><h3>{escape(figure.title)}</h3>{caption}</figcaption>{figure.svg}"
        f'<details{long}><summary>Numbers</summary><div class="scroll" tabindex="0">{_table(figure.table)}</div></details>'
        "</figure>"
    )


def _shown(table: Table) -> str:
    whole = f'<div class="scroll" tabindex="0">{_table(table)}</div>'
    return f"<details><summary>{escape(table.caption)}</summary>{whole}</details>\n" if table.folded else f"{whole}\n"


def _table(table: Table) -> str:
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption and not table.folded else ""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in table.rows)
    wide = ' class="wide"' if _is_prose(table) else ""
    return f"<table{wide}>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _is_prose(table: Table) -> bool:
    """Whether the third column holds sentences, which need room."""
    return any(len(row) > 2 and isinstance(row[2], str) and len(row[2]) > 60 for row in table.rows)


def _cell(cell: Cell) -> str:
    if cell is None:
        return "<td>–</td>"
    if isinstance(cell, bool):
        return f"<td>{'yes' if cell else 'no'}</td>"
    if isinstance(cell, float):
        return f'<td class="number">{cell:.3f}</td>'
    if isinstance(cell, int):
        return f'<td class="number">{cell}</td>'
    return f"<td>{escape(cell)}</td>"
