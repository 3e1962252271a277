"""What becomes of requests and memory under full load: a new champion, a killed worker, SIGTERM, and many minutes of work.

Run as ``python tests/benchmarks/service_soak.py [--minutes 10] [--connections 16] [--nginx nginx]``. The service runs under
``bentoml serve`` with two workers. A request whose connection is reset before an answer is sent once more, as client libraries
and proxies do; ``reset`` counts those, ``lost`` what got no answer the second time, ``refused`` connections after the service
had ended. With ``--nginx`` the requests go through that program, set up as service/README.md says.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path

import psutil
from load import Load, ask

sys.path.insert(0, str(Path(__file__).parents[1]))

from exoclassify.model.registry import Registry
from serving import Running, asked, behind_nginx, cohort, registry, running


def workers(service: Running) -> list[psutil.Process]:
    """Processes that answer."""
    children = psutil.Process(service.process.pid).children(recursive=True)
    return [each for each in children if "_bentoml_impl.worker.service" in " ".join(each.cmdline())]


def told(what: str, load: Load) -> None:
    """Print what came back."""
    print(
        f"{what:<28}{sum(load.statuses.values()):>8} requests: {dict(load.statuses)}; p99 {load.quantile(0.99):.0f} ms",
        flush=True,
    )


def main() -> None:
    """Print one line an event."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--nginx", help="The program; it then stands before the service.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ProcessPoolExecutor(1, get_context("spawn")) as client:
        folder = Path(name)
        made, bundles = registry(folder / "models", "1.0.0", "2.0.0")
        table = cohort().cargo
        cargo = dict(zip(table.molecules, table.values[0].tolist(), strict=True))
        body = json.dumps(asked(bundles["1.0.0"], ("S1", cargo))).encode()
        with running(
            folder / "models", folder, bento=True, workers=2, drain_seconds=3, log="errors", open=1
        ) as service:
            service.wait_until("/readyz", lambda reply: reply.status == 200 and len(workers(service)) == 2)
            with behind_nginx(options.nginx, service) if options.nginx else nullcontext(service) as asked_one:
                _soak(service, asked_one.port, client, body, made, options)


def _soak(
    service: Running, port: int, client: ProcessPoolExecutor, body: bytes, made: Registry, options: argparse.Namespace
) -> None:
    print(f"{options.connections} connections, two workers, load average {os.getloadavg()[0]:.1f}", flush=True)
    run = client.submit(ask, port, "/v1/predict", body, options.connections, 10.0)
    time.sleep(3)
    made.promote("pain", "2.0.0", who="benchmark", why="swap")
    told("a new champion", run.result())

    run = client.submit(ask, port, "/v1/predict", body, options.connections, 25.0)
    time.sleep(3)
    killed = workers(service)[0]
    killed.kill()
    told("a worker killed", run.result())
    print(f"{'':<28}{len(workers(service))} workers afterwards", flush=True)

    client.submit(ask, port, "/v1/predict", body, options.connections, 20.0).result()
    before = {each.pid: each.memory_info().rss for each in workers(service)}
    run = client.submit(ask, port, "/v1/predict", body, options.connections, 60 * options.minutes)
    told(f"{options.minutes:g} minutes of full load", run.result())
    for each in workers(service):
        now = each.memory_info().rss
        grown = now / before[each.pid] - 1
        print(f"{'':<28}worker: {before[each.pid] / 1e6:.0f} MB before, {now / 1e6:.0f} MB after ({grown:+.1%})")

    run = client.submit(ask, port, "/v1/predict", body, options.connections, 8.0)
    time.sleep(2)
    service.process.send_signal(signal.SIGTERM)
    told("SIGTERM", run.result())


if __name__ == "__main__":
    main()
