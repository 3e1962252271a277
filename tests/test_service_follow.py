"""POST /v1/follow: the library's course over REST."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cohorts import FAST
from exoclassify.lifecycle.fit import fit
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


def body(person: str = "P0002", **more: Any) -> dict[str, Any]:
    rows = SHEET.frame[SHEET.frame["subject"] == person].sort_values("visit")
    samples = [
        {"sample_id": i, "visit": row["visit"], "batch": row["batch"], "cargo": cargo(i)} for i, row in rows.iterrows()
    ]
    return {"kind": "mirna", "unit": "counts", "subject": person, "samples": samples, **more}


def cargo(sample: str) -> dict[str, float]:
    values = TABLE.for_samples([sample]).values[0]
    return dict(zip(TABLE.molecules, values.tolist(), strict=True))


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
