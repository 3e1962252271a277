"""A small model in a registry, and the service as a real process on loopback, for tests."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cohorts import EVERY_VOICE
from exoclassify.data.cohort import Cohort
from exoclassify.lifecycle.fit import fit
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.registry import Registry
from exoclassify.simulation.design import SimulationDesign
from exoclassify.simulation.simulate import simulate
from waiting import PATIENCE, until

ROOT = Path(__file__).parents[1]
JSON = {"Content-Type": "application/json"}
CSV = {"Content-Type": "text/csv"}


def cohort(seed: int = 3) -> Cohort:
    """90 samples of three states in two batches, 80 miRNA."""
    return simulate(SimulationDesign(seed=seed, n_samples=90, n_molecules=80)).cohort


def registry(root: Path, *versions: str) -> tuple[Registry, dict[str, ModelBundle]]:
    """A registry with a model named pain; the first version is the champion, and each was trained on another cohort."""
    made = Registry(root)
    bundles = {}
    for seed, version in enumerate(versions, start=3):
        bundles[version] = fit(cohort(seed), EVERY_VOICE, judge=False, name="pain", version=version)
        made.add(bundles[version])
    made.promote("pain", versions[0], who="test", why="first")
    return made, bundles


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of the error; every error has this shape, but for those of other protocols."""
        assert set(self.json) == {"error"}
        assert set(self.json["error"]) == {"code", "message", "where"}
        return str(self.json["error"]["code"])

    @property
    def said(self) -> str:
        """Message of the error, in whichever of the two shapes."""
        error = self.json["error"]
        return str(error if isinstance(error, str) else error["message"])


@dataclass
class Running:
    """A service that runs."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | dict[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Ask once, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            if isinstance(body, dict):
                body, headers = json.dumps(body).encode(), {**JSON, **(headers or {})}
            connection.request(method, path, body, dict(headers or {}))
            found = connection.getresponse()
            return Reply(found.status, {k.lower(): v for k, v in found.getheaders()}, found.read())
        finally:
            connection.close()

    def raw(self, content: bytes, *, close: bool = True) -> bytes:
        """Send bytes as they are, and read all that comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            connection.sendall(content)
            if close:
                connection.shutdown(socket.SHUT_WR)
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
            return b"".join(parts)

    def wait_until(self, path: str, holds: Any) -> Reply:
        """Ask until something holds of the reply."""
        seen: list[Reply] = []

        def look() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            with suppress(OSError, http.client.HTTPException):
                seen[:] = [self.ask("GET", path)]
                return bool(holds(seen[0]))
            return False

        until(look, lambda: f"{path} never became so: {seen}\n{self.log.read_text()}")
        return seen[0]

    def lines(self) -> list[dict[str, Any]]:
        """The service's own lines of the log."""
        whole = self.log.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]


def free_port() -> int:
    """A port that nobody listens at, below those the system gives to connections: none of them can take it meanwhile."""
    while True:
        port = 12_000 + int.from_bytes(os.urandom(2)) % 20_000
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def running(
    models: Path, folder: Path, *, bento: bool = False, contained: bool = False, **settings: object
) -> Iterator[Running]:
    """The service under uvicorn, or under ``bentoml serve`` (as in an image), ready to answer; ended afterwards."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EXOCLASSIFY_")}
    # A busy machine is late too: only tests of that are answered 429 for it.
    settings = {"lag_seconds": 60, **settings}
    environment |= {f"EXOCLASSIFY_{name.upper()}": str(value) for name, value in settings.items()}
    environment |= {
        "EXOCLASSIFY_REGISTRY": str(models),
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(folder / "bentoml"),
        "PYTHONWARNINGS": "default",
    }
    if contained:
        environment |= {"BENTOML_CONTAINERIZED": "true", "BENTOML_HOST": "127.0.0.1"}
    bin_ = Path(sys.executable).parent
    command = [str(bin_ / "uvicorn"), "--factory", "service.app:asgi", "--no-access-log"]
    if bento:
        command = [str(bin_ / "bentoml"), "serve", "service.app:PainService"]
    service = _started(command, environment, folder)
    process = service.process
    try:
        yield service
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _started(command: list[str], environment: dict[str, str], folder: Path, again: int = 3) -> Running:
    """Start a service, at another port when the first was taken meanwhile."""
    port = free_port()
    log = folder / f"service-{port}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*command, "--port", str(port)], cwd=ROOT, env=environment, stdout=file, stderr=file, start_new_session=True
        )
    service = Running(process, port, log)
    try:
        service.wait_until("/livez", lambda reply: reply.status == 200)
    except AssertionError:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if again and "ddress already in use" in log.read_text():
            return _started(command, environment, folder, again - 1)
        raise
    return service


@contextmanager
def behind_nginx(nginx: str, service: Running) -> Iterator[Running]:
    """The service as it is reached through nginx, which is set up word for word as service/README.md says."""
    [said] = re.findall(r"```nginx\n(.*?)```", (ROOT / "service" / "README.md").read_text(), re.DOTALL)
    port = free_port()
    for written, meant in (("127.0.0.1:3000", f"127.0.0.1:{service.port}"), ("8080", f"127.0.0.1:{port}")):
        assert written in said
        said = said.replace(written, meant)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "nginx.conf"
        settings.write_text(
            f"daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
            f"http {{ access_log off; keepalive_requests 1000000;\n"
            + "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
            + f"{said} }}"
        )
        process = subprocess.Popen([nginx, "-p", folder, "-e", f"{folder}/error.log", "-c", str(settings)])
        try:
            through = replace(service, port=port)
            through.wait_until("/livez", lambda reply: reply.status == 200)
            yield through
        finally:
            process.terminate()
            process.wait()


def asked(bundle: ModelBundle, *samples: tuple[str, Mapping[str, float | None]], **more: Any) -> dict[str, Any]:
    """Body of /v1/predict."""
    listed = [{"sample_id": name, "cargo": dict(cargo)} for name, cargo in samples]
    return {"kind": bundle.panel.kind, "unit": bundle.panel.unit, "samples": listed, **more}
