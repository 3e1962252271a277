"""A database of records: SQLite for one machine, PostgreSQL for several workers; brought to the newest layout when opened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from filelock import FileLock
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from exoclassify.errors import FileError

__all__ = ["opened", "reached", "upgrade"]

_DIALECTS = ("sqlite", "postgresql")
_LOCK = 0x65786F
"""Number of the advisory lock that keeps two upgrades apart in PostgreSQL."""


def opened(url: str) -> Engine:
    """Make an engine; nothing is reached before it is used."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() not in _DIALECTS:
            raise ArgumentError("another kind of database")
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
            return create_engine(parsed, pool_pre_ping=True, connect_args={"connect_timeout": 5})
        engine = create_engine(parsed, connect_args={"timeout": 30})
    except (ArgumentError, NoSuchModuleError) as error:
        raise FileError(
            "the database is neither sqlite:///FILE nor postgresql://user:password@host/name; give such a URL"
        ) from error
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def upgrade(engine: Engine) -> None:
    """Bring a database to the newest layout; several at once wait for each other."""
    script = ScriptDirectory(str(Path(__file__).parent / "migrations"), version_locations=[_migrations()])
    with reached(engine):
        _make_private(engine)
    with reached(engine), _alone(engine), engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        else:  # unasked, SQLite's driver begins no transaction for tables: a kill would leave half of them
            connection.exec_driver_sql("begin immediate")
        _run(script, connection)


def _make_private(engine: Engine) -> None:
    """Make a new SQLite file readable by its owner alone; what SQLite writes beside it gets the same mode."""
    name = engine.url.database
    if engine.dialect.name == "sqlite" and name and name != ":memory:":
        os.close(os.open(name, os.O_CREAT | os.O_RDWR, 0o600))


@contextmanager
def reached(engine: Engine) -> Iterator[None]:
    """Translate what a database says into an error that names it, without its password."""
    try:
        yield
    except (DBAPIError, SQLAlchemyError, OSError) as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise FileError(
            f"database {engine.url.render_as_string(hide_password=True)}: {cause}; check the URL, and that it runs and has "
            "space"
        ) from error


def _migrations() -> str:
    return str(Path(__file__).parent / "migrations")


def _alone(engine: Engine) -> Any:
    name = engine.url.database
    if engine.dialect.name != "sqlite" or not name or name == ":memory:":
        return nullcontext()
    return FileLock(f"{name}.lock", timeout=60)


def _run(script: ScriptDirectory, connection: Connection) -> None:
    def steps(revision: Any, _: Any) -> Any:
        known = {each.revision for each in script.walk_revisions()}
        strange = [each for each in _as_tuple(revision) if each not in known]
        if strange:
            raise FileError(
                f"the database has layout {strange[0]}, which this version of exoclassify does not know; use a newer one"
            )
        return script._upgrade_revs("head", revision)

    with EnvironmentContext(Config(), script, fn=steps) as environment:
        environment.configure(connection=connection, transactional_ddl=True)
        environment.run_migrations()


def _as_tuple(revision: Any) -> tuple[str, ...]:
    if revision is None:
        return ()
    return (revision,) if isinstance(revision, str) else tuple(revision)


def _prepare_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("pragma journal_mode = wal")  # readers and the writer do not wait for each other
    cursor.execute("pragma synchronous = normal")
    cursor.close()
