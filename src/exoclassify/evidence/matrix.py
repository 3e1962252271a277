"""The catalogue at a glance: cargo by condition, people and animals apart, for a terminal and as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from exoclassify.evidence.agreement import counts, torn_conditions
from exoclassify.evidence.catalogue import Catalogue
from exoclassify.evidence.evidence import Evidence

__all__ = ["EvidenceMatrix"]

_MARKS = {"up": "▲", "down": "▼", "unchanged": "0", "associated": "*", "mixed": "±", "torn": "!"}
_MEANING = (
    "▲ up   ▼ down   ▲2 in two studies   0 unchanged   * associated, no direction   ± by contrast or fluid   ! torn"
)
_COLOURS = {"▲": "#b2182b", "▼": "#2166ac", "0": "#666666", "*": "#666666", "±": "#666666", "!": "#e08214"}
_CELL, _LINE, _LEFT, _TOP = 30, 17, 170, 260


@dataclass(frozen=True)
class EvidenceMatrix:
    """Which molecule was reported in which condition.

    Parameters
    ----------
    molecules : tuple of str
        Rows; miRNA first, then the other kinds.
    conditions : tuple of str
        Columns; those of people first.
    people : int
        How many of the columns are of people.
    cells : tuple of tuple of str
        Marks; empty where nothing was reported.
    sets : int
        Claims on sets of molecules whose names were not read; they are in no cell.
    """

    molecules: tuple[str, ...]
    conditions: tuple[str, ...]
    people: int
    cells: tuple[tuple[str, ...], ...]
    sets: int

    @classmethod
    def of(cls, catalogue: Catalogue) -> EvidenceMatrix:
        """Lay out a catalogue."""
        rows = [row for row in catalogue.rows if row.scope != "set"]
        kinds = {row.molecule: row.kind for row in rows}
        molecules = sorted(kinds, key=lambda name: (kinds[name] != "mirna", kinds[name], _by_number(name)))
        with_people = {row.condition for row in rows if row.system == "patients"}
        known = [name for name in catalogue.conditions if any(row.condition == name for row in rows)]
        conditions = [name for name in known if name in with_people]
        people = len(conditions)
        conditions += [name for name in known if name not in with_people]
        cells = tuple(
            tuple(_mark([row for row in rows if (row.molecule, row.condition) == (m, c)]) for c in conditions)
            for m in molecules
        )
        return cls(tuple(molecules), tuple(conditions), people, cells, len(catalogue.rows) - len(rows))

    def text(self) -> str:
        """Draw it for a terminal, conditions as letters with their names below."""
        width = max((len(name) for name in self.molecules), default=0)
        letters = [_letters(i) for i in range(len(self.conditions))]
        lines = [" " * width + "  " + self._spread(letters)]
        lines += [
            f"{name:<{width}}  {self._spread([cell or '·' for cell in cells])}".rstrip()
            for name, cells in zip(self.molecules, self.cells, strict=True)
        ]
        lines += ["", _MEANING]
        for i, (letter, name) in enumerate(zip(letters, self.conditions, strict=True)):
            lines.append(f"{letter}  {name}{'' if i < self.people else '  (animals or cells)'}")
        return "\n".join([*lines, self._sets()])

    def _sets(self) -> str:
        return f"{self.sets} more claims name no single molecule."

    def _spread(self, marks: Sequence[str]) -> str:
        cells = [f"{mark:<3}" for mark in marks]
        return (
            "".join(cells[: self.people]) + ("| " if self.people < len(cells) else "") + "".join(cells[self.people :])
        )

    def svg(self) -> str:
        """Draw it as SVG."""
        width = _LEFT + _CELL * len(self.conditions) + 200
        height = _TOP + _LINE * len(self.molecules) + 60
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            'font-family="sans-serif" font-size="12" role="img" '
            'aria-label="Cargo of vesicles by condition: direction reported">',
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            *self._grid(),
        ]
        for i, (name, cells) in enumerate(zip(self.molecules, self.cells, strict=True)):
            y = _TOP + _LINE * i + 12
            parts.append(f'<text x="{_LEFT - 8}" y="{y}" text-anchor="end">{escape(name)}</text>')
            parts += [
                f'<text x="{_LEFT + _CELL * j + _CELL // 2}" y="{y}" text-anchor="middle" fill="{_COLOURS[cell[0]]}">'
                f"{escape(cell)}</text>"
                for j, cell in enumerate(cells)
                if cell
            ]
        parts.append(f'<text x="10" y="{height - 30}">{escape(_MEANING)}</text>')
        parts.append(
            f'<text x="10" y="{height - 12}">Grey: animals or cells. {escape(self._sets())} Most contrasts are a painful '
            "disease against controls.</text>"
        )
        return "\n".join([*parts, "</svg>", ""])

    def _grid(self) -> list[str]:
        parts = []
        bottom = _TOP + _LINE * len(self.molecules)
        apart = _LEFT + _CELL * self.people
        parts.append(
            f'<rect x="{apart}" y="{_TOP}" width="{_CELL * (len(self.conditions) - self.people)}" height="{bottom - _TOP}" '
            'fill="#eeeeee"/>'
        )
        for i in range(len(self.molecules) + 1):
            y = _TOP + _LINE * i
            end = _LEFT + _CELL * len(self.conditions)
            parts.append(f'<line x1="{_LEFT}" y1="{y}" x2="{end}" y2="{y}" stroke="#dddddd"/>')
        for j, name in enumerate(self.conditions):
            x = _LEFT + _CELL * j + _CELL // 2
            parts.append(f'<text x="{x}" y="{_TOP - 8}" transform="rotate(-45 {x} {_TOP - 8})">{escape(name)}</text>')
        return parts


def _letters(i: int) -> str:
    return (chr(ord("A") + i // 26 - 1) if i >= 26 else "") + chr(ord("A") + i % 26)


def _by_number(name: str) -> tuple[str, int, str]:
    stem = name.split("-", 1)[-1]
    digits = "".join(c for c in stem if c.isdigit() or c == "-").strip("-").split("-")[0]
    return (stem[:3].casefold(), int(digits) if digits else 0, name)


def _mark(rows: Sequence[Evidence]) -> str:
    if torn_conditions(counts(rows)):
        return _MARKS["torn"]
    ways = {row.direction for row in rows}
    if {"up", "down"} <= ways:
        return _MARKS["mixed"]
    for way in ("up", "down", "mixed", "associated", "unchanged"):
        if way in ways:
            studies = max(count.studies for count in counts(rows) if count.direction == way)
            return _MARKS[way] + (str(studies) if studies > 1 else "")
    return ""
