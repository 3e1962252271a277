"""How a table is to be read, where its user says so."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AS_WRITTEN", "Reading"]


@dataclass(frozen=True)
class Reading:
    """What a user said of a table; what is None is found out from the file.

    Parameters
    ----------
    format : str, optional
        A key of `exoclassify.tables.field.formats.FORMATS`, or ``plain`` for a table of no special format.
    columns : str, optional
        Columns that hold samples, with ``*`` for the sample's name, as in ``LFQ intensity *``.
    sheet : str, optional
        Of a workbook.
    id_column : str, optional
        Column of the sample ids, for samples in rows.
    id_if_there : bool, default False
        Whether a table without that column is read as if none was named, for the sample sheet has it.
    """

    format: str | None = None
    columns: str | None = None
    sheet: str | None = None
    id_column: str | None = None
    id_if_there: bool = False


AS_WRITTEN = Reading()
"""Nothing is said."""
