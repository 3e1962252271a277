"""The flow of samples as STARD asks for it, drawn from the run."""

from __future__ import annotations

from html import escape

from exoclassify.model.about import About, Training
from exoclassify.report.html import Figure, Section, Table

__all__ = ["flow"]


def flow(about: About) -> Section:
    """Draw which samples came in, were left out, and were judged."""
    training, evaluation = about.training, about.evaluation
    left_out = [note for note in training.notes if note.startswith("left out")]
    boxes = [
        ("In the sheet and the table" if left_out else "Given", [*left_out] or ["no sample was left out"]),
        ("Trained on", [f"{training.n_samples} samples", *_people(training)]),
    ]
    if evaluation is not None:
        crossed, batched = evaluation.cross_validation, evaluation.leave_one_batch_out
        boxes.append(
            (
                "Judged while left out",
                [f"{crossed.n_samples} samples in {crossed.repeats} × {crossed.folds} folds"]
                + ([] if batched is None else [f"{batched.n_samples} in a batch left out"]),
            )
        )
        calls = crossed.calls
        boxes.append(
            (
                "Answers (cross-validation)",
                [
                    f"{calls.called - calls.called_wrong:.0%} called rightly, {calls.called_wrong:.0%} wrongly",
                    f"{1 - calls.called:.0%} uncertain",
                ],
            )
        )
    rows = [(state, n) for state, n in training.samples.items()]
    figure = Figure("Flow of samples", _boxes(boxes), Table(["state", "samples trained on"], rows))
    return Section(
        "Flow of samples",
        "Which samples came in, which were left out and why, and how they were answered, as STARD asks. Add how people were "
        "recruited, and what was decided before the table was made.",
        figures=[figure],
    )


def _people(training: Training) -> list[str]:
    people = "number of people not known" if training.subjects is None else f"{training.subjects} people"
    return [people, training.mix]


def _boxes(boxes: list[tuple[str, list[str]]]) -> str:
    width, top, parts = 440, 6.0, []
    for i, (title, lines) in enumerate(boxes):
        lines = [part for line in lines for part in _wrapped(line, 58)]
        height = 30 + 17 * len(lines)
        if i:
            parts.append(
                f'<line class="axis" x1="{width / 2:g}" y1="{top - 22:g}" x2="{width / 2:g}" y2="{top - 2:g}"/>'
                f'<path class="axis" fill="none" d="M{width / 2 - 5:g} {top - 8:g} l5 6 l5 -6"/>'
            )
        parts.append(
            f'<rect class="box" x="20" y="{top:g}" width="{width - 40}" height="{height:g}" rx="4"/>'
            f'<text class="label" x="{width / 2:g}" y="{top + 19:g}" text-anchor="middle" font-weight="600">'
            f"{escape(title)}</text>"
        )
        for j, line in enumerate(lines):
            parts.append(
                f'<text class="tick" x="{width / 2:g}" y="{top + 37 + 17 * j:g}" text-anchor="middle">{escape(line)}</text>'
            )
        top += height + 24
    return (
        f'<svg viewBox="0 0 {width} {top - 16:g}" role="img" aria-label="Flow of samples"><title>Flow of samples</title>'
        f"{''.join(parts)}</svg>"
    )


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
