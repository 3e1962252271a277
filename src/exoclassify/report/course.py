"""The course of one person, drawn and told."""

from __future__ import annotations

import numpy as np

from exoclassify.data.states import positive_states
from exoclassify.model.course import Course
from exoclassify.report.html import Cell, Figure, Section, Table
from exoclassify.report.plots import Axis, Series, curves

__all__ = ["course_section"]

_MOST_STATES = 5


def course_section(found: Course) -> Section:
    """Show a course as one section of a page, with one figure."""
    states, noise = found.answers.states, found.noise
    shown = positive_states(states)[:_MOST_STATES]
    columns = [
        "visit",
        "sample",
        "call",
        *(f"{state} ({found.level:.0%} interval)" for state in shown),
        "beyond noise",
        "flags",
    ]
    rows: list[tuple[Cell, ...]] = []
    for i, visit in enumerate(found.visits):
        beyond = [state for k, state in enumerate(states) if found.reliable[i, k] and state in shown]
        told = [
            f"{found.answers.probabilities[i, k]:.2f} ({found.low[i, k]:.2f} to {found.high[i, k]:.2f})"
            for k in map(states.index, shown)
        ]
        rows.append(
            (visit, found.answers.sample_ids[i], found.answers.calls[i], *told, ", ".join(beyond),
             ", ".join(found.answers.flags[i]))
        )  # fmt: skip
    repeats = f"{noise.freedom:.0f} repeated samples of {noise.persons} persons ({noise.source})"
    return Section(
        f"Course of {found.person}",
        "\n\n".join(found.in_words()),
        [_figure(found, shown)],
        [Table(columns, rows)],
        [
            f"{found.level:.0%} intervals: where other samples of the same day would lie, by {repeats}. They leave out what the "
            "model itself does not know. A change is measured from the first visit, and reported only where it exceeds the noise "
            f"of both samples: of people who do not change, at most {1 - found.level:.0%} raise an alarm.",
            "Visits measured in different batches can differ by the batch. Support for a decision by a person, not a diagnosis.",
        ],
    )


def _figure(found: Course, shown: tuple[str, ...]) -> Figure:
    states, x = found.answers.states, np.arange(1.0, len(found.visits) + 1)
    series = []
    for k in map(states.index, shown):
        p = found.answers.probabilities[:, k]
        series.append(Series(states[k], x, p, found.low[:, k], found.high[:, k], joined=True))
    for k in map(states.index, shown):
        beyond = found.reliable[:, k]
        if beyond.any():
            series.append(
                Series(f"{states[k]}: beyond noise", x[beyond], found.answers.probabilities[beyond, k], dots=True)
            )
    return curves(
        f"Probability at each visit of {found.person}",
        series,
        Axis("visit", 0.5, len(x) + 0.5, found.visits),
        Axis("probability", 0.0, 1.0),
        "Whiskers: where other samples of the same day would lie. Beyond noise: a larger change since the first visit.",
    )
