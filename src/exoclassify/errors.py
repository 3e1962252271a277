"""What can go wrong that a caller can mend, as one tree.

::

    ExoclassifyError
    ├── FileError      a file cannot be read or written: missing, truncated, not this format, no space
    ├── InputError     a table or sheet was read, and its content cannot be used as stated
    ├── DesignError    the cohort is sound, and too small or too one-sided for what was asked
    ├── RecipeError    a recipe has an unknown key or a value out of range
    └── ModelError     a model folder is foreign, changed, incomplete, or does not fit the table

Every message says where (file, sample, column), how many and the first three, what was found, and the fix.
The doors translate once: the command line prints one line and exits 2, the service answers 4xx with a JSON body.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "DesignError",
    "ExoclassifyError",
    "FileError",
    "InputError",
    "ModelError",
    "RecipeError",
    "check_type",
    "first_three",
]


class ExoclassifyError(Exception):
    """Root of all errors that a caller can mend."""


class FileError(ExoclassifyError):
    """A file cannot be read or written."""


class InputError(ExoclassifyError):
    """The content of a table or sheet cannot be used as stated."""


class DesignError(ExoclassifyError):
    """The cohort cannot support what was asked of it."""


class RecipeError(ExoclassifyError):
    """A recipe is not valid."""


class ModelError(ExoclassifyError):
    """A model cannot be trusted, opened, or applied to this table."""


def first_three(names: Iterable[object]) -> str:
    """Name the first three of many for a message, as in ``S07, S11, S12, …``."""
    listed = [str(name) for name in names]
    return ", ".join(listed[:3]) + (", …" if len(listed) > 3 else "")


def check_type(value: object, kinds: type | tuple[type, ...], what: str, fix: str) -> None:
    """Refuse an argument of the wrong type.

    Parameters
    ----------
    what : str
        Names function and argument, as in ``fit: cohort``.
    """
    if not isinstance(value, kinds):
        shape = getattr(value, "shape", None)
        of_shape = f" of shape {shape}" if isinstance(shape, tuple) else ""
        found = "None" if value is None else f"of type {type(value).__name__}{of_shape}"
        raise InputError(f"{what} is {found}; give {fix}")
