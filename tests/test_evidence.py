import csv
import json
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import pytest

from exoclassify.errors import FileError, InputError
from exoclassify.evidence.agreement import STANDINGS, counts, in_short, standing
from exoclassify.evidence.catalogue import ABBREVIATIONS, Catalogue
from exoclassify.evidence.evidence import COLUMNS, CONTESTED, Evidence
from exoclassify.evidence.links import RELATIONS
from exoclassify.evidence.matrix import EvidenceMatrix

CATALOGUE = Catalogue.read()
BIN = Path(sys.executable).parent
ROW = {
    "molecule": "hsa-miR-999-5p", "written": "miR-999", "accession": "", "kind": "mirna", "scope": "molecule",
    "direction": "up", "measured": "cargo", "mechanism": "neuropathic", "site": "other", "condition": "sciatica", "icd11": "",
    "species": "human", "sex": "", "system": "patients", "biofluid": "serum", "vesicles": "serum EV",
    "contrast": "sciatica vs healthy", "against": "controls", "n": "40", "pain_stratified": "no", "method": "RT-qPCR",
    "study": "Own 2026", "independent": "yes", "pmid": "", "doi": "10.1000/own", "url": "", "read_in": "primary",
    "note": "made up for a test",
}  # fmt: skip


def written(tmp_path: Path, *rows: dict[str, str], columns: tuple[str, ...] = COLUMNS) -> Path:
    path = tmp_path / "mine.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def asked(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(BIN / "exoclassify"), "evidence", *map(str, arguments)], capture_output=True, text=True)


@pytest.mark.parametrize(
    "row", CATALOGUE.rows, ids=lambda row: f"{row.written[:20]}-{row.condition[:12]}-{row.study[:12]}"
)
def test_every_row_of_the_catalogue_is_sound(row: Evidence) -> None:
    assert row == Evidence.model_validate(row.model_dump())
    assert row.contrast == row.contrast.strip()
    assert not any("  " in str(value) for value in row.model_dump().values())
    assert not re.search(r"\b(TODO|recalled)\b", " ".join([row.note, row.study, row.contrast]))
    if row.kind == "protein" and row.scope == "molecule" and row.molecule != "PSEP":
        assert row.accession, "a protein without its accession is not found by tables that hold accessions"
    if row.direction == "unchanged":
        assert not row.note.startswith("up")
    if row.system != "patients":
        assert row.against != "disease"
    assert row.species == "human" or not row.icd11, "a code of patients on a row of animals"
    if row.n is not None and "n=" in row.contrast:
        stated = [int(n) for n in re.findall(r"n=(\d+)", row.contrast)]
        assert row.n == sum(stated) or row.n in (8, 28, 68, 96, 100, 114, 372)


def test_a_condition_has_one_mechanism_site_and_code_throughout() -> None:
    axes: dict[str, set[tuple[str, str, str]]] = {}
    for row in CATALOGUE.rows:
        axes.setdefault(row.condition, set()).add((row.mechanism, row.site, row.icd11))
    assert all(len(found) == 1 for found in axes.values()), axes


def test_no_claim_stands_twice() -> None:
    keys = [
        (row.molecule or row.written, row.condition, row.contrast, row.biofluid, row.study) for row in CATALOGUE.rows
    ]
    assert len(set(keys)) == len(keys) == 263
    assert len(CATALOGUE.conditions) == 44


def test_a_study_has_one_address_of_each_kind() -> None:
    for what in ("pmid", "doi"):
        known: dict[str, set[str]] = {}
        for row in CATALOGUE.rows:
            known.setdefault(row.study, set()).add(getattr(row, what))
        assert all(len(found) == 1 for found in known.values())


def test_abbreviations_name_conditions_of_the_catalogue() -> None:
    assert set(ABBREVIATIONS.values()) <= set(CATALOGUE.conditions)


def test_the_catalogue_is_in_the_order_of_its_columns() -> None:
    text = files("exoclassify.evidence").joinpath("evidence.csv").read_text()
    assert tuple(text.splitlines()[0].split(",")) == COLUMNS


@pytest.mark.parametrize(
    ("asked_for", "expected"),
    [
        ("let-7b-5p", {("same", "hsa-let-7b-5p")}),
        ("HSA_LET_7B_5P", {("same", "hsa-let-7b-5p")}),
        ("hsa-miR-223-3p", {("arm-not-stated", "hsa-mir-223"), ("other-species", "rno-mir-223")}),
        ("miR-223", {("same", "hsa-mir-223"), ("other-species", "rno-mir-223")}),
        ("hsa-miR-126", {("one-arm", "hsa-miR-126-3p")}),
        (
            "hsa-miR-155-3p",
            {
                ("arm-not-stated", "hsa-mir-155"),
                ("other-arm", "hsa-miR-155-5p"),
                ("other-species", "mmu-mir-155"),
                ("other-species", "rno-mir-155"),
            },
        ),
        (
            "hsa-miR-21-5p",
            {("other-species", "mmu-miR-21a-5p"), ("other-species", "rno-mir-21")},
        ),  # miRBase's letter, the same sequence
        ("hsa-miR-106b-5p", {("family", "hsa-mir-106")}),
        ("hsa-miR-16-5p", {("other-arm", "hsa-miR-16-2-3p"), ("other-species", "mmu-miR-16-5p")}),
        ("miR-6089", {("same", "hsa-miR-6089")}),
        ("P08962", {("same", "CD63")}),
        ("P08962-2", {("same", "CD63")}),
        ("cd62e", {("same", "SELE")}),
        ("C5", {("same", "C5"), ("other-species", "C5")}),
        ("hsa-miR-2", set()),  # not miR-21, miR-22 or miR-223
    ],
)
def test_names_are_linked_across_spellings_arms_and_species(asked_for: str, expected: set[tuple[str, str]]) -> None:
    assert {(at.relation, at.evidence.molecule) for at in CATALOGUE.of(asked_for)} == expected


def test_the_nearest_claims_come_first() -> None:
    order = [list(RELATIONS).index(at.relation) for at in CATALOGUE.of("hsa-miR-155-3p")]
    assert order == sorted(order)


def test_agreement_and_contradiction_are_said() -> None:
    let7b = [at.evidence for at in CATALOGUE.of("hsa-let-7b-5p")]
    assert in_short([row for row in let7b if "arthritis" in row.condition]) == (
        "down in psoriatic arthritis, plasma against another disease (1 study); up in rheumatoid arthritis, plasma (1 study): "
        "the direction differs between conditions"
    )
    one = next(row for row in CATALOGUE.rows if row.molecule == "hsa-miR-144-3p" and "Lu 2024" in row.study)
    again = one.model_copy(update={"pmid": "1", "doi": "10.1/another", "study": "Another 2030"})
    assert in_short([one, again]) == (
        "down in rheumatoid arthritis, plasma (2 studies): replicated in rheumatoid arthritis"
    )
    assert in_short([one, again.model_copy(update={"direction": "up"})]).endswith(
        "contradicted within rheumatoid arthritis"
    )
    serum = again.model_copy(update={"direction": "up", "biofluid": "serum"})
    assert in_short([one, serum]).endswith("by contrast or fluid within rheumatoid arthritis")
    assert in_short([]) == "nothing"


def test_a_restated_finding_is_no_second_study() -> None:
    people = [at.evidence for at in CATALOGUE.of("miR-223") if at.evidence.species == "human"]
    crps = [count for count in counts(people) if count.condition == "complex regional pain syndrome"]
    assert [(count.against, count.studies, count.rows) for count in crps] == [("within", 1, 1), ("controls", 0, 1)]


def test_a_study_is_one_however_its_name_is_written() -> None:
    row = next(row for row in CATALOGUE.rows if row.molecule == "hsa-miR-144-3p" and "Lu 2024" in row.study)
    renamed = row.model_copy(update={"study": "Lu J et al., Clinics (Sao Paulo)"})
    assert [count.studies for count in counts([row, renamed])] == [1]
    elsewhere = renamed.model_copy(update={"pmid": "1", "biofluid": "serum"})
    assert [count.studies for count in counts([row, elsewhere])] == [1, 1], "another fluid replicates nothing"


def test_a_study_that_is_not_identified_counts_for_none() -> None:
    unknown = [row for row in CATALOGUE.rows if "primary not resolved" in row.study]
    assert len(unknown) > 10
    assert not any(row.independent for row in unknown)
    assert {count.studies for count in counts(unknown)} == {0}


def test_nothing_in_the_catalogue_is_replicated_in_people() -> None:
    """The only statement of replication rested on a direction guessed from a cut sentence."""
    people = [row for row in CATALOGUE.rows if row.system == "patients" and row.scope != "set"]
    for name in {row.molecule for row in people}:
        rows = [row for row in people if row.molecule == name and row.measured == "cargo"]
        assert not [count for count in counts(rows) if count.studies > 1 and count.direction in ("up", "down")]


def test_counts_of_vesicles_never_make_a_marker_known() -> None:
    found = standing(CATALOGUE.of("PECAM1"), "up", ["rheumatoid arthritis"])
    assert found.word == "new"
    assert found.sentence.startswith("amounts of vesicles that carry it: ")
    assert "up in rheumatoid arthritis, blood (1 study)" in found.sentence


def test_every_change_of_the_catalogue_is_told_with_its_reason() -> None:
    text = files("exoclassify.evidence").joinpath("changes.csv").read_text()
    changes = list(csv.DictReader(text.splitlines()))
    assert {row["what"] for row in changes} == {"corrected", "added", "dropped", "not taken"}
    assert all(row["why"] for row in changes)
    added = sum(row["what"] == "added" for row in changes)
    dropped = sum(row["what"] == "dropped" for row in changes)
    assert 106 + added - dropped == len(CATALOGUE.rows)
    known = {(row.molecule or row.written, row.condition) for row in CATALOGUE.rows}
    gone = {(row["molecule"], row["condition"]) for row in changes if row["what"] == "dropped"}
    assert not known & gone


def test_a_disputed_mechanism_is_one_that_the_catalogue_has() -> None:
    assert set(CONTESTED) <= set(CATALOGUE.conditions)


def test_only_contrasts_of_one_kind_replicate_each_other() -> None:
    psep = counts(at.evidence for at in CATALOGUE.of("PSEP"))
    assert {count.against: count.studies for count in psep} == {"controls": 1, "within": 1}


@pytest.mark.parametrize(
    ("molecule", "direction", "condition", "word"),
    [
        ("hsa-miR-144-3p", "down", "rheumatoid arthritis", "known"),
        ("hsa-miR-144-3p", "up", "rheumatoid arthritis", "contradicted"),
        ("hsa-miR-144-3p", "up", "migraine without aura", "known-elsewhere"),
        ("hsa-miR-939-5p", "up", "endometriosis", "reported"),  # a null finding
        ("hsa-miR-21-5p", "up", "rheumatoid arthritis", "new"),  # known of mice alone
        ("hsa-miR-9999", "up", "rheumatoid arthritis", "new"),
        ("hsa-miR-223-3p", "down", "complex regional pain syndrome", "known"),  # against controls, arm not stated
    ],
)
def test_a_marker_is_told_how_it_stands(molecule: str, direction: str, condition: str, word: str) -> None:
    found = standing(CATALOGUE.of(molecule), direction, [condition])
    assert found.word == word
    assert word in STANDINGS
    assert bool(found.references) == (molecule != "hsa-miR-9999")


def test_mice_are_told_apart_from_people() -> None:
    sentence = standing(CATALOGUE.of("hsa-miR-21-5p"), "up", []).sentence
    assert sentence.startswith("animals or cells: down in acute pancreatitis model (taurocholate)")
    assert "up in nerve injury or capsaicin on sensory neurons" in sentence


def test_conditions_are_found_by_name_part_and_abbreviation() -> None:
    assert CATALOGUE.condition("ra") == ("rheumatoid arthritis",)
    assert CATALOGUE.condition("CRPS") == ("complex regional pain syndrome", "CRPS model (tibia fracture)")
    assert set(CATALOGUE.condition("migraine")) == {"migraine with aura", "migraine without aura"}
    assert {row.mechanism for row in CATALOGUE.where(mechanism="neuropathic").rows} == {"neuropathic"}
    assert {row.site for row in CATALOGUE.where(site="headache").rows} == {"headache"}


def test_what_is_unknown_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(InputError, match=r"nothing on 'miR-2233'.*nearest names are miR-223"):
        CATALOGUE.demand("miR-2233")
    with pytest.raises(InputError, match=r"no condition 'migrane'.*it has rheumatoid arthritis"):
        CATALOGUE.condition("migrane")
    with pytest.raises(InputError, match=r"mechanism 'nerve' is unknown; use one of nociceptive"):
        CATALOGUE.where(mechanism="nerve")


def test_own_rows_are_added_and_say_where_they_are_from(tmp_path: Path) -> None:
    catalogue = Catalogue.read(written(tmp_path, ROW))
    assert len(catalogue.rows) == len(CATALOGUE.rows) + 1
    (found,) = catalogue.of("hsa-miR-999-5p")
    assert (found.evidence.origin, found.evidence.n) == ("mine.csv", 40)
    assert "sciatica" in catalogue.conditions


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"direction": "upp"}, r"mine.csv: row 3, column direction: found 'upp', expected 'up', 'down'"),
        ({"mechanism": "nerve"}, "row 3, column mechanism: found 'nerve'"),
        ({"molecule": "miR-21"}, "row 3, column molecule: found 'miR-21', expected a name such as hsa-miR-21-5p"),
        ({"molecule": ""}, "row 3, column molecule: expected a name"),
        ({"molecule": "mmu-miR-21a-5p"}, "expected hsa-… for human"),
        ({"molecule": "hsa-miR-21-5P"}, "row 3, column molecule: found 'hsa-miR-21-5P'"),
        ({"icd11": "G43"}, "row 3, column icd11: found 'G43'"),
        ({"pmid": "PMC1"}, "row 3, column pmid: found 'PMC1'"),
        ({"doi": "doi:10.1/x"}, "row 3, column doi"),
        ({"doi": ""}, "row 3, column url: found nothing, expected a pmid, doi or url"),
        ({"n": "many"}, "row 3, column n: found 'many'"),
        ({"pain_stratified": "perhaps"}, "row 3, column pain_stratified: found 'perhaps'"),
        ({"species": "rat", "molecule": "rno-miR-21-5p"}, "row 3, column system: found patients"),
        ({"accession": "CD63"}, "row 3, column accession: found 'CD63', expected a UniProt"),
        ({"study": " "}, "row 3, column study"),
        ({"measured": "weight"}, "row 3, column measured: found 'weight', expected 'cargo'"),
        ({"scope": "molecule", "molecule": "hsa-miR-21"}, "row 3, column molecule: found 'hsa-miR-21'"),
        ({"pain_stratified": "yes"}, "row 3, column pain_stratified: found yes with a contrast against controls"),
    ],
)  # fmt: skip
def test_own_rows_that_break_the_schema_are_refused_by_row_and_column(
    tmp_path: Path, change: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        Catalogue.read(written(tmp_path, ROW, {**ROW, **change}))


def test_rows_of_the_first_version_are_still_read(tmp_path: Path) -> None:
    columns = tuple(name for name in COLUMNS if name != "measured")
    (found,) = Catalogue.read(written(tmp_path, ROW, columns=columns)).of("hsa-miR-999-5p")
    assert found.evidence.measured == "cargo"


def test_a_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"1 columns are missing \(note\).*expected the columns molecule"):
        Catalogue.read(written(tmp_path, ROW, columns=COLUMNS[:-1]))
    path = written(tmp_path, ROW)
    path.write_text(path.read_text().replace("made up for a test", "made, up"))
    with pytest.raises(InputError, match=r"row 2 does not have 28 cells"):
        Catalogue.read(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileError, match=r"mine.csv: cannot be read: it is not UTF-8"):
        Catalogue.read(path)
    with pytest.raises(FileError, match=r"absent.csv: cannot be read"):
        Catalogue.read(tmp_path / "absent.csv")


def test_the_matrix_marks_direction_replication_and_contradiction() -> None:
    matrix = EvidenceMatrix.of(CATALOGUE)
    cell = {
        (m, c): mark
        for m, row in zip(matrix.molecules, matrix.cells, strict=True)
        for c, mark in zip(matrix.conditions, row, strict=True)
    }
    assert cell["hsa-miR-144-3p", "rheumatoid arthritis"] == "▼"
    assert cell["hsa-let-7b-5p", "psoriatic arthritis"] == "▼"
    assert cell["hsa-miR-939-5p", "endometriosis"] == "0"
    assert cell["CD63", "osteoarthritis"] == "*"
    assert matrix.sets == sum(row.scope == "set" for row in CATALOGUE.rows)
    row = next(row for row in CATALOGUE.rows if row.molecule == "hsa-miR-144-3p" and row.direction == "down")
    again = row.model_copy(update={"pmid": "1"})
    assert EvidenceMatrix.of(Catalogue((row, again))).cells == (("▼2",),)
    torn = EvidenceMatrix.of(Catalogue((row, again.model_copy(update={"direction": "up"}))))
    assert torn.cells == (("!",),)


def test_the_drawing_is_sound_svg_with_every_name() -> None:
    svg = EvidenceMatrix.of(CATALOGUE).svg()
    texts = {element.text for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}
    assert {"hsa-miR-144-3p", "rheumatoid arthritis", "▼"} <= texts


@pytest.mark.slow
def test_the_command_shows_a_molecule_with_its_links_and_sources() -> None:
    shown = asked("hsa-miR-223-3p").stdout
    assert "hsa-mir-223: linked to hsa-miR-223-3p, the source does not say which arm of the hairpin" in shown
    assert "PMID 36440973" in shown
    assert shown.index("people:") < shown.index("animals and cells:")


@pytest.mark.slow
def test_the_command_gives_rows_as_json(tmp_path: Path) -> None:
    path = written(tmp_path, ROW)
    found = json.loads(asked("--condition", "sciatica", "--add", path, "--json").stdout)
    assert [(row["molecule"], row["n"], row["origin"]) for row in found["people"]] == [
        ("hsa-miR-999-5p", 40, "mine.csv")
    ]
    found = json.loads(asked("CD63", "--json").stdout)
    assert [row["relation"] for row in found["claims"]] == ["same"]


@pytest.mark.slow
def test_the_command_lists_a_condition_with_what_is_replicated() -> None:
    shown = asked("--condition", "RA").stdout
    assert "Replicated in people: nothing." in shown
    assert "Missing: a second independent study" in shown


@pytest.mark.slow
def test_the_command_draws_and_writes_the_matrix(tmp_path: Path) -> None:
    done = asked("--summary", "--out", tmp_path / "matrix.svg")
    assert done.returncode == 0
    assert "hsa-miR-144-3p" in done.stdout
    ElementTree.parse(tmp_path / "matrix.svg")
    again = asked("--summary", "--out", tmp_path / "matrix.svg")
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "is there already; give --force" in again.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["miR-2233"], "nearest names are"),
        (["--condition", "toothache"], "has no condition 'toothache'"),
        (["--mechanism", "nerve"], "mechanism 'nerve' is unknown"),
        (["--add", "absent.csv", "CD63"], "absent.csv: cannot be read"),
    ],
)
def test_the_command_refuses_in_one_line(arguments: list[str], message: str) -> None:
    done = asked(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert (done.stderr.count("\n"), done.stdout) == (1, "")
