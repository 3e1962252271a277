"""One self-contained page made of sections: no network, no script, light and dark, fit to print and to read by keyboard.

Whoever has something to show gives a `Section`; `page` puts sections together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from itertools import count
from typing import Literal

__all__ = ["Cell", "Figure", "Lead", "Report", "Section", "Table", "page"]

Cell = str | float | int | bool | None
"""What a table can hold; None is shown as a dash."""

Tone = Literal["plain", "good", "warning", "critical"]

_SIGNS = {"plain": "Not judged", "good": "Supported", "warning": "With limits", "critical": "Not supported"}
"""What a tone says in words, beside its colour."""


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
    folded : bool
        Shown when asked for, under its title, and not printed.
    """

    title: str
    summary: str
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()
    folded: bool = False


@dataclass(frozen=True)
class Lead:
    """The first screen: what a hurried reader stops after.

    Parameters
    ----------
    tone : {"plain", "good", "warning", "critical"}
        The verdict's colour; nothing else on the page has one of its own.
    verdict : str
        In one sentence.
    figure : tuple of (str, float, float, float) or None
        The one figure, from 0 to 1: its name, value, and interval.
    table : Table or None
        What to expect in use.
    steps : sequence of str
        What to do next, the most urgent first.
    details : sequence of str
        Paragraphs that qualify the verdict.
    sign : str
        The verdict in a word or two; by the tone when empty.
    """

    tone: Tone
    verdict: str
    figure: tuple[str, float, float, float] | None = None
    table: Table | None = None
    steps: Sequence[str] = ()
    details: Sequence[str] = ()
    sign: str = ""


@dataclass(frozen=True)
class Report:
    """A page before it is written.

    Parameters
    ----------
    title, lead, sections, subtitle, footer
        As for `page`.
    """

    title: str
    lead: Lead | None
    sections: Sequence[Section]
    subtitle: str = ""
    footer: str = ""

    @property
    def html(self) -> str:
        """The page."""
        return page(self.title, self.sections, lead=self.lead, subtitle=self.subtitle, footer=self.footer)


def page(
    title: str, sections: Sequence[Section], *, lead: Lead | None = None, subtitle: str = "", footer: str = ""
) -> str:
    """Put sections together into one HTML page.

    Returns
    -------
    str
        A complete document. Every text is escaped; nothing is loaded from anywhere.
    """
    style = files("exoclassify.report").joinpath("report.css").read_text(encoding="utf-8")
    links, numbers = _links(sections), count(1)
    contents = "".join(
        f'<li><a href="#{link}">{escape(section.title)}</a></li>' for link, section in zip(links, sections, strict=True)
    )
    nav = f'<nav aria-label="Contents"><ol>{contents}</ol></nav>' if len(links) > 1 else ""
    body = "\n".join(_section(section, link, numbers) for link, section in zip(links, sections, strict=True))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#main">Skip to the findings</a>\n'
        f'<header><h1>{escape(title)}</h1><p class="subtitle">{escape(subtitle)}</p></header>\n'
        f'<main id="main">\n{"" if lead is None else _lead(lead)}'
        f"{nav}\n{body}\n</main>\n"
        f"<footer><p>{escape(footer)}</p></footer>\n</body>\n</html>\n"
    )


def _lead(lead: Lead) -> str:
    steps = "".join(f"<li>{_text(step)}</li>" for step in lead.steps)
    return (
        f'<section class="lead {lead.tone}" aria-labelledby="verdict">\n<p '
        f'class="sign">{escape(lead.sign or _SIGNS[lead.tone])}</p>\n'
        f'<h2 id="verdict">{escape(lead.verdict)}</h2>\n'
        + ("" if lead.figure is None else _headline(*lead.figure))
        + ("" if lead.table is None else _shown(lead.table))
        + "".join(f"<p>{_text(detail)}</p>" for detail in lead.details)
        + (f"<h3>Next</h3>\n<ol>{steps}</ol>\n" if steps else "")
        + "</section>\n"
    )


def _headline(name: str, value: float, low: float, high: float) -> str:
    """Draw the one figure with its interval on a scale from 0 to 1; the dash at one half is guessing."""
    at = [f"{300 * min(max(share, 0.0), 1.0):.1f}" for share in (low, high, value)]
    return (
        f'<div class="headline"><p><span class="value">{value:.2f}</span> <span>{escape(name)}<br>'
        f"95 % interval {low:.2f} to {high:.2f}</span></p>"
        f'<svg viewBox="-6 0 312 34" role="img" aria-label="{escape(name)} {value:.2f}, {low:.2f} to {high:.2f}">'
        '<line class="axis" x1="0" y1="12" x2="300" y2="12"/><line class="ref" x1="150" y1="3" x2="150" y2="21"/>'
        f'<line class="whisker s1" x1="{at[0]}" y1="12" x2="{at[1]}" y2="12"/><circle class="dot s1" cx="{at[2]}" cy="12" r="5"/>'
        '<text class="tick" x="0" y="31">0</text><text class="tick" x="150" y="31" text-anchor="middle">0.5 guessing</text>'
        '<text class="tick" x="300" y="31" text-anchor="end">1</text></svg></div>\n'
    )


def _links(sections: Sequence[Section]) -> list[str]:
    """Make links from titles; a title that comes twice gets a number."""
    found: list[str] = []
    for section in sections:
        link = re.sub(r"[^a-z0-9]+", "-", section.title.lower()).strip("-") or "section"
        found.append(link if link not in found else f"{link}-{len(found)}")
    return found


def _section(section: Section, link: str, numbers: Iterator[int]) -> str:
    figures = "".join(_figure(figure, next(numbers)) for figure in section.figures)
    tables = "".join(_shown(table) for table in section.tables)
    notes = "".join(f"<li>{_text(note)}</li>" for note in section.notes)
    title = f'<h2 id="{link}-title">{escape(section.title)}</h2>'
    content = (
        f'<div class="summary">{_paragraphs(section.summary)}</div>\n'
        + (f'<div class="figures">{figures}</div>\n' if figures else "")
        + (f'<div class="tables">{tables}</div>\n' if tables else "")
        + (f'<ul class="notes">{notes}</ul>\n' if notes else "")
    )
    content = f"<details><summary>{title}</summary>\n{content}</details>\n" if section.folded else f"{title}\n{content}"
    kind = "folded" if section.folded else "solo" if len(section.figures) == 1 else ""
    return f'<section id="{link}" class="{kind}" aria-labelledby="{link}-title">\n{content}</section>'


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_text(part)}</p>" for part in text.split("\n\n") if part.strip())


def _figure(figure: Figure, number: int) -> str:
    caption = f"<p>{_text(figure.caption)}</p>" if figure.caption else ""
    return (
        f"<figure><figcaption><h3>Figure {number}. {escape(figure.title)}</h3>{caption}</figcaption>{figure.svg}"
        f'<details><summary>Numbers</summary><div class="scroll" tabindex="0" role="region" aria-label="Numbers of figure '
        f'{number}">{_table(figure.table)}</div></details></figure>'
    )


def _shown(table: Table) -> str:
    name = escape(table.caption or ", ".join(table.columns))
    whole = f'<div class="scroll" tabindex="0" role="region" aria-label="{name}">{_table(table)}</div>'
    return f"<details><summary>{escape(table.caption)}</summary>{whole}</details>\n" if table.folded else f"{whole}\n"


def _table(table: Table) -> str:
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption and not table.folded else ""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    labels = [f' data-label="{escape(column)}"' for column in table.columns]
    body = "".join(
        f"<tr>{''.join(_cell(cell, label) for cell, label in zip(row, labels, strict=True))}</tr>" for row in table.rows
    )
    wide = ' class="wide"' if _is_prose(table) else ""
    return f"<table{wide}>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _is_prose(table: Table) -> bool:
    """Whether the third column holds sentences, which need room."""
    return any(len(row) > 2 and isinstance(row[2], str) and len(row[2]) > 60 for row in table.rows)


def _cell(cell: Cell, label: str) -> str:
    """Give one cell; a narrow screen shows the column's name, the label, beside it."""
    if cell is None:
        return f"<td{label}>–</td>"
    if isinstance(cell, bool):
        return f"<td{label}>{'yes' if cell else 'no'}</td>"
    if isinstance(cell, float):
        return f'<td class="number"{label}>{cell:.3f}</td>'
    if isinstance(cell, int):
        return f'<td class="number"{label}>{cell}</td>'
    return f"<td{label}>{_text(cell)}</td>"


def _text(text: str) -> str:
    """Escape a text; what stands between backticks is set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
