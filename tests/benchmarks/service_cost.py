"""What a request costs, side by side: this service and other servers with the same model, in one run on one machine.

Run as ``python tests/benchmarks/service_cost.py [--only WORD] [--copies 1] [--fastapi PYTHON] [--mlserver PYTHON]``. All
servers have one worker and one sample a request, by names (MLServer: a tensor). They run at the same time and are asked in
turn, round after round; the table shows medians over rounds. FastAPI and MLServer are asked when a Python that has them and
exoclassify is named. CPU is that of the server's processes, user and system. Each server has a session of its own, as BentoML
gives its workers one: Linux shares a busy machine among sessions.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
from load import Load, ask

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))

from exoclassify.lifecycle.fit import fit
from exoclassify.model.registry import Registry
from exoclassify.simulation.design import SimulationDesign
from exoclassify.simulation.simulate import simulate
from serving import free_port


class Server:
    """One server that runs."""

    def __init__(
        self, name: str, command: list[str], port: int, environment: dict[str, str], path: str, body: bytes
    ) -> None:
        self.name, self.port, self.path, self.body = name, port, path, body
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "BENTOML_DO_NOT_TRACK": "True"}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **threads, **environment},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self.loads: dict[int, list[tuple[Load, float]]] = {}

    def tree(self) -> list[psutil.Process]:
        root = psutil.Process(self.process.pid)
        return [root, *root.children(recursive=True)]

    def cpu(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self.tree())

    def ready(self) -> bool:
        for _ in range(120):
            load = ask(self.port, self.path, self.body, 1, 0.2)
            if load.statuses["200"]:
                return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.5)
        return False

    def stop(self) -> None:
        for process in reversed(self.tree()):
            process.kill()
        self.process.wait()


def servers(folder: Path, options: argparse.Namespace, body: bytes, tensor: bytes) -> list[Server]:
    """Start all of them."""
    model, bin_ = str(folder / "models" / "pain" / "1.0.0"), Path(sys.executable).parent
    ours = {"EXOCLASSIFY_REGISTRY": str(folder / "models")}
    kept = {
        **ours,
        "EXOCLASSIFY_DATABASE": f"sqlite:///{folder}/records-COPY.db",
        "EXOCLASSIFY_SPOOL": str(folder / "spool-COPY"),
    }
    peer = {"PEER_MODEL": model, "PYTHONPATH": str(HERE)}

    here = sys.executable

    def uvicorn(python: str, app: str, port: int) -> list[str]:
        return [python, "-m", "uvicorn", "--factory", app, "--port", str(port), "--no-access-log"]

    def bento(app: str, port: int) -> list[str]:
        return [str(bin_ / "bentoml"), "serve", app, "--port", str(port)]

    plans: list[tuple[str, Any, dict[str, str], str, bytes]] = [
        ("Starlette + msgspec, the floor", lambda port: uvicorn(here, "peers:starlette_app", port), peer, "/v1/predict", body),
        ("this service, bentoml serve", lambda port: bento("service.app:PainService", port), ours, "/v1/predict", body),
        ("this service, uvicorn", lambda port: uvicorn(here, "service.app:asgi", port), ours, "/v1/predict", body),
        ("this service, uvicorn, records", lambda port: uvicorn(here, "service.app:asgi", port), kept, "/v1/predict", body),
        ("BentoML default", lambda port: bento("peers:Peer", port), {**peer, "PEER_BENTO": "1"}, "/v1/predict", body),
    ]  # fmt: skip
    if options.fastapi:
        plans.append(
            ("FastAPI", lambda port: uvicorn(options.fastapi, "peers:fastapi_app", port), peer, "/v1/predict", body)
        )
    if options.mlserver:
        plans.append(
            ("MLServer", lambda port: _mlserver(folder, options.mlserver, port), peer, "/v2/models/pain/infer", tensor)
        )
    started = []
    for name, command, environment, path, content in [p for p in plans if options.only in p[0]] * options.copies:
        port = free_port()
        started.append(Server(name, command(port), port, environment, path, content))
    return started


def _mlserver(folder: Path, python: str, port: int) -> list[str]:
    home = folder / "mlserver"
    home.mkdir()
    settings = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port(), "parallel_workers": 0}
    (home / "settings.json").write_text(json.dumps({**settings, "host": "127.0.0.1", "debug": False}))
    (home / "model-settings.json").write_text(json.dumps({"name": "pain", "implementation": "peer_mlserver.Peer"}))
    return [str(Path(python).parent / "mlserver"), "start", str(home)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--only", default="", help="servers with this in their name, such as 'uvicorn'")
    parser.add_argument("--copies", type=int, default=1, help="of each server, for two alike can differ by 4 %%")
    parser.add_argument("--fastapi", help="Python with fastapi and exoclassify")
    parser.add_argument("--mlserver", help="Python with mlserver and exoclassify")
    options = parser.parse_args()
    cohort = simulate(SimulationDesign(seed=7, n_samples=120, n_molecules=400)).cohort
    bundle = fit(cohort, judge=False, name="pain")
    cargo = dict(zip(cohort.cargo.molecules, cohort.cargo.values[0].tolist(), strict=True))
    question = {"kind": "mirna", "unit": "counts", "samples": [{"sample_id": "S1", "cargo": cargo}]}
    row = cohort.cargo.aligned(bundle.panel.molecules)[0].tolist()
    tensor = {"inputs": [{"name": "cargo", "shape": [1, len(row)], "datatype": "FP64", "data": row}]}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        registry = Registry(folder / "models")
        registry.add(bundle)
        registry.promote("pain", "1.0.0", who="benchmark", why="to measure")
        started = servers(folder, options, json.dumps(question).encode(), json.dumps(tensor).encode())
        for server in started:
            stack.callback(server.stop)
        alive = [server for server in started if server.ready()]
        client = stack.enter_context(ProcessPoolExecutor(1, get_context("spawn")))
        for _ in range(options.rounds):
            for connections in options.connections:
                for server in random.sample(alive, len(alive)):
                    before = server.cpu()
                    arguments = (server.port, server.path, server.body, connections, options.seconds)
                    load = client.submit(ask, *arguments).result()
                    first = next(each for each in alive if each.name == server.name)
                    first.loads.setdefault(connections, []).append((load, server.cpu() - before))
        report([server for server in alive if server.loads], len(cargo), os.getloadavg()[0])
        for server in started:
            if server not in alive:
                print(f"{server.name}: did not start")


def report(alive: list[Server], n_molecules: int, busy: float) -> None:
    """Print medians over rounds, and what they are of the floor."""
    print(f"one sample of {n_molecules} molecules a request, one worker; load average of the machine {busy:.1f}")
    heads = ["CPU ms a request", "requests/s", "p50 ms", "p99 ms", "not 200"]
    print(f"{'server':<34}" + "".join(f"{head:>27}" for head in heads) + f"{'CPU, x floor':>20}")
    floor: list[float] = []
    for server in alive:
        cpu, good, p50, p99 = [], [], [], []
        failed = 0
        for runs in server.loads.values():
            cpu.append(statistics.median(1e3 * used / max(1, load.statuses["200"]) for load, used in runs))
            good.append(statistics.median(load.good for load, _ in runs))
            p50.append(statistics.median(load.quantile(0.5) for load, _ in runs))
            p99.append(statistics.median(load.quantile(0.99) for load, _ in runs))
            failed += sum(sum(load.statuses.values()) - load.statuses["200"] for load, _ in runs)
        floor = floor or cpu
        cells = [
            " / ".join(f"{value:.{digits}f}" for value in values)
            for values, digits in ((cpu, 2), (good, 0), (p50, 1), (p99, 1))
        ]
        ratio = " / ".join(f"{mine / base:.2f}" for mine, base in zip(cpu, floor, strict=True))
        print(f"{server.name:<34}" + "".join(f"{cell:>27}" for cell in [*cells, failed]) + f"{ratio:>20}")


if __name__ == "__main__":
    main()
