"""Which of the states is the one to watch."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["positive_states"]

_CONTROLS = (
    "control",
    "healthy",
    "none",
    "no pain",
    "no-pain",
    "hc",
    "normal",
    "sham",
    "naive",
    "pain-free",
    "pain_free",
)


def positive_states(states: Sequence[str]) -> tuple[str, ...]:
    """Give the states worth a curve of their own: of two only the one that is not the control."""
    if len(states) > 2:
        return tuple(states)
    first_is_control = any(word in states[0].lower() for word in _CONTROLS)
    second_is_control = any(word in states[1].lower() for word in _CONTROLS)
    return (states[0],) if second_is_control and not first_is_control else (states[1],)
