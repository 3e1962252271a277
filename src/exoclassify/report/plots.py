"""Plots as SVG that takes its colours from the page, each with the table it was drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap

import numpy as np

from exoclassify.report.html import Figure, Table
from exoclassify.typing import Floats

__all__ = ["Axis", "Bar", "Series", "curves", "intervals", "matrix"]


_WIDTH, _HEIGHT = 440, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 10, 48
_STYLES = 5  # colours and dashes in report.css


@dataclass(frozen=True, eq=False)
class Series:
    """One line of a plot.

    Parameters
    ----------
    name : str
        In the legend.
    x, y : sequence of float
        Its points, in order of drawing.
    low, high : sequence of float, optional
        Bounds of each y: a band around a line, whiskers around dots.
    dots : bool
        Points with whiskers instead of a line.
    joined : bool
        Points with whiskers and a line through them.
    reference : bool
        Drawn thin and grey, as something to compare with.
    labels : sequence of str
        Beside the dots, in their order; those that find no room are left out. Empty for none.
    """

    name: str
    x: Sequence[float] | Floats
    y: Sequence[float] | Floats
    low: Sequence[float] | Floats | None = None
    high: Sequence[float] | Floats | None = None
    dots: bool = False
    joined: bool = False
    reference: bool = False
    labels: Sequence[str] = ()


@dataclass(frozen=True)
class Axis:
    """One axis.

    Parameters
    ----------
    label : str
        What it shows.
    low, high : float
        Its ends.
    names : tuple of str
        Of the values 1, 2, ..., where these are no numbers.
    """

    label: str
    low: float = 0.0
    high: float = 1.0
    names: tuple[str, ...] = ()

    def told(self, tick: float) -> str:
        """Give what stands beside a tick."""
        if not self.names:
            return f"{tick:g}"
        name = self.names[round(tick) - 1]
        return name if len(name) <= 12 else name[:11] + "…"

    def ticks(self) -> list[float]:
        """Give about five round values from end to end; with names at most six of them."""
        if self.names:
            step = -(-len(self.names) // 6)
            return [float(i + 1) for i in range(0, len(self.names), step)]
        raw = (self.high - self.low) / 5
        power = 10.0 ** np.floor(np.log10(raw))
        step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
        first = np.ceil(self.low / step - 1e-9) * step
        return [float(round(v, 10)) + 0.0 for v in np.arange(first, self.high + step * 1e-6, step)]


@dataclass(frozen=True)
class Bar:
    """One row of an interval plot.

    Parameters
    ----------
    name : str
        Beside the row.
    value : float
        The dot.
    low, high : float
        Ends of the line.
    style : int
        1 to 5, a colour of the page.
    """

    name: str
    value: float
    low: float
    high: float
    style: int = 1


def curves(title: str, series: Sequence[Series], x: Axis, y: Axis, caption: str = "") -> Figure:
    """Draw lines, bands and dots over two axes.

    Parameters
    ----------
    x, y : Axis
        Points of lines outside are left out; bands and whiskers end at the ends.
    """
    frame = _Frame(x, y)
    coloured = [one for one in series if not one.reference]
    drawn = [frame.axes()]
    for one in series:
        drawn.append(frame.reference(one) if one.reference else frame.series(one, coloured.index(one)))
    drawn += [frame.names(series), _legend(series, coloured)]
    rows = [
        (one.name, float(one.x[i]), float(one.y[i]), _at(one.low, i), _at(one.high, i))
        for one in series
        for i in range(len(one.x))
    ]
    bounded = any(one.low is not None for one in series)
    columns = ["line", x.label, y.label, "low", "high"][: 5 if bounded else 3]
    height = _HEIGHT + 18 * -(-len(series) // _legend_columns(series))
    svg = _svg(title, _WIDTH, height, "".join(drawn))
    return Figure(title, svg, Table(columns, [row[: len(columns)] for row in rows]), caption)


def intervals(title: str, bars: Sequence[Bar], x: Axis, *, reference: float | None = None, caption: str = "") -> Figure:
    """Draw one dot with its interval a row."""
    left, row = 205, 26
    height = _TOP + row * len(bars) + _BOTTOM
    scale = (_WIDTH - left - _RIGHT) / (x.high - x.low)
    bottom = _TOP + row * len(bars)

    def at(value: float) -> float:
        return left + (min(max(value, x.low), x.high) - x.low) * scale

    drawn = [
        f'<line class="grid" x1="{at(t):.1f}" y1="{_TOP}" x2="{at(t):.1f}" y2="{bottom}"/>'
        f'<text class="tick" x="{at(t):.1f}" y="{bottom + 16}" text-anchor="middle">{t:g}</text>'
        for t in x.ticks()
    ]
    if reference is not None:
        drawn.append(f'<line class="ref" x1="{at(reference):.1f}" y1="{_TOP}" x2="{at(reference):.1f}" y2="{bottom}"/>')
    for i, bar in enumerate(bars):
        middle = _TOP + row * (i + 0.5)
        drawn.append(_named(bar.name, left - 10, middle))
        drawn.append(
            f'<line class="whisker s{bar.style}" x1="{at(bar.low):.1f}" y1="{middle:.1f}" x2="{at(bar.high):.1f}" '
            f'y2="{middle:.1f}"/><circle class="dot s{bar.style}" cx="{at(bar.value):.1f}" cy="{middle:.1f}" r="4.5"/>'
        )
    middle, anchor = ((left + _WIDTH - _RIGHT) / 2, "middle") if len(x.label) < 34 else (_WIDTH - _RIGHT, "end")
    drawn.append(
        f'<text class="label" x="{middle:.1f}" y="{bottom + 36}" text-anchor="{anchor}">{escape(x.label)}</text>'
    )
    table = Table(["", x.label, "low", "high"], [(b.name, b.value, b.low, b.high) for b in bars])
    return Figure(title, _svg(title, _WIDTH, height, "".join(drawn)), table, caption)


def matrix(
    title: str, rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float]], caption: str = ""
) -> Figure:
    """Draw counts as a table of cells, darker where they are a larger share of their row."""
    left, top, line = 118, 34, 46
    width = (_WIDTH - left - _RIGHT) / len(columns)
    drawn = [
        f'<text class="label{" small" * (len(name) * 6.8 > width)}" x="{left + width * (j + 0.5):.1f}" y="{top - 10}" '
        f'text-anchor="middle">{escape(_cut(name, width * 1.15))}</text>'
        for j, name in enumerate(columns)
    ]
    for i, (name, counts) in enumerate(zip(rows, values, strict=True)):
        y, total = top + line * i, sum(counts) or 1.0
        drawn.append(
            f'<text class="label" x="{left - 8}" y="{y + line / 2 + 4:.1f}" '
            f'text-anchor="end">{escape(_cut(name, left - 10))}</text>'
        )
        for j, count in enumerate(counts):
            x, share = left + width * j, count / total
            drawn.append(
                f'<rect class="cell" x="{x + 1:.1f}" y="{y + 1}" width="{width - 2:.1f}" height="{line - 2}" '
                f'fill-opacity="{0.04 + 0.5 * share:.2f}"/>'
                f'<text class="label" x="{x + width / 2:.1f}" y="{y + 20}" text-anchor="middle">{count:.3g}</text>'
                f'<text class="tick" x="{x + width / 2:.1f}" y="{y + 36}" text-anchor="middle">{share:.0%}</text>'
            )
    table = Table(["", *columns], [[name, *map(float, counts)] for name, counts in zip(rows, values, strict=True)])
    return Figure(title, _svg(title, _WIDTH, top + line * len(rows) + 8, "".join(drawn)), table, caption)


def _named(name: str, end: float, middle: float) -> str:
    """Write a row's name before its end, on two lines where it is long and without what stands in brackets."""
    if len(name) > end / 6.8:
        name = name.partition(" (")[0]
    first, *more = wrap(name, int(end / 6.8)) or [""]
    if not more:
        return f'<text class="label" x="{end:g}" y="{middle + 4:.1f}" text-anchor="end">{escape(first)}</text>'
    second = _cut(" ".join(more), end)
    return (
        f'<text class="label small" x="{end:g}" y="{middle - 1:.1f}" text-anchor="end">{escape(first)}'
        f'<tspan x="{end:g}" dy="11">{escape(second)}</tspan></text>'
    )


def _cut(name: str, width: float) -> str:
    most = int(width / 6.8)
    return name if len(name) <= most else name[: most - 1] + "…"


def _svg(title: str, width: float, height: float, content: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{content}</svg>"
    )


def _at(values: Sequence[float] | Floats | None, i: int) -> float | None:
    return None if values is None else float(values[i])


@dataclass(frozen=True)
class _Frame:
    """Where values of two axes lie on the drawing."""

    x: Axis
    y: Axis

    def point(self, x: float, y: float) -> tuple[float, float]:
        across = (min(max(x, self.x.low), self.x.high) - self.x.low) / (self.x.high - self.x.low)
        up = (min(max(y, self.y.low), self.y.high) - self.y.low) / (self.y.high - self.y.low)
        return _LEFT + across * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)

    def path(self, x: Sequence[float] | Floats, y: Sequence[float] | Floats) -> str:
        inside = [(float(a), float(b)) for a, b in zip(x, y, strict=True) if self.y.low <= b <= self.y.high]
        points = [self.point(a, b) for a, b in inside]
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in points)

    def axes(self) -> str:
        left, right, top, bottom = _LEFT, _WIDTH - _RIGHT, _TOP, _HEIGHT - _BOTTOM
        parts = []
        for tick in self.x.ticks():
            a, _ = self.point(tick, self.y.low)
            parts.append(
                f'<line class="grid" x1="{a:.1f}" y1="{top}" x2="{a:.1f}" y2="{bottom}"/>'
                f'<text class="tick" x="{a:.1f}" y="{bottom + 17}" text-anchor="middle">'
                f"{escape(self.x.told(tick))}</text>"
            )
        for tick in self.y.ticks():
            _, b = self.point(self.x.low, tick)
            parts.append(
                f'<line class="grid" x1="{left}" y1="{b:.1f}" x2="{right}" y2="{b:.1f}"/>'
                f'<text class="tick" x="{left - 7}" y="{b + 4:.1f}" text-anchor="end">{tick:g}</text>'
            )
        middle = (top + bottom) / 2
        parts.append(
            f'<line class="axis" x1="{left}" y1="{bottom}" x2="{right}" y2="{bottom}"/>'
            f'<line class="axis" x1="{left}" y1="{top}" x2="{left}" y2="{bottom}"/>'
            f'<text class="label" x="{(left + right) / 2:.1f}" y="{bottom + 37}" text-anchor="middle">'
            f"{escape(self.x.label)}</text>"
            f'<text class="label" transform="translate(14 {middle:.1f}) rotate(-90)" text-anchor="middle">'
            f"{escape(self.y.label)}</text>"
        )
        return "".join(parts)

    def reference(self, one: Series) -> str:
        return f'<polyline class="ref" points="{self.path(one.x, one.y)}"/>'

    def series(self, one: Series, rank: int) -> str:
        style = rank % _STYLES + 1
        band = "".join(self._dot(one, i, style) for i in range(len(one.x))) if one.dots or one.joined else ""
        if one.dots:
            return band
        if not one.joined and one.low is not None and one.high is not None:
            high, low = (np.clip(bound, self.y.low, self.y.high) for bound in (one.high, one.low))
            there, back = self.path(one.x, high), self.path(one.x[::-1], low[::-1])
            band = f'<polygon class="band s{style}" points="{there} {back}"/>'
        return f'{band}<polyline class="curve s{style} d{style}" points="{self.path(one.x, one.y)}"/>'

    def names(self, series: Sequence[Series]) -> str:
        """Write the dots' names, each where none was written before it."""
        placed: list[tuple[float, float, float]] = []
        parts = []
        for one in series:
            for name, x, y in zip(one.labels, one.x, one.y, strict=False):
                a, b = self.point(float(x), float(y))
                room = 6.2 * len(name)
                left = a + room + 8 > _WIDTH - _RIGHT
                start = a - 7 - room if left else a + 7
                if any(abs(b - q) < 11 and start < r + w and r < start + room for r, q, w in placed):
                    continue
                placed.append((start, b, room))
                anchor = ' text-anchor="end"' if left else ""
                parts.append(
                    f'<text class="tick" x="{a - 7 if left else a + 7:.1f}" y="{b + 4:.1f}"{anchor}>{escape(name)}</text>'
                )
        return "".join(parts)

    def _dot(self, one: Series, i: int, style: int) -> str:
        a, b = self.point(float(one.x[i]), float(one.y[i]))
        whisker = ""
        if one.low is not None and one.high is not None:
            _, top = self.point(float(one.x[i]), float(one.high[i]))
            _, bottom = self.point(float(one.x[i]), float(one.low[i]))
            whisker = f'<line class="whisker s{style}" x1="{a:.1f}" y1="{top:.1f}" x2="{a:.1f}" y2="{bottom:.1f}"/>'
        return f'{whisker}<circle class="dot s{style}" cx="{a:.1f}" cy="{b:.1f}" r="4"/>'


def _legend_columns(series: Sequence[Series]) -> int:
    """Two names a line, or one where a name is long."""
    return 2 if max(len(one.name) for one in series) <= 24 else 1


def _legend(series: Sequence[Series], coloured: Sequence[Series]) -> str:
    parts, columns = [], _legend_columns(series)
    for i, one in enumerate(series):
        a, b = _LEFT + (i % columns) * 190, _HEIGHT + 6 + 18 * (i // columns)
        style = coloured.index(one) % _STYLES + 1 if not one.reference else 0
        mark = f"curve s{style} d{style}" if style else "ref"
        key = f'<line class="{mark}" x1="{a}" y1="{b}" x2="{a + 24}" y2="{b}"/>'
        if one.dots:
            key = f'<circle class="dot s{style}" cx="{a + 12}" cy="{b}" r="4"/>'
        name = one.name if len(one.name) <= 54 else one.name[:53] + "…"
        parts.append(f'{key}<text class="tick" x="{a + 30}" y="{b + 4}">{escape(name)}</text>')
    return "".join(parts)
