"""exoclassify serve as a real process: it answers from any folder, refuses a taken port in one line, and stops at Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from serving import free_port
from waiting import PATIENCE, until

pytestmark = pytest.mark.service

START = [sys.executable, "-c", "from exoclassify.cli.main import main; main()", "serve"]


def page(process: subprocess.Popen[str], port: int) -> str:
    """What is there, or nothing yet."""
    assert process.poll() is None
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as reply:
            return str(reply.read().decode())
    except OSError:
        return ""


def test_the_page_answers_from_any_folder_and_stops_at_ctrl_c(tmp_path: Path) -> None:
    port = free_port()
    path = os.pathsep.join(entry for entry in sys.path if entry)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EXOCLASSIFY_")} | {"PYTHONPATH": path}
    process = subprocess.Popen(
        [*START, "--port", str(port), "--models", "mine"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert "Pain state" in until(lambda: page(process, port))
        assert (tmp_path / "mine").is_dir()
    finally:
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert f"http://localhost:{port}/" in said
    assert "Traceback" not in said


def test_a_port_that_is_taken_is_said_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = subprocess.run([*START, "--port", str(taken.getsockname()[1])], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --port")
    assert done.stderr.count("\n") == 1
