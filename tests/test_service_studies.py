"""Studies over REST: off unless asked for, one at a time, messages with the user's file names, nothing left afterwards."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from service.settings import Settings, SettingsError
from serving import CSV, Reply, Running, cohort, running

pytestmark = pytest.mark.service

STUDY = cohort(9)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("service"), studies=1) as started:
        yield started


def opened(service: Running, cargo: bytes, samples: bytes) -> str:
    place = f"/v1/studies/{service.ask('POST', '/v1/studies').json['id']}"
    for role, name, content in (("cargo", "plate.csv", cargo), ("samples", "people.csv", samples)):
        headers = {**CSV, "Content-Disposition": f'attachment; filename="{name}"'}
        assert service.ask("POST", f"{place}/files/{role}", content, headers).json == {"called": name}
    return place


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    folder = tmp_path_factory.mktemp("files")
    STUDY.cargo.write(folder / "plate.csv")
    return (folder / "plate.csv").read_bytes(), STUDY.sheet.frame.to_csv(index_label="sample_id").encode()


def order(**more: Any) -> dict[str, Any]:
    return {
        "do": "audit",
        "kind": "mirna",
        "unit": "counts",
        "label": "label",
        "subject": "subject",
        "batch": "batch",
        **more,
    }


def ended(service: Running, place: str) -> Reply:
    until = time.monotonic() + 900
    while (reply := service.ask("GET", place)).json["state"] == "running":
        assert time.monotonic() < until
        time.sleep(0.3)
    return reply


def at_work(service: Running) -> list[psutil.Process]:
    children = psutil.Process(service.process.pid).children(recursive=True)
    return [child for child in children if "service.studywork" in child.cmdline()]


def test_studies_are_off_unless_asked_for(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    with running(tmp_path / "models", tmp_path) as off:
        assert off.ask("GET", "/v1/studies").json == {"allowed": False}
        assert off.ask("POST", "/v1/studies").status in (404, 405)
    with pytest.raises(SettingsError, match="needs EXOCLASSIFY_WORKERS=1"):
        Settings.read({"EXOCLASSIFY_STUDIES": "1", "EXOCLASSIFY_WORKERS": "2"})


def test_an_audit_runs_alone_and_its_report_stays_inside_the_page(service: Running, files: tuple[bytes, bytes]) -> None:
    place = opened(service, *files)
    assert service.ask("POST", f"{place}/look").json["seems"] == {
        "kind": "mirna", "unit": "counts", "label": "label", "subject": "subject", "batch": "batch",
    }  # fmt: skip
    assert service.ask("POST", f"{place}/start", order()).status == 202
    other = opened(service, *files)
    refused = service.ask("POST", f"{other}/start", order())
    assert (refused.status, refused.code) == (429, "busy")
    assert "retry-after" in refused.headers
    assert service.ask("POST", f"{place}/start", order()).status == 409
    done = ended(service, place).json
    assert done["state"] == "done", done
    assert done["results"] == ["report", "report-files"]
    report = service.ask("GET", f"{place}/results/report")
    assert done["verdict"].encode() in report.body
    assert "frame-ancestors 'self'" in report.headers["content-security-policy"]
    assert "script" not in report.headers["content-security-policy"]
    assert service.ask("POST", f"{place}/import", {"why": "no model there"}).status == 409


def test_a_cancelled_study_ends_its_process_and_can_begin_again(service: Running, files: tuple[bytes, bytes]) -> None:
    place = opened(service, *files)
    assert service.ask("POST", f"{place}/start", order(do="train", name="mine")).status == 202
    service.wait_until(place, lambda reply: reply.json["progress"][1])
    [child] = at_work(service)
    assert service.ask("POST", f"{place}/cancel").json["state"] == "cancelled"
    child.wait(60)
    assert service.ask("GET", place).json["state"] == "cancelled"
    assert service.ask("POST", f"{place}/start", order()).status == 202
    assert ended(service, place).json["state"] == "done"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"unit": "log2_intensity"}, "plate.csv"),
        ({"label": "mood"}, "people.csv"),
        ({"label": "subject"}, "people.csv"),
    ],
)
def test_what_cannot_be_studied_is_said_with_the_users_file_names(
    service: Running, files: tuple[bytes, bytes], change: dict[str, str], said: str
) -> None:
    place = opened(service, *files)
    assert service.ask("POST", f"{place}/start", order(do="train", **change)).status == 202
    told = ended(service, place).json
    assert told["state"] == "failed"
    assert said in told["error"]
    assert "/tmp" not in told["error"]


def test_orders_that_make_no_sense_are_refused(service: Running, files: tuple[bytes, bytes]) -> None:
    place = opened(service, *files)
    for body in (
        {"do": "delete"},
        {"do": "audit", "unit": 3},
        {"do": "train", "label": "label", "name": "../x"},
        {"do": "audit"},
    ):
        assert service.ask("POST", f"{place}/start", {**order(label=""), **body}).status in (400, 409)
    assert (
        service.ask("POST", f"{place}/start", json.dumps([1]).encode(), {"Content-Type": "application/json"}).code
        == "not_json"
    )
    assert service.ask("GET", "/v1/studies/0123").code == "no_study"
    assert service.ask("GET", f"{place}/results/model").code == "no_result"
    empty = f"/v1/studies/{service.ask('POST', '/v1/studies').json['id']}"
    lacking = service.ask("POST", f"{empty}/look")
    assert lacking.status == 409
    assert "cargo and samples" in lacking.said
