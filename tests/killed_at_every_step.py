"""Scores in child processes that kill themselves at a step of writing, further on each time, then resumes each.

Run by test_parts.py in a process of its own: ``python killed_at_every_step.py MODEL TABLE OUT STRIDE``. Says how many steps
there were; fails when a killed run left a final file, or a resumed one gives other bytes.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from exoclassify.model.bundle import ModelBundle
from exoclassify.scoring import finishing, parts
from exoclassify.scoring.runners import Threads
from exoclassify.scoring.stream import Asked, score_files
from scored import small_pieces


class _Steps:
    """Counts what touches the disk, and dies in the middle of step number `fatal`."""

    def __init__(self, fatal: int) -> None:
        self.left = fatal
        self.replace, self.write_bytes = os.replace, Path.write_bytes
        self.sink = finishing.sink

    def fatal(self) -> bool:
        self.left -= 1
        return self.left == 0

    def install(self) -> None:
        steps = self

        def replace(old: Path, new: Path) -> None:
            if steps.fatal():
                die()
            steps.replace(old, new)
            if steps.fatal():
                die()

        def write_bytes(path: Path, content: bytes) -> int:
            if steps.fatal():
                steps.write_bytes(path, memoryview(content)[: len(memoryview(content)) // 2])
                die()
            return steps.write_bytes(path, content)

        def sink(*about):
            opened = steps.sink(*about)
            write = opened.write

            def write_or_die(table):
                write(table)
                if steps.fatal():
                    die()

            opened.write = write_or_die
            return opened

        parts.os.replace = replace
        Path.write_bytes = write_bytes
        finishing.sink = sink


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def in_child(bundle: ModelBundle, table: Path, out: Path, asked: Asked, fatal: int) -> bool:
    """Whether the run came to its end."""
    child = os.fork()
    if not child:
        code = 1
        try:
            _Steps(fatal).install()
            score_files(bundle, [str(table)], out, asked, runner=Threads(1))
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), f"step {fatal}: {status}"
    return status == 0


def main() -> None:
    model, table, out = (Path(argument) for argument in sys.argv[1:4])
    bundle = ModelBundle.load(model)
    small_pieces(pytest.MonkeyPatch())
    assert in_child(bundle, table, out, Asked(), -1)
    rejected = finishing.rejected_path(out)
    wanted = out.read_bytes(), rejected.read_bytes()
    for fatal in range(1, 10_000, int(sys.argv[4])):
        for path in (out, rejected):
            path.unlink()
        ended = in_child(bundle, table, out, Asked(), fatal)
        if ended:
            break
        if out.exists():  # killed right after the last file got its name: what is there is whole
            assert (out.read_bytes(), rejected.read_bytes()) == wanted
            shutil.rmtree(out.with_name(f"{out.name}.parts"))
            continue
        assert in_child(bundle, table, out, Asked(resume=True, force=True), -1), fatal
        assert (out.read_bytes(), rejected.read_bytes()) == wanted, fatal
        left = {path.name for path in out.parent.iterdir()} - {out.name, rejected.name, table.name, model.name}
        assert not left, (fatal, left)
    sys.stdout.write(f"{fatal - 1}\n")


if __name__ == "__main__":
    main()
