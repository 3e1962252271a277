"""The database of records, as commands open it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sqlalchemy import Engine

__all__ = ["Database", "database"]

Database = Annotated[
    str,
    typer.Option(
        "--database", envvar="EXOCLASSIFY_DATABASE", help="sqlite:///FILE or postgresql://user:password@host/name."
    ),
]


@contextmanager
def database(url: str) -> Iterator[Engine]:
    """Open the database of records, brought to the newest layout."""
    try:
        from exoclassify.monitoring.database import opened, upgrade
    except ImportError as error:
        from exoclassify.errors import FileError

        raise FileError(f"{error.name} is not installed; pip install 'exoclassify[monitoring]'") from error
    engine = opened(url)
    try:
        upgrade(engine)
        yield engine
    finally:
        engine.dispose()
