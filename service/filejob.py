"""The process that answers for one file: the job as JSON on stdin, the outcome as JSON on stdout."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import msgspec


def _main() -> None:
    from service.filework import work

    job = msgspec.json.decode(sys.stdin.buffer.read())
    resource.setrlimit(resource.RLIMIT_AS, (job["memory"], job["memory"]))
    sys.stdout.buffer.write(msgspec.json.encode(work(job, Path.cwd())))


if __name__ == "__main__":
    _main()
