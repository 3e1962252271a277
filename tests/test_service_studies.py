"""Studies over REST: off unless asked for, one at a time, messages with the user's file names, nothing left afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from exoclassify.simulation.simulate import simulate
from service.settings import Settings, SettingsError
from serving import CSV, Reply, Running, cohort, running
from waiting import until

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
    until(lambda: service.ask("GET", place).json["state"] != "running")
    return service.ask("GET", place)


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
    other = opened(service, *files)
    assert service.ask("POST", f"{place}/start", order()).status == 202
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


def test_a_study_is_cancelled_in_the_middle_and_can_begin_again(service: Running, files: tuple[bytes, bytes]) -> None:
    place = opened(service, *files)
    assert service.ask("POST", f"{place}/start", order(do="train", name="mine")).status == 202
    until(lambda: service.ask("GET", place).json["progress"][1] > 0)
    assert service.ask("POST", f"{place}/cancel").json["state"] == "cancelled"
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


def test_tables_of_several_layers_and_covariates_are_studied(service: Running, tmp_path: Path) -> None:
    simulate(n_samples=60, n_molecules=60, layers=("mirna", "protein"), seed=2).write(tmp_path / "people")
    sheet = pd.read_csv(tmp_path / "people" / "samples.csv").assign(age=range(60))
    place = opened(service, (tmp_path / "people" / "cargo.csv").read_bytes(), sheet.to_csv(index=False).encode())
    named = {**CSV, "Content-Disposition": 'attachment; filename="olink plate.csv"'}
    protein = (tmp_path / "people" / "protein.csv").read_bytes()
    assert service.ask("POST", f"{place}/files/cargo-2", protein, named).json == {"called": "olink plate.csv"}
    assert service.ask("POST", f"{place}/files/cargo-9", protein, named).status == 404
    tables = service.ask("POST", f"{place}/look").json["tables"]
    assert [table["called"] for table in tables] == ["plate.csv", "olink plate.csv"]
    layers = [
        {"name": "rna", "kind": "mirna", "unit": "counts"},
        {"name": "protein", "kind": "protein", "unit": "intensity"},
    ]
    for wrong in ([{"name": "a:b", "kind": "mirna", "unit": "counts"}], ["rna"], "rna"):
        assert service.ask("POST", f"{place}/start", order(layers=wrong)).status in (400, 409)
    assert service.ask("POST", f"{place}/start", order(layers=layers[:1])).status == 202
    assert "there are 2 tables; say name, kind and unit of each" in ended(service, place).json["error"]
    swapped = [{**layers[0], "unit": "log2_intensity"}, layers[1]]
    assert service.ask("POST", f"{place}/start", order(layers=swapped)).status == 202
    assert "plate.csv" in ended(service, place).json["error"]
    assert service.ask("POST", f"{place}/start", order(layers=layers, covariates=["weight"])).status == 202
    assert "people.csv: there is no covariate column weight" in ended(service, place).json["error"]
    assert service.ask("POST", f"{place}/start", order(layers=layers, covariates=["age"])).status == 202
    assert ended(service, place).json["state"] == "done"
    report = service.ask("GET", f"{place}/results/report").body.decode()
    assert "column age" in report
    assert "rna: " in report
