"""What pipelines, instruments and archives write is read as it is meant, or refused with the fix."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.names import canonical_name
from exoclassify.data.samples import SampleSheet
from exoclassify.errors import ExoclassifyError, InputError
from exoclassify.tables.asked import Reading
from exoclassify.tables.reading import read_wide
from tests.field_tables import EXCERPT, GEO, HTSEQ, MAXQUANT, MIRGFF3, MIRNAS, RCC, SMRNASEQ, TABLES, Field

COUNTS = "sample_id,hsa-miR-1-3p,hsa-miR-9-5p\nS1,5,0\nS2,7,3\n"


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def cohort(folder: Path, cargo: str, sheet: str, **asked: object) -> Cohort:
    files = {"cargo": put(folder, "cargo.csv", cargo), "samples": put(folder, "sheet.csv", sheet)}
    given = {"kind": "mirna", "unit": "counts", "label": "label", **files, **asked}
    return Cohort.read(given.pop("cargo"), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("field", TABLES, ids=lambda field: field.name)
def test_a_format_of_the_field_is_recognised_and_its_values_are_read(field: Field, tmp_path: Path) -> None:
    path = put(tmp_path, field.name, field.text)
    table = CargoTable.read(path, kind=field.kind, unit=field.unit, sample_ids=["A1", "A2"])
    assert table.sample_ids == ("A1", "A2")
    assert table.molecules == field.molecules
    np.testing.assert_array_equal(table.values, field.values)
    assert (field.note in table.notes) == bool(field.note), table.notes


@pytest.mark.parametrize("field", TABLES, ids=lambda field: field.name)
def test_a_format_is_read_alike_whatever_container_it_comes_in(field: Field, tmp_path: Path) -> None:
    packed = tmp_path / f"{field.name}.gz"
    packed.write_bytes(gzip.compress(field.text.encode()))
    wide = read_wide(put(tmp_path, field.name, field.text))
    again = read_wide(packed)
    assert (again.row_ids, again.columns, again.texts) == (wide.row_ids, wide.columns, wide.texts)
    np.testing.assert_array_equal(again.cells, wide.cells)


@pytest.mark.parametrize(
    ("of", "to", "said"),
    [
        ("Expression 1,1", "Expression 1", r"line 5 is none of mirGFF3; .* for each of the 2 samples"),
        ("Expression 1,1", "Expression 1,some", r"line 5 is none of mirGFF3"),
        ("A1,A2", "A1,A1", r"names A1 twice"),
        ("Pass", "Fail", r"without one sequence that passed its filter"),
    ],
)
def test_isomirs_that_cannot_be_used_are_refused_in_one_line(of: str, to: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"mirtop\.gff: .*{said}"):
        read_wide(put(tmp_path, MIRGFF3.name, MIRGFF3.text.replace(of, to)))


def test_shared_reads_are_rounded_as_those_of_excerpt_or_where_the_user_says_so_and_refused_elsewhere(
    tmp_path: Path,
) -> None:
    for name, text, asked in (
        ("renamed.txt", EXCERPT.text, Reading()),
        ("saved.csv", "miRNA" + EXCERPT.text.replace("\t", ","), Reading(format="excerpt")),
    ):
        path = put(tmp_path, name, text)
        table = CargoTable.read(path, kind="mirna", unit="counts", sample_ids=["A1", "A2"], reading=asked)
        np.testing.assert_array_equal(table.values, EXCERPT.values)
    for text in ("miRNA" + EXCERPT.text, EXCERPT.text.replace(".66666667", ".7").replace(".33333333", ".3")):
        with pytest.raises(InputError, match="whole"):
            CargoTable.read(put(tmp_path, "x.txt", text), kind="mirna", unit="counts", sample_ids=["A1", "A2"])


def test_logarithms_of_smrnaseq_are_refused_with_the_file_to_give(tmp_path: Path) -> None:
    path = put(tmp_path, "mature_logtpm.csv", SMRNASEQ.text.replace("| 0", "| -3").replace(",0", ",-3"))
    with pytest.raises(
        InputError, match=r"log10 TPM of nf-core/smrnaseq; give mature_counts\.csv of the same run, with unit counts"
    ):
        read_wide(path)


def test_lanes_and_libraries_of_a_folder_become_one_table(tmp_path: Path) -> None:
    for kind, text in (("rcc", RCC), ("htseq", HTSEQ)):
        folder = tmp_path / kind
        folder.mkdir()
        for sample, a, b in (("A1", 31, 0), ("A2", 41, 6)):
            put(folder, f"{sample}.{'RCC' if kind == 'rcc' else 'txt'}", text.format(sample=sample, a=a, b=b))
        table = CargoTable.read(folder, kind="mirna", unit="counts")
        assert (table.sample_ids, table.molecules) == (("A1", "A2"), MIRNAS)
        np.testing.assert_array_equal(table.values, [[31, 0], [41, 6]])


def test_a_workbook_with_several_tables_asks_which_and_reads_the_one_that_is_a_table(tmp_path: Path) -> None:
    frame = pd.DataFrame({"hsa-miR-1-3p": [5, 7], "hsa-miR-9-5p": [0, 3]}, index=pd.Index(["S1", "S2"], name="id"))
    one, two = tmp_path / "one.xlsx", tmp_path / "two.xlsx"
    with pd.ExcelWriter(one) as book:
        pd.DataFrame({"remarks": ["made in 2025"]}).to_excel(book, sheet_name="README", index=False)
        frame.to_excel(book, sheet_name="counts")
    with pd.ExcelWriter(two) as book:
        frame.to_excel(book, sheet_name="raw")
        (frame * 2).to_excel(book, sheet_name="twice")
    assert CargoTable.read(one, kind="mirna", unit="counts").notes == ("read from sheet counts of 2",)
    with pytest.raises(InputError, match=r"two\.xlsx: has 2 sheets \(raw, twice\), and 2 .*say which with --sheet"):
        read_wide(two)
    np.testing.assert_array_equal(read_wide(two, Reading(sheet="twice")).cells, frame * 2)


def test_a_series_matrix_gives_its_samples_as_a_sheet(tmp_path: Path) -> None:
    sheet = SampleSheet.read(put(tmp_path, GEO.name, GEO.text), label="disease state")
    assert sheet.sample_ids == ("A1", "A2")
    assert sheet.label.tolist() == ["pain", "none"]
    assert sheet.frame["age"].tolist() == ["61", "47"]


def test_columns_that_the_user_names_are_read_in_place_of_the_format_s_choice(tmp_path: Path) -> None:
    path = put(tmp_path, MAXQUANT.name, MAXQUANT.text)
    wide = read_wide(path, Reading(columns="Intensity *"))
    assert wide.row_ids == ("A1", "A2")
    np.testing.assert_array_equal(wide.cells, [[30, 5], [40, 6]])
    with pytest.raises(InputError, match=r"no column fits 'iBAQ \*'"):
        read_wide(path, Reading(columns="iBAQ *"))
    with pytest.raises(InputError, match="is no table of the format olink"):
        read_wide(path, Reading(format="olink"))


def test_a_unit_that_the_format_cannot_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="read as MaxQuant proteinGroups, whose values are intensity, and the unit is counts"
    ):
        CargoTable.read(put(tmp_path, MAXQUANT.name, MAXQUANT.text), kind="protein", unit="counts")


@pytest.mark.parametrize("numbers", [("1", "2"), ("0", "1")])
def test_row_numbers_are_never_ids_where_a_sample_column_stands_beside_them(
    numbers: tuple[str, str], tmp_path: Path
) -> None:
    text = f'"","sample","hsa-miR-1-3p"\n"{numbers[0]}",1001,5\n"{numbers[1]}",1002,7\n'
    assert read_wide(put(tmp_path, "x.csv", text)).row_ids == ("1001", "1002")
    assert SampleSheet.read(put(tmp_path, "s.csv", text.replace("hsa-miR-1-3p", "label"))).sample_ids == (
        "1001",
        "1002",
    )


def test_a_column_called_sample_id_wins_over_the_first(tmp_path: Path) -> None:
    wide = read_wide(put(tmp_path, "x.csv", "age,Sample_ID,hsa-miR-1-3p\n30,S1,5\n31,S2,7\n"))
    assert (wide.row_ids, wide.columns) == (("S1", "S2"), ("age", "hsa-miR-1-3p"))
    assert read_wide(tmp_path / "x.csv", Reading(id_column="age")).row_ids == ("30", "31")


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (("1.694;2;3.111", "5;1.281;7"), r"'1\.694' looks like a thousands separator .*: write 1694"),
        (("1 137;2;3", "5;6;7"), "'1 137' has a space as a thousands separator: write 1137"),
        (("1'137;2;3", "5;6;7"), "\"1'137\" has ' as a thousands separator: write 1137"),
        (("1,137;2;3", "5;6;7"), "'1,137' has , as a thousands separator: write 1137"),
        (("1.234.567;2;3", "5;6;7"), r"'1\.234\.567' has \. as a thousands separator: write 1234567"),
    ],
)  # fmt: skip
def test_marks_between_thousands_are_refused_by_name(cells: tuple[str, str], said: str, tmp_path: Path) -> None:
    path = put(tmp_path, "x.csv", f"sample_id;P1;P2;P3\nS1;{cells[0]}\nS2;{cells[1]}\n")
    with pytest.raises(InputError, match=said):
        CargoTable.read(path, kind="protein", unit="intensity")


def test_decimal_commas_are_read_where_all_numbers_settle_them(tmp_path: Path) -> None:
    wide = read_wide(put(tmp_path, "x.csv", "id;a;b\nS1;1,25;2\nS2;0,5;3,125\n"))
    np.testing.assert_array_equal(wide.cells, [[1.25, 2], [0.5, 3.125]])
    assert wide.notes == ("3 decimal commas were read as points",)


def test_points_that_are_decimal_ones_are_read(tmp_path: Path) -> None:
    wide = read_wide(put(tmp_path, "x.csv", "id,a,b,c\nS1,1.694,0.125,3.111\nS2,5.281,12,7.5\n"))
    np.testing.assert_array_equal(wide.cells, [[1.694, 0.125, 3.111], [5.281, 12, 7.5]])


def test_a_column_that_holds_the_label_is_refused_by_name(tmp_path: Path) -> None:
    ids, labels = [f"S{i}" for i in range(10)], ["pain", "none"] * 5
    rows = [f"{s},{int(y == 'pain')},{i % 4}" for i, (s, y) in enumerate(zip(ids, labels, strict=True))]
    cargo = "sample_id,group,hsa-miR-1-3p\n" + "\n".join(rows)
    sheet = "sample_id,label\n" + "\n".join(map(",".join, zip(ids, labels, strict=True)))
    with pytest.raises(
        InputError, match=r"column group holds the label \(0 = none, 1 = pain\) and is no miRNA name; take it out"
    ):
        cohort(tmp_path, cargo, sheet)
    with pytest.raises(InputError, match=r"column label is a column of sheet\.csv too and is no molecule; take it out"):
        cohort(tmp_path, cargo.replace("group", "label"), sheet)


def test_labels_that_differ_in_case_only_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Control and control differ in case or blanks only; spell them alike"):
        cohort(tmp_path, COUNTS, "sample_id,label\nS1,Control\nS2,control\n")


def test_annotations_beside_the_samples_of_a_sheet_are_left_out_and_named(tmp_path: Path) -> None:
    cargo = "miRNA,Strand,Probe length,S1,S2\nhsa-miR-1-3p,+,22,5,7\nhsa-miR-9-5p,-,23,0,3\n"
    found = cohort(tmp_path, cargo, "sample_id,label\nS1,a\nS2,b\n")
    assert found.cargo.sample_ids == ("S1", "S2")
    assert "columns Strand (text) and Probe length are in no row of the sample sheet: left out" in found.notes[0]


def test_an_annotated_table_is_not_answered_for_without_a_word_which_columns_are_samples(tmp_path: Path) -> None:
    path = put(tmp_path, "x.csv", "miRNA,Strand,Length,S1,S2\nhsa-miR-1-3p,+,22,5,7\nhsa-miR-9-5p,-,23,0,3\n")
    with pytest.raises(
        InputError, match=r"columns Strand hold text, and Length describe molecules too.*--columns 'S1,S2'"
    ):
        CargoTable.read(path, kind="mirna", unit="counts", molecules=["hsa-miR-1-3p"])
    table = CargoTable.read(
        path, kind="mirna", unit="counts", molecules=["hsa-miR-1-3p"], reading=Reading(columns="S1,S2")
    )
    assert table.sample_ids == ("S1", "S2")


NO_MOLECULES = (
    "__no_feature", "Total", "total_reads", "CON__P02768", "REV__P1", "POS_A(128)", "NEG_B", "UniSp6", "cel-miR-39-3p",
    "ERCC-00002",
)  # fmt: skip


@pytest.mark.parametrize("name", NO_MOLECULES)
def test_what_is_no_molecule_is_left_out_and_named(name: str, tmp_path: Path) -> None:
    path = put(tmp_path, "x.csv", f"sample_id,hsa-miR-1-3p,hsa-miR-9-5p,{name}\nS1,5,0,9\nS2,7,3,9\n")
    table = CargoTable.read(path, kind="mirna", unit="counts")
    assert table.molecules == ("hsa-miR-1-3p", "hsa-miR-9-5p")
    assert table.notes == (f"1 name is no molecule ({name}): left out",)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("2-Sep", r"2-Sep look like gene names that a spreadsheet turned into dates \(SEPTIN2\)"),
        ("2025-03-01", r"turned into dates \(MARCHF1\)"),
        ("hsa-miR-1-3p.1", r"hsa-miR-1-3p\.1 looks like hsa-miR-1-3p a second time"),
        ("hsa-mir-1-3P", "are both hsa-miR-1-3p.*keep one"),
    ],
)  # fmt: skip
def test_names_that_a_program_changed_are_refused(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        CargoTable.read(put(tmp_path, "x.csv", COUNTS.replace("hsa-miR-9-5p", name)), kind="mirna", unit="counts")


def test_empty_cells_among_counts_without_a_zero_are_doubted(tmp_path: Path) -> None:
    table = CargoTable.read(put(tmp_path, "x.csv", COUNTS.replace(",0\n", ",\n")), kind="mirna", unit="counts")
    assert table.notes == ("25 % of the cells are empty and none is 0: if empty means no read, write 0",)


def test_a_table_below_a_title_is_read(tmp_path: Path) -> None:
    wide = read_wide(put(tmp_path, "x.csv", "Counts of the study\nmade 2025\n\n" + COUNTS))
    assert wide.row_ids == ("S1", "S2")
    assert wide.columns == ("hsa-miR-1-3p", "hsa-miR-9-5p")


def test_a_table_scaled_over_its_cohort_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(12, 5))
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    frame = pd.DataFrame(values, [f"S{i}" for i in range(12)], [f"P0000{j}" for j in range(5)])
    sheet = "sample_id,label\n" + "\n".join(f"S{i},{'ab'[i % 2]}" for i in range(12))
    with pytest.raises(InputError, match="every molecule has mean 0 and SD 1: scaled over the cohort"):
        cohort(tmp_path, frame.to_csv(index_label="sample_id"), sheet, kind="protein", unit="log2_intensity")


@pytest.mark.parametrize(
    ("written", "kind", "canonical"),
    [
        ("miR-451a", "mirna", "hsa-miR-451a"),
        ("hsa-miR-451a|0.012", "mirna", "hsa-miR-451a"),
        ("MIMAT0001631", "mirna", "hsa-miR-451a"),
        ("hsa-let-7a-5p_MIMAT0000062_Homo_sapiens_let-7a-5p", "mirna", "hsa-let-7a-5p"),
        ("hsa-let-7a-5p MIMAT0000062 Homo sapiens let-7a-5p", "mirna", "hsa-let-7a-5p"),
        ("HBA_HUMAN", "protein", "P69905"),
        ("sp|P69905|HBA_HUMAN", "protein", "P69905"),
        ("P69905;P69905-2", "protein", "P69905"),
        ("Q10000;P10000", "protein", "P10000;Q10000"),
        ("HBB", "protein", "P68871"),
    ],
)  # fmt: skip
def test_one_molecule_has_one_name_whatever_the_spelling(written: str, kind: str, canonical: str) -> None:
    assert canonical_name(written, kind) == canonical
    assert canonical_name(canonical, kind) == canonical


def test_files_named_by_runs_are_matched_to_the_sheet_only_where_each_fits_one(tmp_path: Path) -> None:
    text = "Geneid\tChr\tStart\tEnd\tStrand\tLength\tb/EV10_S1.bam\tb/EV1_S2.bam\nhsa-miR-1-3p\t1\t2\t3\t+\t22\t5\t7\n"
    path = put(tmp_path, "counts.txt", text)
    table = CargoTable.read(path, kind="mirna", unit="counts", sample_ids=["EV1", "EV10"])
    assert dict(zip(table.sample_ids, table.values[:, 0], strict=True)) == {"EV10": 5, "EV1": 7}
    with pytest.raises(ExoclassifyError, match="none of the 1 sample ids"):
        CargoTable.read(path, kind="mirna", unit="counts", sample_ids=["EV"])
