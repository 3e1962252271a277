"""The service over its life: who may call it, too much work, a new champion, a killed worker, the end."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.responses import StreamingResponse

from exoclassify.model.bundle import ModelBundle
from exoclassify.model.registry import Registry
from service.exchange import Refusal, Request
from service.files import Files
from service.keys import Keys, new_key
from service.limits import Pressure, Rates, Turns
from service.records import Records
from service.served import Served
from service.settings import Settings, SettingsError
from service.telemetry import Log, Metrics
from serving import CSV, JSON, ROOT, Running, asked, behind_nginx, cohort, free_port, registry, running
from waiting import PATIENCE, gone, until

pytestmark = pytest.mark.service

TABLE = cohort().cargo
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, ModelBundle]]:
    root = tmp_path_factory.mktemp("made")
    return root, registry(root, "1.0.0", "2.0.0")[1]


@pytest.fixture
def models(made: tuple[Path, dict[str, ModelBundle]], tmp_path: Path) -> Path:
    """A registry of its own, champion 1.0.0 and 2.0.0 beside it."""
    shutil.copytree(made[0], tmp_path / "models")
    return tmp_path / "models"


@pytest.fixture
def question(made: tuple[Path, dict[str, ModelBundle]]) -> bytes:
    bundle = made[1]["1.0.0"]
    cargo = dict(zip(TABLE.molecules, TABLE.values[0].tolist(), strict=True))
    return json.dumps(asked(bundle, ("S", cargo))).encode()


class Callers:
    """Ask again and again on a few connections, and keep what came back.

    A connection that is reset before an answer began is opened anew and the question asked once more, as every client
    library and every proxy does; both resets and questions that got no answer at all are counted.
    """

    def __init__(self, service: Running, question: bytes, n: int = 4) -> None:
        self.answers: Counter[int | str] = Counter()
        self.versions: Counter[str] = Counter()
        self._stop = threading.Event()
        self._service, self._question = service, question
        self._threads = [threading.Thread(target=self._ask) for _ in range(n)]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._service.port, timeout=PATIENCE)
        while not self._stop.is_set():
            for attempt in range(2):
                try:
                    connection.request("POST", "/v1/predict", self._question, JSON)
                    reply = connection.getresponse()
                    content = reply.read()
                except ConnectionRefusedError:
                    self.answers["refused"] += 1
                    self._stop.wait(0.05)
                    break
                except (OSError, HTTPException):
                    connection.close()
                    self.answers["reset" if attempt == 0 else "refused" if self._ended() else "lost"] += 1
                    continue
                self.answers[reply.status] += 1
                if reply.status == 200:
                    self.versions[json.loads(content)["version"]] += 1
                elif reply.status == 503:
                    assert reply.getheader("Retry-After")
                    self._stop.wait(0.02)
                break
        connection.close()

    def _ended(self) -> bool:
        """The service ended while it was asked: what waits at its port then is reset and not refused."""
        with suppress(subprocess.TimeoutExpired):
            self._service.process.wait(PATIENCE)
        return self._service.process.poll() is not None

    def wait_for(self, holds: Callable[[Callers], bool]) -> None:
        until(lambda: holds(self), lambda: (self.answers, self.versions, self._service.log.read_text()[-3000:]))


# Who may call


def _callers(service: Running) -> set[str]:
    return {line["key"] for line in service.lines() if line["event"] == "request"}


def test_only_callers_with_a_key_are_answered_and_the_log_names_them(
    models: Path, question: bytes, tmp_path: Path
) -> None:
    key, line = new_key("lims")
    other, other_line = new_key("web")
    (tmp_path / "keys").write_text(f"# who may call\n{line}\n")
    hashed = other_line.replace(" ", ":")
    with running(models, tmp_path, keys_file=tmp_path / "keys", api_keys=hashed, rate=4) as service:
        for path in ("/livez", "/readyz", "/", "/openapi.json"):
            assert service.ask("GET", path).status == 200
        document = service.ask("GET", "/openapi.json").json
        assert document["paths"]["/v1/predict"]["post"]["security"] == [{"key": []}]
        wrong: dict[str, str]
        for wrong in ({}, {"Authorization": f"Basic {key}"}, {"Authorization": f"Bearer {key}x"}):
            for method, path in (("GET", "/v1/models"), ("GET", "/metrics"), ("POST", "/v1/predict")):
                reply = service.ask(method, path, question if method == "POST" else None, {**JSON, **wrong})
                assert (reply.status, reply.code) == (401, "no_key")
                assert reply.headers["www-authenticate"] == "Bearer"
        right = {"Authorization": f"Bearer {key}", **JSON}
        replies = [service.ask("POST", "/v1/predict", question, right) for _ in range(30)]
        assert Counter(reply.status for reply in replies).keys() == {200, 429}
        refused = next(reply for reply in replies if reply.status == 429)
        assert (refused.code, refused.headers["retry-after"]) == ("too_many", "1")
        assert service.ask("GET", "/v1/models", headers={"Authorization": f"bearer {other}"}).status == 200
        # a line is written after its answer
        until(lambda: _callers(service) == {"", "lims", "web"}, lambda: _callers(service))
        assert key not in service.log.read_text()


@pytest.mark.parametrize("bento", [False, True], ids=["uvicorn", "bentoml"])
def test_other_machines_are_not_listened_to_without_keys_unless_told_so(
    models: Path, tmp_path: Path, bento: bool
) -> None:
    port = str(free_port())
    command = ["uvicorn", "--factory", "service.app:asgi", "--host", "0.0.0.0", "--port", port]
    environment = {**os.environ, "EXOCLASSIFY_REGISTRY": str(models), "BENTOML_DO_NOT_TRACK": "True"}
    if bento:  # in an image BentoML listens on every address without being asked
        command = ["bentoml", "serve", "service.app:PainService", "--port", port]
        environment["BENTOML_CONTAINERIZED"] = "true"
    done = subprocess.run(
        [str(Path(sys.executable).parent / command[0]), *command[1:]],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode != 0
    assert "asked to listen on 0.0.0.0, and there are no API keys" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"EXOCLASSIFY_KEYFILE": "x"}, "EXOCLASSIFY_KEYFILE is no setting; the settings are EXOCLASSIFY_REGISTRY"),
        ({"EXOCLASSIFY_RATE": "nan"}, "EXOCLASSIFY_RATE=nan: give a number from 0 on"),
        ({"EXOCLASSIFY_RATE": "many"}, "EXOCLASSIFY_RATE=many"),
        ({"EXOCLASSIFY_WORKERS": "0"}, "give a whole number from 1 on"),
        ({"EXOCLASSIFY_OPEN": "perhaps"}, "give 1 or 0"),
        ({"EXOCLASSIFY_REGISTRY": "s3://bucket/models"}, "give a folder"),
        ({"EXOCLASSIFY_LOG": "all"}, "give requests or errors"),
        ({"EXOCLASSIFY_MAX_JSON_MB": "0"}, "give megabytes, above 0"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(environment: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Settings.read(environment)


def test_settings_that_are_empty_are_not_set() -> None:
    assert Settings.read({"EXOCLASSIFY_RATE": "", "PATH": "/bin"}) == Settings()
    assert Settings.read({"EXOCLASSIFY_MODEL": "a, b", "EXOCLASSIFY_CACHE": "x"}).model == ("a", "b")
    assert Settings.read({"EXOCLASSIFY_DATABASE": "sqlite:///r.db"}).database == "sqlite:///r.db"


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "holds no key"), ("lims abc", "entry 1 is not a name"), ("a {0}\na {0}", "the name a comes twice")],
)
def test_a_file_of_keys_that_cannot_be_used_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "keys").write_text(text.format("0" * 64))
    with pytest.raises(SettingsError, match=message):
        Keys.read(Settings(keys_file=tmp_path / "keys"))


def test_a_missing_file_of_keys_and_a_bad_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        Keys.read(Settings(keys_file=tmp_path / "none"))
    with pytest.raises(SettingsError, match="use letters, digits"):
        new_key("two words")


def test_the_command_that_makes_a_key_shows_it_once_and_prints_its_hash() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "service.keys", "lims"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    key = done.stderr.split()[-1]
    assert Keys.read(Settings(api_keys=done.stdout.strip())).name_of(key) == "lims"
    assert key not in done.stdout


# Too much


def test_a_key_may_ask_at_its_rate_and_twice_as_much_at_once() -> None:
    now = [0.0]
    rates = Rates(2, clock=lambda: now[0])
    for _ in range(4):
        rates.take("a")
    with pytest.raises(Refusal, match="this key may ask 2 times a second"):
        rates.take("a")
    rates.take("b")
    now[0] = 0.5
    rates.take("a")
    with pytest.raises(Refusal, match="wait 1 s"):
        rates.take("a")


def test_work_is_refused_when_too_much_waits() -> None:
    waiting = [4000]
    pressure = Pressure(0.25, 4000, lambda: waiting[0])
    pressure.check()
    waiting[0] = 4001
    with pytest.raises(Refusal, match="more is asked than can be answered") as caught:
        pressure.check()
    assert (caught.value.status, caught.value.headers["Retry-After"]) == (429, "1")


def test_work_is_refused_while_the_event_loop_stays_late_and_no_longer() -> None:
    async def late() -> None:
        pressure = Pressure(0.15, 4000, lambda: 0)
        pressure.start()
        time.sleep(0.4)
        await asyncio.sleep(0.01)
        pressure.check()
        refused = None
        while refused is None:  # soon: the machine's own delays may put a punctual look between the late ones
            time.sleep(0.2)
            await asyncio.sleep(0.01)
            try:
                pressure.check()
            except Refusal as refusal:
                refused = refusal
        assert "more is asked than can be answered" in refused.message
        while refused is not None:
            await asyncio.sleep(0.05)
            with suppress(Refusal):
                pressure.check()
                refused = None

    asyncio.run(asyncio.wait_for(late(), PATIENCE))


def test_a_file_that_takes_too_much_memory_is_refused_and_others_are_answered(
    models: Path, question: bytes, tmp_path: Path
) -> None:
    n = 600_000  # of one repeated number: kilobytes in Parquet, half a gigabyte as a table
    ids = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, dtype=np.int32)), pa.array(["s"]))
    zeros = pa.repeat(pa.scalar(0.0), n)
    bomb = pa.table({"sample_id": ids, **dict.fromkeys(TABLE.molecules, zeros)})
    pq.write_table(bomb, tmp_path / "bomb.parquet")
    content = (tmp_path / "bomb.parquet").read_bytes()
    assert len(content) < 1_000_000
    media = {"Content-Type": "application/vnd.apache.parquet"}
    with running(models, tmp_path, file_memory_mb=800) as service:
        process = psutil.Process(service.process.pid)
        memory = process.memory_info().rss
        reply = service.ask("POST", "/v1/predict-file", content, media)
        assert reply.status in (409, 413), reply.body
        assert "memory" in reply.json["error"]["message"]
        assert process.memory_info().rss < memory + 100e6
        assert service.ask("POST", "/v1/predict-file", TABLE.to_frame().to_csv().encode(), CSV).status == 200
        assert service.ask("POST", "/v1/predict", question, JSON).status == 200


def table_sent() -> Request:
    async def table() -> dict[str, Any]:
        return {"type": "http.request", "body": TABLE.to_frame().to_csv().encode()}

    return Request({"type": "http", "headers": [(b"content-type", b"text/csv")]}, table)


def files_of(models: Path, patience: float = 5.0, **more: Any) -> Files:
    settings = Settings(models=models, **more)
    served = Served(settings, lambda *_: None)
    served.refresh()
    return Files(served, Metrics(), settings, Records(settings, Log(False)), 0, patience)


def test_a_file_that_takes_too_long_is_given_up(models: Path) -> None:
    files = files_of(models, file_seconds=0.05)
    with pytest.raises(Refusal, match=r"the file took longer than 0\.05 s"):
        asyncio.run(files.predict(table_sent()))


def test_two_files_are_read_at_once_and_the_third_waits_and_is_then_asked_to_come_again(models: Path) -> None:
    others = set(psutil.Process().children())  # workers that tests before this one left waiting
    files = files_of(models, patience=0.05)

    async def three() -> list[Any]:
        found = await asyncio.gather(*(files.predict(table_sent()) for _ in range(3)), return_exceptions=True)
        for answer in found[:2]:
            assert b"".join([part async for part in answer.body_iterator]).count(b"\n") == TABLE.n_samples + 1
        again = await files.predict(table_sent())
        assert isinstance(again, StreamingResponse)
        assert [part async for part in again.body_iterator]
        kept = set(psutil.Process().children()) - others
        assert kept
        files.stop()
        assert all(map(gone, kept))
        return found

    refused = asyncio.run(three())[2]
    assert isinstance(refused, Refusal)
    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, "overloaded", "5")


def test_no_key_takes_every_turn_and_an_idle_upload_takes_none(models: Path) -> None:
    async def asked() -> None:
        turns = Turns(2, 1, 0.05)
        async with turns.turn("a"):
            with pytest.raises(Refusal, match="files are being read"):
                async with turns.turn("a"):
                    pytest.fail("one key had both turns")
            async with turns.turn("b"):
                pass
        async with turns.turn("a"):
            pass

    asyncio.run(asked())


# A new champion, a killed worker, the end


def test_a_new_champion_answers_without_a_lost_request_and_a_broken_one_never(
    models: Path, question: bytes, tmp_path: Path
) -> None:
    made = Registry(models)
    shutil.copytree(models / "pain" / "2.0.0", models / "pain" / "3.0.0")
    with running(models, tmp_path, poll_seconds=0.1) as service, Callers(service, question) as callers:
        callers.wait_for(lambda seen: seen.versions["1.0.0"] > 20)
        made.promote("pain", "2.0.0", who="test", why="better")
        callers.wait_for(lambda seen: seen.versions["2.0.0"] > 20)

        champion = models / "pain" / "champion"
        champion.write_text(champion.read_text().replace('"2.0.0"', '"3.0.0"', 1))  # holds 2.0.0: no such model
        reply = service.wait_until("/readyz", lambda found: found.json["models"][0]["problem"])
        assert reply.status == 200
        assert reply.json["models"][0]["version"] == "2.0.0"
        assert "holds pain 2.0.0" in reply.json["models"][0]["problem"]
        figures = service.ask("GET", "/metrics").body.decode()
        assert 'exoclassify_model_refused{model="pain"} 1.0' in figures
        assert 'exoclassify_model_serving{model="pain",version="1.0.0"} 0.0' in figures
        before = callers.versions["2.0.0"]
        callers.wait_for(lambda seen: seen.versions["2.0.0"] > before + 20)

        champion.write_text("{")
        service.wait_until("/readyz", lambda found: "cannot be read" in found.json["models"][0]["problem"])
        champion.unlink()
        made.promote("pain", "1.0.0", who="test", why="back")
        service.wait_until("/readyz", lambda found: found.json["models"][0]["problem"] is None)
        before = callers.versions["1.0.0"]
        callers.wait_for(lambda seen: seen.versions["1.0.0"] > before + 20)
    assert set(callers.answers) == {200}, callers.answers
    outcomes = [(e["version"], e["outcome"]) for e in service.lines() if e["event"] == "model"]
    assert [o for o in outcomes if o[1] == "loaded"] == [("1.0.0", "loaded"), ("2.0.0", "loaded"), ("1.0.0", "loaded")]


def test_it_is_not_ready_before_its_model_gives_its_golden_answers(
    models: Path, question: bytes, tmp_path: Path
) -> None:
    golden = models / "pain" / "1.0.0" / "golden.csv"
    sound = golden.read_bytes()
    (tmp_path / "served").mkdir()
    with running(tmp_path / "served", tmp_path, poll_seconds=0.1) as service:
        assert service.ask("GET", "/readyz").status == 503
        assert service.ask("GET", "/v1/models").json == {"models": []}
        assert service.ask("GET", "/openapi.json").status == 200
        reply = service.ask("POST", "/v1/predict", question, JSON)
        assert (reply.status, reply.code, reply.headers["retry-after"]) == (503, "not_ready", "5")

        golden.write_bytes(sound.replace(b"1", b"2", 1))
        (models / "pain").rename(tmp_path / "served" / "pain")
        reply = service.wait_until("/readyz", lambda found: found.json["models"])
        assert (reply.status, reply.json["ready"]) == (503, False)
        assert "golden.csv was changed" in reply.json["models"][0]["problem"]
        assert service.ask("GET", "/v2/health/ready").status == 503
        assert service.ask("POST", "/v1/predict", question, JSON).status == 503

        (tmp_path / "served" / "pain" / "1.0.0" / "golden.csv").write_bytes(sound)
        service.wait_until("/readyz", lambda found: found.status == 200)
        assert service.ask("POST", "/v1/predict", question, JSON).status == 200


@pytest.mark.parametrize("bento", [False, True], ids=["uvicorn", "bentoml"])
def test_sigterm_finishes_what_was_begun_and_answers_503_to_the_rest(
    models: Path, question: bytes, tmp_path: Path, bento: bool
) -> None:
    table = TABLE.to_frame().to_csv().encode()
    with running(models, tmp_path, bento=bento, drain_seconds=8) as service:
        file = HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
        with Callers(service, question, 2) as callers:
            callers.wait_for(lambda seen: seen.answers[200] > 20)
            file.putrequest("POST", "/v1/predict-file")
            for name, value in {**CSV, "Content-Length": str(len(table)), "Expect": "100-continue"}.items():
                file.putheader(name, value)
            file.endheaders()
            assert file.sock.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 100"  # the service wants the body: it has begun
            file.send(table)
            service.process.send_signal(signal.SIGTERM)
            callers.wait_for(lambda seen: seen.answers[503] > 5)
            ready = service.ask("GET", "/readyz")
            assert (ready.status, ready.json["stopping"]) == (503, True)
            assert service.ask("GET", "/livez").status == 200
            reply = file.getresponse()
            assert reply.status == 200
            assert reply.read().count(b"\n") == TABLE.n_samples + 1
            file.close()
            assert service.process.wait(PATIENCE) == 0 or not bento
    assert callers.answers["lost"] == 0, callers.answers
    assert set(callers.answers) <= {200, 503, "refused", "reset"}


def workers(service: Running) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(service.process.pid).children(recursive=True):
        with suppress(psutil.Error):  # it ended meanwhile
            if "_bentoml_impl.worker.service" in " ".join(child.cmdline()):
                found.append(child)
    return found


def _kill_one_of_two_workers(service: Running, callers: Callers) -> None:
    """While questions come; returns when there are two again, and both have answered for a while."""
    first = workers(service)
    callers.wait_for(lambda seen: seen.answers[200] > 50)
    first[0].kill()
    until(lambda: len([w for w in workers(service) if w.pid != first[0].pid]) >= 2)
    before = callers.answers[200]
    callers.wait_for(lambda seen: seen.answers[200] > before + 50)


def test_a_killed_worker_is_replaced_and_no_question_stays_without_an_answer(
    models: Path, question: bytes, tmp_path: Path
) -> None:
    with running(models, tmp_path, bento=True, contained=True, workers=2) as service:
        service.wait_until("/readyz", lambda found: len(workers(service)) == 2 and found.status == 200)
        with Callers(service, question) as callers:
            _kill_one_of_two_workers(service, callers)
        assert callers.answers["lost"] == 0, callers.answers
        assert set(callers.answers) <= {200, "reset"}
        assert callers.answers["reset"] <= 4  # one for each connection of the killed worker, asked again and answered


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: nginx-light)")
def test_behind_nginx_as_the_readme_has_it_a_killed_worker_is_not_even_seen(
    models: Path, question: bytes, tmp_path: Path
) -> None:
    with running(models, tmp_path, bento=True, workers=2, open=1) as service:
        service.wait_until("/readyz", lambda found: len(workers(service)) == 2 and found.status == 200)
        with behind_nginx(str(NGINX), service) as through, Callers(through, question) as callers:
            _kill_one_of_two_workers(service, callers)
        assert set(callers.answers) == {200}, callers.answers


def test_with_keys_every_route_asks_for_one_but_those_that_openapi_leaves_open(models: Path, tmp_path: Path) -> None:
    _, line = new_key("lims")
    with running(models, tmp_path, api_keys=line.replace(" ", ":")) as service:
        document = service.ask("GET", "/openapi.json").json
        n_keyed = 0
        for path, methods in document["paths"].items():
            place = re.sub(r"\{[^}]*\}", "pain", path)
            for method, about in methods.items():
                body = b"{}" if method in ("post", "put", "patch") else None
                reply = service.ask(method.upper(), place, body, JSON if body else {})
                keyed = about.get("security") == [{"key": []}]
                assert (reply.status == 401) == keyed, (method, path, reply.status)
                n_keyed += keyed
        assert n_keyed >= 15
