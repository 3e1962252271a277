"""Public tables beside claims: the shipped effects, their words, the meta-analysis, condition pages and the export."""

import csv
import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from exoclassify.errors import InputError
from exoclassify.evidence.catalogue import VERSION, Catalogue
from exoclassify.evidence.condition import ConditionView
from exoclassify.evidence.evidence import COLUMNS
from exoclassify.evidence.pooling import pooled
from exoclassify.evidence.reanalysis import Effect, PublicTable, Reanalysis, told_in_tables
from exoclassify.evidence.support import support, support_in_words, that_can_be_tested

pytestmark = pytest.mark.slow

CATALOGUE, TABLES = Catalogue.read(), Reanalysis.read()
BIN = Path(sys.executable).parent

# 2 x 2 tables of the BCG vaccine trials (Colditz 1994): treated cases and others, control cases and others.
BCG = [
    (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619), (33, 5036, 47, 5761),
    (180, 1361, 372, 1079), (8, 2537, 10, 619), (505, 87886, 499, 87892), (29, 7470, 45, 7232), (17, 1699, 65, 1600),
    (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825),
]  # fmt: skip


def a_table(accession: str = "PRJ1", confounded_by: str = "", biofluid: str = "serum") -> PublicTable:
    return PublicTable(
        accession,
        "",
        "sciatica",
        biofluid,
        "sciatica",
        "healthy",
        10,
        10,
        "",
        confounded_by,
        "fine",
        2,
        "",
        "",
        "",
        "1",
    )


def an_effect(value: float, q: float, table: PublicTable, molecule: str = "hsa-miR-21-5p") -> Effect:
    return Effect(table, molecule, value, value - 1, value + 1, q / 10, q, 1.0, 0.9)


def asked(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(BIN / "exoclassify"), "evidence", *map(str, arguments)], capture_output=True, text=True)


def test_the_shipped_effects_are_summary_statistics_in_order() -> None:
    assert len(TABLES.tables) == 13
    assert len({table.accession for table in TABLES.tables}) == 13
    for table in TABLES.tables:
        own = [effect for effect in TABLES.effects if effect.table is table]
        assert len(own) == table.molecules > 100
        assert all(effect.low <= effect.log2_fold_change <= effect.high for effect in own)
        assert all(0 <= effect.p <= effect.q * 1.01 <= 1.01 for effect in own)
        assert table.verdict
        assert table.version
    parents = {table.accession for table in TABLES.tables}
    assert {table.part_of for table in TABLES.tables} - {""} <= parents


def test_the_shipped_effects_stay_small() -> None:
    folder = files("exoclassify.evidence")
    assert len(folder.joinpath("reanalysis.csv.gz").read_bytes()) < 300_000


def test_a_part_of_a_table_is_no_second_table() -> None:
    found = [effect.table.accession for effect in TABLES.of("hsa-miR-21-5p")]
    assert "PRJNA878604" in found
    assert not [accession for accession in found if "/" in accession]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("spelling", ["hsa-miR-21-5p", "miR-21-5p", "hsa_mir_21_5P", "MIR-21-5P"])
def test_a_molecule_is_found_in_any_spelling(spelling: str) -> None:
    assert {effect.molecule for effect in TABLES.of(spelling)} == {"hsa-miR-21-5p"}


def test_a_hairpin_brings_its_arms_and_another_species_nothing() -> None:
    assert {effect.molecule for effect in TABLES.of("hsa-mir-223")} == {"hsa-miR-223-3p", "hsa-miR-223-5p"}
    assert TABLES.of("mmu-miR-21a-5p") == ()
    assert TABLES.of("CD63") == ()


def test_tables_are_told_in_a_sentence() -> None:
    effects = [
        an_effect(1, 0.2, a_table("A")), an_effect(0.5, 0.03, a_table("B", "depth")), an_effect(-1, 0.5, a_table("C")),
    ]  # fmt: skip
    assert told_in_tables(effects) == (
        "in 3 public tables: up in 2 (q .03, .2), down in 1 (q .5); 1 of them is confounded by depth"
    )
    assert told_in_tables(effects[:1]) == "in 1 public table: up in 1 (q .2)"
    assert told_in_tables([]) == ""
    arms = [*effects[:1], an_effect(1, 1e-9, a_table("A"), "hsa-miR-21-3p")]
    assert told_in_tables(arms) == (
        "hsa-miR-21-5p in 1 public table: up in 1 (q .2); hsa-miR-21-3p in 1 public table: up in 1 (q <.001)"
    )


def test_a_cohorts_own_table_is_left_out_whole() -> None:
    for named in ("PRJNA878604", "PRJNA878604/A"):
        rest = TABLES.without([named])
        assert "PRJNA878604" not in {table.accession for table in rest.tables}
    assert not [table for table in TABLES.without(["PRJNA878604"]).tables if table.part_of == "PRJNA878604"]
    with pytest.raises(InputError, match=r"no table PRJNA1; it has PRJNA1031539"):
        TABLES.without(["PRJNA1"])


def test_effects_are_pooled_as_metafor_pools_them() -> None:
    """metafor 4, rma(measure="RR", method="PM", data=dat.bcg): tau² 0.3181, estimate -0.7150, I² from Q 152.23."""
    y = [np.log(a / (a + b)) - np.log(c / (c + d)) for a, b, c, d in BCG]
    error = [float(np.sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))) for a, b, c, d in BCG]
    found = pooled(y, error)
    assert found is not None
    assert found.tau**2 == pytest.approx(0.3181, abs=5e-4)
    assert found.value == pytest.approx(-0.7150, abs=5e-4)
    assert found.i_squared == pytest.approx(1 - 12 / 152.233, abs=1e-4)
    assert found.predicted_low is not None
    assert found.predicted_low < found.low < found.value < found.high < 0


def test_one_table_is_no_meta_analysis_and_two_predict_nothing() -> None:
    assert pooled([1.0], [0.1]) is None
    assert pooled([], []) is None
    two = pooled([1.0, 1.0], [0.1, 0.1])
    assert two is not None
    assert (two.value, two.predicted_low, two.tau, two.i_squared) == (1.0, None, 0.0, 0.0)
    assert "no prediction interval with two tables" in two.in_words


def test_the_interval_of_pooled_null_effects_holds_its_level() -> None:
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(400):
        error = rng.uniform(0.2, 0.6, size=5)
        found = pooled(rng.normal(0, np.sqrt(error**2 + 0.3**2)).tolist(), error.tolist())
        assert found is not None
        missed += not found.low < 0 < found.high
    assert missed / 400 < 0.08


def test_claims_are_held_against_tables_of_their_condition() -> None:
    found = support(CATALOGUE.rows, TABLES)
    assert found
    for one in found:
        assert one.claim.condition == one.effect.table.condition
        assert one.effect.table.of_people, "cells in culture say nothing of patients"
        assert one.claim.molecule == one.effect.molecule
    words = support_in_words(CATALOGUE.rows, found)
    assert f"{len(found)} have a public table" in words
    assert f"{sum(one.agrees for one in found)} of these agree" in words
    hairpins = [row for row in that_can_be_tested(CATALOGUE.rows) if row.scope == "hairpin"]
    assert not hairpins, "an arm that is not stated cannot be tested"


def test_a_claim_is_held_against_the_table_of_its_own_fluid_first() -> None:
    claim = next(
        row for row in CATALOGUE.rows if row.molecule == "hsa-miR-146a-5p" and row.condition == "osteoarthritis"
    )
    (found,) = support([claim], TABLES)
    assert (found.effect.table.biofluid, found.same_fluid) == ("synovial-fluid", True)


def test_a_condition_is_shown_whole_people_apart() -> None:
    view = ConditionView.of(CATALOGUE, TABLES, "osteoarthritis")
    assert {row.system for row in view.people} == {"patients"}
    assert "patients" not in {row.system for row in view.others}
    assert len(view.tables) == 2
    assert view.pooled, "two tables of people"
    plain = json.loads(json.dumps(view.as_dict()))
    assert plain["catalogue_version"] == VERSION
    assert len(plain["people"]) == len(view.people)


def test_the_contested_place_of_crps_is_said_where_it_is_shown() -> None:
    assert "contested" in " ".join(ConditionView.of(CATALOGUE, TABLES, "CRPS").in_words())
    assert "contested" in asked("--condition", "CRPS").stdout
    assert "contested" not in asked("--condition", "migraine").stdout


def test_contradictions_are_explained_by_what_differs() -> None:
    row = next(row for row in CATALOGUE.rows if row.molecule == "hsa-miR-144-3p" and row.direction == "down")
    other = row.model_copy(update={"direction": "up", "biofluid": "serum", "against": "within"})
    view = ConditionView.of(Catalogue((row, other)), TABLES, "rheumatoid arthritis")
    (told,) = view.contradictions
    assert "the two directions differ in contrast and fluid" in told
    same = row.model_copy(update={"direction": "up"})
    (told,) = ConditionView.of(Catalogue((row, same)), TABLES, "rheumatoid arthritis").contradictions
    assert "both directions by one contrast and fluid" in told


def test_what_only_tables_know_has_a_page_too() -> None:
    view = ConditionView.of(CATALOGUE, TABLES, "lupus")
    assert (view.people, len(view.tables)) == ((), 1)


@pytest.mark.parametrize("condition", ["osteoarthritis", "CRPS", "lupus"])
def test_the_page_comes_in_four_forms(tmp_path: Path, condition: str) -> None:
    for ending in (".html", ".svg", ".json", ".md"):
        out = tmp_path / f"page{ending}"
        done = asked("--condition", condition, "--out", out)
        assert done.returncode == 0, done.stderr
        text = out.read_text()
        if ending == ".svg":
            ElementTree.fromstring(text)
        elif ending == ".json":
            assert json.loads(text)["missing"]
        else:
            assert "What is missing" in text
    assert asked("--condition", condition, "--out", tmp_path / "page.md").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--condition", "CRPS", "--out", "page.pdf"], "end the name in .html"),
        (["--out", "page.html"], "give --condition or --summary too"),
        (["--summary", "--out", "page.html"], "the drawing is SVG"),
        (["mmu-miR-9999"], "holds nothing on 'mmu-miR-9999'"),
    ],
)
def test_pages_are_refused_in_one_line(arguments: list[str], message: str) -> None:
    done = asked(*arguments)
    assert done.returncode == 2
    assert message in done.stderr.replace("\n", " ")


def test_a_molecule_is_shown_with_both_sides() -> None:
    shown = asked("miR-144-3p").stdout
    assert "rheumatoid arthritis" in shown
    assert "public tables: up in" in shown
    assert "PRJNA904396" in shown
    only_tables = asked("hsa-miR-451b").stdout
    assert "in 1 public table" in only_tables or "public tables" in only_tables
    found = json.loads(asked("miR-144-3p", "--json").stdout)
    assert {"claims", "public_tables", "molecule"} == set(found)


def test_the_catalogue_is_exported_as_it_can_be_cited(tmp_path: Path) -> None:
    done = asked("--export", tmp_path / "cited")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "cited"
    package = json.loads((folder / "datapackage.json").read_text())
    assert package["version"] == VERSION
    for resource in package["resources"]:
        with (folder / resource["path"]).open(newline="") as file:
            reader = csv.DictReader(file)
            names = [field["name"] for field in resource["schema"]["fields"]]
            assert reader.fieldnames == names
            rows = list(reader)
        for field in resource["schema"]["fields"]:
            values = {row[field["name"]] for row in rows} - {""}
            if field["type"] == "boolean":
                assert values <= {"yes", "no"}
            if field["type"] in ("integer", "number"):
                assert all(float(value) == float(value) for value in values)
        assert resource["bytes"] == (folder / resource["path"]).stat().st_size
    with (folder / "evidence.csv").open() as file:
        assert next(csv.reader(file)) == list(COLUMNS)
    again = Catalogue.read(folder / "evidence.csv")
    assert len(again.rows) == 2 * len(CATALOGUE.rows), "what is exported can be read again"
    linked = json.loads((folder / "evidence.jsonld").read_text())
    assert len(linked["hasPart"]) == len(CATALOGUE.rows)
    assert f'version: "{VERSION}"' in (folder / "CITATION.cff").read_text()
    assert asked("--export", folder).returncode == 2
    assert asked("--export", folder, "--force").returncode == 0
