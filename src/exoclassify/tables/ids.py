"""Names that must be there and be unique, and rows chosen among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from exoclassify.errors import InputError, first_three

__all__ = ["check_choice", "check_unique", "counted", "row_positions"]


def counted(number: int, nouns: str, one: str, many: str) -> str:
    """Give number, noun and verb that fit each other, as in ``1 sample has`` and ``4 samples have``."""
    return f"1 {nouns.removesuffix('s')} {one}" if number == 1 else f"{number} {nouns} {many}"


def check_choice(source: str, what: str, chosen: str, known: Sequence[str]) -> None:
    """Refuse a word that is none of the known ones."""
    if chosen not in known:
        raise InputError(f"{source}: {what} is {chosen!r}; expected one of {', '.join(known)}")


def check_unique(source: str, what: str, names: Sequence[str], mend: str = "each must be unique") -> None:
    """Refuse no names at all, blank ones, and names that come twice."""
    if not names:
        raise InputError(f"{source}: there are no {what}; a header and at least one row and one column are expected")
    unique = set(names)
    if "" in unique:
        blank = [str(i + 1) for i, name in enumerate(names) if not name]
        raise InputError(
            f"{source}: {counted(len(blank), what, 'is', 'are')} blank (number {first_three(blank)} of "
            f"{len(names)}); every one needs a name"
        )
    if len(unique) < len(names):
        twice = [name for name, times in Counter(names).items() if times > 1]
        count = counted(len(twice), what, "comes", "come")
        raise InputError(f"{source}: {count} more than once ({first_three(twice)}); {mend}")


def row_positions(rows: ArrayLike, n_rows: int) -> NDArray[np.intp]:
    """Give the positions that an array of positions, a mask or an empty list means."""
    chosen = np.asarray(rows)
    if not chosen.size and chosen.ndim == 1:
        return np.empty(0, dtype=np.intp)
    mask = chosen.dtype == np.bool_ and chosen.shape == (n_rows,)
    if not mask and not (chosen.ndim == 1 and chosen.dtype.kind in "iu" and (np.abs(chosen + 0.5) < n_rows).all()):
        raise InputError(
            f"rows are {type(rows).__name__} of shape {chosen.shape} and {chosen.dtype}; give positions among {n_rows}, "
            f"or a mask of {n_rows}"
        )
    positions: NDArray[np.intp] = np.arange(n_rows, dtype=np.intp)[chosen]
    return positions
