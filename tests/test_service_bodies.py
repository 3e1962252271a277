"""Slow, large and many bodies; records that add up whatever happens to the disk and the process."""

from __future__ import annotations

import contextlib
import json
import select
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from exoclassify.model.bundle import ModelBundle
from exoclassify.monitoring.spool import Spool
from serving import CSV, JSON, Running, asked, cohort, registry, running
from waiting import PATIENCE

pytestmark = [pytest.mark.service, pytest.mark.slow]
TABLE = cohort(3).cargo.take(np.arange(5))
CONTENT = TABLE.to_frame().to_csv().encode()
AWAY = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ModelBundle]:
    root = tmp_path_factory.mktemp("made")
    _, bundles = registry(root, "1.0.0")
    return root, bundles["1.0.0"]


def question(bundle: ModelBundle) -> bytes:
    rows = [dict(zip(TABLE.molecules, row, strict=True)) for row in TABLE.values.tolist()]
    return json.dumps(asked(bundle, *zip(TABLE.sample_ids, rows, strict=True))).encode()


@contextlib.contextmanager
def half_sent(
    service: Running, n: int, path: str, media: str, length: int, sent: bytes
) -> Iterator[list[socket.socket]]:
    """Open connections whose bodies have begun, and do not go on."""
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(n):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE))
            head = (
                f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media}\r\nContent-Length: {length}\r\n\r\n"
            )
            connection.sendall(head.encode() + sent)
            found.append(connection)
        yield found


def test_idle_uploads_hold_up_no_other_one_and_are_ended(made: tuple[Path, ModelBundle], tmp_path: Path) -> None:
    # At one byte a second 100 bytes give an upload 105 seconds, and none 5.
    with running(made[0], tmp_path, body_rate_kb=0.001, body_seconds=600) as service:
        with half_sent(service, 4, "/v1/predict-file", "text/csv", 10**7, CONTENT[:100]):
            # Held up, it would be asked to come again after 5 seconds.
            assert service.ask("POST", "/v1/predict-file", CONTENT, CSV).status == 200
        with half_sent(service, 4, "/v1/predict-file", "text/csv", 10**7, b"") as idle:
            for connection in idle:
                assert connection.recv(65536).startswith(b"HTTP/1.1 408")


def test_half_sent_large_bodies_stay_out_of_memory_and_out_of_the_way(
    made: tuple[Path, ModelBundle], tmp_path: Path
) -> None:
    with running(made[0], tmp_path) as service:
        asking = question(made[1])
        assert service.ask("POST", "/v1/predict", asking, JSON).status == 200
        process = psutil.Process(service.process.pid)
        rest, peak = process.memory_info().rss, 0
        with half_sent(service, 30, "/v1/predict", "application/json", 30 * 10**6, b" " * (15 * 10**6)):
            for _ in range(40):
                peak = max(peak, process.memory_info().rss)
                assert service.ask("POST", "/v1/predict", asking, JSON).status == 200
        assert peak < rest + 300e6, (peak - rest) / 1e6


def test_what_all_bodies_hold_together_is_bounded(made: tuple[Path, ModelBundle], tmp_path: Path) -> None:
    with running(made[0], tmp_path, max_bodies_mb=20, body_seconds=600) as service:
        # Whoever comes over the limit is told so, or finds the connection closed while it still sends.
        with (
            contextlib.suppress(ConnectionError),
            half_sent(service, 3, "/v1/predict", "application/json", 30 * 10**6, b" " * (9 * 10**6)) as sent,
        ):
            ready, _, _ = select.select(sent, [], [], PATIENCE)
            assert ready
            assert ready[0].recv(65536).startswith(b"HTTP/1.1 429")
        assert 'route="/v1/predict",status="429"' in service.ask("GET", "/metrics").body.decode()
        service.wait_until("/livez", lambda reply: reply.status == 200)
        assert service.ask("POST", "/v1/predict", question(made[1]), JSON).status == 200


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        (["localhost", "evil.example"], 400), (["127.999.1.1"], 403), (["127.0.0.1.evil.example"], 403), (["[::1]:3000"], 200),
        (["127.8.9.10:80"], 200), (["2130706433"], 403), ([], 400),
    ],
)  # fmt: skip
def test_only_this_machine_by_its_own_names_is_answered_without_keys(
    made: tuple[Path, ModelBundle], shared: Running, hosts: list[str], status: int
) -> None:
    head = "".join(f"Host: {host}\r\n" for host in hosts)
    reply = shared.raw(f"GET /v1/models HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
    found = int(reply.split()[1])
    assert found == status or (not hosts and found in (400, 403))


@pytest.fixture(scope="module")
def shared(made: tuple[Path, ModelBundle], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(made[0], tmp_path_factory.mktemp("shared")) as service:
        yield service


def answered(service: Running, asking: bytes, times: int) -> int:
    statuses = [service.ask("POST", "/v1/predict", asking, JSON).status for _ in range(times)]
    assert set(statuses) == {200}
    return times * TABLE.n_samples


def figures(service: Running) -> dict[str, float]:
    lines = service.ask("GET", "/metrics").body.decode().splitlines()
    found = [line.split() for line in lines if line.startswith("exoclassify_records_")]
    return {name.removeprefix("exoclassify_records_").partition("{")[0]: float(value) for name, value in found}


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "kill -9"])
def test_every_answer_is_accounted_for_on_a_full_disk_with_the_database_away(
    made: tuple[Path, ModelBundle], tmp_path: Path, end: signal.Signals
) -> None:
    more = {"database": AWAY, "spool": tmp_path / "spool", "log": "errors", "drain_seconds": 0.1}
    with running(made[0], tmp_path, **more) as service:
        service.wait_until("/readyz", lambda reply: reply.status == 200)
        n = answered(service, question(made[1]), 20)
        # The disk is full from here on: no file of the process grows any more.
        psutil.Process(service.process.pid).rlimit(psutil.RLIMIT_FSIZE, (100_000, 100_000))
        n += answered(service, question(made[1]), 120)
        n += TABLE.n_samples
        assert service.ask("POST", "/v1/predict-file", CONTENT, CSV).status == 200  # its process has room still
        told = figures(service)
        assert told["waiting"] > 0
        assert told["lost"] > 0
        assert told["waiting"] + told["lost"] == n
        service.process.send_signal(end)
        service.process.wait(PATIENCE)
    ledger = Spool(tmp_path / "spool").ledger()
    assert ledger.waiting + ledger.lost == n
    assert sum(line["event"] == "records" for line in service.lines()) < 40  # one in ten seconds, not a line a request


def test_where_records_are_required_an_answer_without_one_is_refused(
    made: tuple[Path, ModelBundle], tmp_path: Path
) -> None:
    more = {"database": AWAY, "spool": tmp_path / "spool", "log": "errors", "records": "required"}
    with running(made[0], tmp_path, **more) as service:
        service.wait_until("/readyz", lambda reply: reply.status == 200)
        psutil.Process(service.process.pid).rlimit(psutil.RLIMIT_FSIZE, (100_000, 100_000))
        replies = [service.ask("POST", "/v1/predict", question(made[1]), JSON) for _ in range(150)]
        refused = [reply for reply in replies if reply.status != 200]
        assert {(reply.status, reply.code) for reply in refused} == {(503, "not_recorded")}
        assert figures(service)["waiting"] == TABLE.n_samples * (len(replies) - len(refused))
        assert figures(service)["lost"] == 0
        for child in psutil.Process(service.process.pid).children():  # those that read files too
            child.rlimit(psutil.RLIMIT_FSIZE, (100_000, 100_000))
        replies = (service.ask("POST", "/v1/predict-file", CONTENT, CSV) for _ in range(300))
        reply = next(reply for reply in replies if reply.status != 200)
        assert (reply.status, reply.code) == (503, "not_recorded")
