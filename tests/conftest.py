"""Makes the shared cohorts importable, keeps finished folds of one test from answering for another, and has one PostgreSQL."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))
os.environ["EXOCLASSIFY_CACHE"] = ""

if TYPE_CHECKING:
    from databases import Postgres


@pytest.fixture(scope="session")
def one_server() -> Iterator[Postgres]:
    from databases import Postgres

    server = Postgres()
    yield server
    server.remove()


@pytest.fixture
def server(one_server: Postgres) -> Postgres:
    """A PostgreSQL that runs and whose database is empty, whatever an earlier test did to it."""
    one_server.start()
    one_server.empty()
    return one_server
