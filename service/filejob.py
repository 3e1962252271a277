"""The process that answers for one file: a job as JSON on stdin, the outcome as JSON on stdout.

It gets ready first and then waits for its job, so that one can be started before it is needed.
"""

from __future__ import annotations

import resource
import sys

import msgspec

from service.filework import work


def _main() -> None:
    said = sys.stdin.buffer.read()
    if not said:  # the service stopped
        return
    job = msgspec.json.decode(said)
    resource.setrlimit(resource.RLIMIT_AS, (job["memory"], job["memory"]))
    sys.stdout.buffer.write(msgspec.json.encode(work(job)))


if __name__ == "__main__":
    _main()
