"""POST /v1/follow: the library's course over REST."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from cohorts import FAST
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.lifecycle.finish import finish
from exoclassify.lifecycle.fit import fit
from exoclassify.lifecycle.over_visits import over_visits
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.course import followed
from exoclassify.model.registry import Registry
from exoclassify.simulation.simulate import SimulationDesign, simulate
from serving import Running, running

pytestmark = pytest.mark.service

MADE = simulate(
    SimulationDesign(
        5, 180, ("control", "pain"), n_molecules=80, n_markers=8, effect=1.5, repeats=0.0, visits=3, responders=0.5
    )
)
TABLE, SHEET = MADE.layers["mirna"], MADE.sheet


@pytest.fixture(scope="module")
def bundle() -> ModelBundle:
    return fit(MADE.cohort, FAST, name="pain", n_jobs=1)


@pytest.fixture(scope="module")
def service(bundle: ModelBundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    root = tmp_path_factory.mktemp("models")
    registry = Registry(root)
    registry.add(bundle)
    registry.promote("pain", "1.0.0", who="test", why="first")
    with running(root, tmp_path_factory.mktemp("service")) as started:
        yield started


LAYERED = simulate(
    SimulationDesign(
        6, 150, ("control", "pain"), n_molecules=40, n_markers=6, effect=1.5, repeats=0.0, visits=3, responders=0.5,
        layers=("mirna", "protein"), lacking=0.15,
    )
)  # fmt: skip


@pytest.fixture(scope="module")
def others() -> dict[str, ModelBundle]:
    """A model of two layers, and one of changes since the first visit."""
    layered = fit(LAYERED.cohort, FAST, name="both", n_jobs=1)
    cohort = Cohort.from_layers(
        {"mirna": TABLE}, dataclasses.replace(SHEET, label_column="response", time_column="visit")
    )
    changed = over_visits(cohort, "baseline", ("V1",), lambda made: finish(made, FAST, name="since", n_jobs=1))[1]
    return {"both": layered, "since": changed.bundle}


@pytest.fixture(scope="module")
def second(others: dict[str, ModelBundle], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    root = tmp_path_factory.mktemp("others")
    registry = Registry(root)
    for name, bundle in others.items():
        registry.add(bundle)
        registry.promote(name, "1.0.0", who="test", why="first")
    with running(root, tmp_path_factory.mktemp("second")) as started:
        yield started


def test_the_course_of_a_model_of_layers_is_that_of_the_library(
    second: Running, others: dict[str, ModelBundle]
) -> None:
    has = set(LAYERED.layers["protein"].sample_ids)
    frame = LAYERED.sheet.frame
    lacking = next(p for p, rows in frame.groupby("subject") if 0 < sum(i in has for i in rows.index) < 3)
    rows = frame[frame["subject"] == lacking].sort_values("visit")
    samples = []
    for i, row in rows.iterrows():
        each = {name: table for name, table in LAYERED.layers.items() if i in table.sample_ids}
        own = {name: cargo(str(i), table) for name, table in each.items()}
        samples.append({"sample_id": i, "visit": row["visit"], "batch": row["batch"], "cargo": own})
    asked = {"kind": "layers", "unit": "layers", "subject": lacking, "model": "both", "samples": samples}
    reply = second.ask("POST", "/v1/follow", asked)
    assert reply.status == 200, reply.body
    expected = followed(others["both"], LAYERED.layers, LAYERED.sheet, persons=[lacking])[0].to_dict()
    assert reply.json["compared_on"] == expected["compared_on"] == ["mirna"]
    for said, told in zip(reply.json["visits"], expected["visits"], strict=True):
        assert said["layers"] == told["layers"]
        assert said["change"] == pytest.approx(told["change"], abs=1e-9)


def test_changes_since_a_baseline_are_made_of_samples_as_they_were_measured(
    second: Running, others: dict[str, ModelBundle]
) -> None:
    reply = second.ask("POST", "/v1/follow", body(model="since"))
    assert reply.status == 200, reply.body
    sheet = dataclasses.replace(SHEET, time_column="visit")
    expected = followed(others["since"], TABLE, sheet, persons=["P0002"])[0].to_dict()
    assert [visit["visit"] for visit in reply.json["visits"]] == ["V2", "V3"]
    for said, told in zip(reply.json["visits"], expected["visits"], strict=True):
        assert said["probabilities"] == pytest.approx(told["probabilities"], abs=1e-12)
    late = body(model="since")
    late["samples"] = late["samples"][1:]
    reply = second.ask("POST", "/v1/follow", late)
    assert reply.status == 409
    assert "there is no visit V1; it has V2, V3" in reply.json["error"]["message"]
    alone = {
        "kind": "mirna",
        "unit": "counts",
        "model": "since",
        "samples": [{"sample_id": "a", "cargo": cargo("SIM-0001")}],
    }
    reply = second.ask("POST", "/v1/predict", alone)
    assert reply.status == 409
    assert "send value, the change against the person's other sample" in reply.json["error"]["message"]


def body(person: str = "P0002", **more: Any) -> dict[str, Any]:
    rows = SHEET.frame[SHEET.frame["subject"] == person].sort_values("visit")
    samples = [
        {"sample_id": i, "visit": row["visit"], "batch": row["batch"], "cargo": cargo(i)} for i, row in rows.iterrows()
    ]
    return {"kind": "mirna", "unit": "counts", "subject": person, "samples": samples, **more}


def cargo(sample: str, table: CargoTable = TABLE) -> dict[str, float | None]:
    values = table.for_samples([sample]).values[0]
    return {name: None if np.isnan(v) else float(v) for name, v in zip(table.molecules, values, strict=True)}


def test_the_course_is_that_of_the_library(service: Running, bundle: ModelBundle) -> None:
    reply = service.ask("POST", "/v1/follow", body())
    assert reply.status == 200, reply.body
    expected = followed(bundle, TABLE, SHEET, persons=["P0002"])[0].to_dict()
    said = reply.json
    assert "not for use on patients" in said.pop("notice")
    assert said == expected


def test_visits_whose_names_tell_no_order_stand_as_they_were_sent(service: Running) -> None:
    asked = body()
    for sample, name in zip(asked["samples"], ("rest", "stress", "home"), strict=True):
        sample["visit"] = name
    reply = service.ask("POST", "/v1/follow", asked)
    assert [visit["visit"] for visit in reply.json["visits"]] == ["rest", "stress", "home"]


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        (
            lambda asked: asked["samples"].reverse(),
            409,
            "visits are out of order, V3 stands before V1; send them in the order",
        ),
        (lambda asked: asked["samples"][1].update(visit="V1"), 409, "P0002 has two samples at visit V1; keep one"),
        (lambda asked: asked.update(samples=asked["samples"][:1]), 400, "length >= 2"),
        (lambda asked: asked["samples"][0].pop("visit"), 400, "missing required field `visit`"),
        (lambda asked: asked.update(interval=1.0), 400, "< 1"),
        (lambda asked: asked.update(unit="cpm"), 409, "its unit is cpm, and pain was trained on counts"),
        (lambda asked: asked.update(site="nowhere"), 404, "no model has a profile of the site"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_the_fix(service: Running, change: Any, status: int, said: str) -> None:
    asked = body()
    change(asked)
    reply = service.ask("POST", "/v1/follow", asked)
    assert (reply.status, said in reply.said) == (status, True), reply.body


def test_the_example_of_the_document_is_answered(service: Running) -> None:
    document = service.ask("GET", "/openapi.json").json
    operation = document["paths"]["/v1/follow"]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    assert service.ask("POST", "/v1/follow", example).status == 200
