"""A cargo table: one kind, one unit, samples in rows, and no wrong unit in silence."""

import gzip
import time
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from exoclassify.data.cargo import CargoTable
from exoclassify.errors import FileError, InputError

NAN = np.nan
MOLECULES = ("hsa-miR-21-5p", "hsa-miR-146a-5p", "hsa-let-7a-5p")
# S1: everything found. S2: miR-146a looked for and not found (0). S3: let-7a not measured (NaN).
COUNTS = np.array([[5.0, 12.0, 700.0], [8.0, 0.0, 950.0], [1.0, 3.0, NAN]])


def table(values=COUNTS, unit="counts", ids=None, molecules=None, **more) -> CargoTable:
    values = np.asarray(values, dtype=float)
    ids = ids or tuple(f"S{i + 1}" for i in range(len(values)))
    molecules = molecules or (*MOLECULES, *(f"hsa-miR-{j}-3p" for j in range(50)))[: values.shape[1]]
    more = {"kind": "mirna", "source": "cargo.csv", **more}
    return CargoTable(values=values, sample_ids=ids, molecules=molecules, unit=unit, **more)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def read(path: Path, unit="counts", **more) -> CargoTable:
    return CargoTable.read(path, kind="mirna", unit=unit, **more)


def test_values_are_a_copy_that_nobody_can_change():
    mine = COUNTS.copy()
    held = table(mine)
    mine[0, 0] = 99
    assert held.values[0, 0] == 5
    with pytest.raises(ValueError, match="read-only"):
        held.values[0, 0] = 1
    with pytest.raises(FrozenInstanceError):
        held.unit = "cpm"
    assert (held.n_samples, held.n_molecules) == (3, 3)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"kind": "rna"}, r"cargo.csv: kind is 'rna'; expected one of mirna, mrna, lncrna, protein, other"),
        ({"unit": "tpm"}, r"cargo.csv: unit is 'tpm'; expected one of counts, ct"),
        ({"ids": ("S1", "S2", "S1")}, r"1 sample id comes more than once \(S1\)"),
        ({"ids": ("S1", "", "S3")}, r"1 sample id is blank \(number 2 of 3\)"),
        ({"molecules": (MOLECULES[0], *MOLECULES[:2])}, r"1 molecule comes more than once \(hsa-miR-21-5p\)"),
        ({"ids": ("S1", "S2")}, r"values have shape \(3, 3\), and the names ask for \(2, 3\)"),
        ({"not_detected": 40.0}, "not_detected is for Ct, and the unit is counts; leave it out"),
    ],
)
def test_what_does_not_fit_together_is_refused(more, message):
    with pytest.raises(InputError, match=message):
        table(**more)


@pytest.mark.parametrize("unit", ["counts", "ct", "intensity", "log2_intensity", "cpm"])
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_an_infinite_value_is_named(unit, value):
    with pytest.raises(InputError, match=r"1 cell is infinite \(sample S2, hsa-miR-21-5p: -?inf\)"):
        table([[7.5, 8.25], [value, 8.5]], unit)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[5, -1]], r"1 cell is negative \(sample S1, hsa-miR-146a-5p: -1\).*give the raw counts"),
        ([[3.5, 2e3]], r"1 cell is not whole.*\(sample S1, hsa-miR-21-5p: 3.5\); round estimated counts"),
        ([[1.5, 2.25], [3.5, 1.0]], r"3 cells are not whole.*: 1.5; sample .*look like log2 values"),
        ([[333333.25, 666666.75]], "every sample sums to a million: state the unit as cpm"),
        ([[2e9, 5]], r"1 cell is too large for a count of reads.*state the unit as intensity"),
    ],
)
def test_counts_are_whole_numbers_from_zero_on(values, message):
    with pytest.raises(InputError, match=message):
        table(values)


def test_a_message_names_the_first_three_cells_of_many():
    with pytest.raises(InputError, match=r"6 cells are negative \((sample [^;]*; ){3}…\)"):
        table(-np.ones((2, 3)))


@pytest.mark.parametrize("value", [0, -1, 50.5, 4579])
def test_a_ct_lies_between_zero_and_fifty(value):
    with pytest.raises(InputError, match=rf"1 cell is no Ct.*: {value}\); write Undetermined"):
        table([[22.5, value]], "ct")


def test_a_ct_at_or_above_not_detected_becomes_not_detected():
    held = table([[22.5, 40.0, 41.3], [NAN, 39.9, 20]], "ct")
    assert held.not_detected == 40.0
    np.testing.assert_array_equal(held.values, [[22.5, 40, 40], [NAN, 39.9, 20]])
    held = table([[22.5, 35.0, 41.3]], "ct", not_detected=35)
    assert held.not_detected == 35.0
    np.testing.assert_array_equal(held.values, [[22.5, 35, 35]])
    with pytest.raises(InputError, match=r"not_detected is 99; a Ct lies between 0 and 50"):
        table([[22.5]], "ct", not_detected=99)


def test_log2_values_stated_as_intensities_are_refused():
    logs = np.random.default_rng(0).normal(25, 2, (3, 20))
    with pytest.raises(InputError, match=r"looks like logs or cycles; if .*state the unit as log2_intensity"):
        table(logs, "intensity")
    with pytest.raises(InputError, match="looks like logs or cycles; if they are log2 values, undo the log"):
        table(logs, "cpm")
    np.testing.assert_array_equal(table(2**logs, "intensity").values, 2**logs)
    with pytest.raises(InputError, match=r"1 cell is negative .*state the unit as log2_intensity"):
        table([[-0.5, 3]], "intensity")


def test_counts_and_intensities_stated_as_log2_are_refused():
    with pytest.raises(InputError, match=r"1 cell is above 60, .*: 61.5\); state the unit as intensity"):
        table([[20.5, 61.5]], "log2_intensity")
    with pytest.raises(
        InputError, match="all values of sample S1 are whole numbers, up to 40, which looks like counts"
    ):
        table(np.arange(41.0)[None, :], "log2_intensity")
    with pytest.raises(InputError, match="minus infinity is the log of 0: leave such a cell empty"):
        table([[20.5, -np.inf]], "log2_intensity")
    assert table([[20.5, -1.5]], "log2_intensity").values[0, 1] == -1.5


def test_counts_per_million_sum_to_a_million_at_most():
    with pytest.raises(InputError, match=r"1 sample sums to more than a million \(S2: 1300000\)"):
        table([[5e5, 5e5], [6e5, 7e5]], "cpm")
    assert table([[5e5, 5.1e5]], "cpm").n_samples == 1


def test_samples_in_rows_are_read_as_they_are(tmp_path):
    path = written(tmp_path / "cargo.csv", "sample_id,hsa-miR-21-5p,hsa-let-7a-5p\nS1,5,\nS2,0,7\n")
    held = read(path)
    assert (held.sample_ids, held.molecules) == (("S1", "S2"), ("hsa-miR-21-5p", "hsa-let-7a-5p"))
    assert (held.kind, held.unit, held.source, held.not_detected) == ("mirna", "counts", "cargo.csv", None)
    np.testing.assert_array_equal(held.values, [[5, NAN], [0, 7]])


def test_names_become_canonical_and_two_that_become_one_are_an_error(tmp_path):
    path = written(tmp_path / "cargo.csv", "id,HSA-MIR-21-5P,hsa-let-7a_5p\nS1,5,4\n")
    assert read(path).molecules == ("hsa-miR-21-5p", "hsa-let-7a-5p")
    path = written(tmp_path / "twice.csv", "id,hsa-miR-21-5p,hsa-mir-21_5p\nS1,5,4\n")
    with pytest.raises(InputError, match=r"twice.csv.*hsa-miR-21-5p.*hsa-mir-21_5p"):
        read(path)


def test_a_transposed_table_is_turned_by_the_sample_ids(tmp_path):
    path = written(tmp_path / "t.csv", "miRNA,S2,S1,S9\nhsa-miR-21-5p,1,2,3\nhsa-let-7a-5p,4,,6\n")
    held = read(path, sample_ids=["S1", "S2", "S3"])
    assert held.sample_ids == ("S2", "S1", "S9"), "every sample of the file is kept"
    np.testing.assert_array_equal(held.values, [[1, 4], [2, NAN], [3, 6]])
    assert held.values.flags.c_contiguous


def test_a_transposed_table_is_turned_by_the_molecules_of_a_panel(tmp_path):
    path = written(tmp_path / "t.csv", "miRNA,S2,S1\nhsa-mir-21_5p,1,2\nhsa-let-7a-5p,4,5\n")
    held = read(path, molecules=["hsa-miR-21-5p", "hsa-miR-155-5p"])
    assert held.sample_ids == ("S2", "S1")
    upright = written(tmp_path / "u.csv", "id,hsa-mir-21_5p,hsa-let-7a-5p\nS2,1,4\nS1,2,5\n")
    np.testing.assert_array_equal(read(upright, molecules=["hsa-miR-21-5p"]).values, held.values)


def test_text_in_a_transposed_table_is_named_by_its_sample(tmp_path):
    path = written(tmp_path / "t.csv", "miRNA,S2,S1\nhsa-miR-21-5p,1,2\nhsa-let-7a-5p,4,lost\n")
    with pytest.raises(InputError, match=r"t.csv: 1 cell holds text .*\(sample S1, hsa-let-7a-5p: 'lost'\)"):
        read(path, sample_ids=["S1", "S2"])


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        (
            "id,a,b\nX1,1,2\n",
            {"sample_ids": ["S1", "S2", "S3", "S4"]},
            r"none of the 4 sample ids \(S1, S2, S3, …\) .* first column \(X1\) or its header \(a, b\)",
        ),
        (
            "id,S1,b\nS2,1,2\n",
            {"sample_ids": ["S1", "S2"]},
            r"1 are in its first column \(S2\) and 1 in its header \(S1\); rename",
        ),
        ("id,a,b\nX1,1,2\n", {"molecules": ["hsa-miR-21-5p"]}, r"none of the 1 molecules \(hsa-miR-21-5p\)"),
        ("id,S1,S2\nhsa-miR-21-5p,1,2\nlet-7a,1,2\n", {}, "its first column holds miRNA names"),
    ],
)
def test_a_table_that_could_lie_either_way_is_refused(tmp_path, text, more, message):
    with pytest.raises(InputError, match=message):
        read(written(tmp_path / "cargo.csv", text), **more)


def test_marks_of_qpcr_software_mean_not_detected(tmp_path):
    text = "id,a,b,c,d,e\nS1,22.5,Undetermined,ND,n.d.,\nS2,No Ct,41,35,30,NA\n"
    path = written(tmp_path / "ct.csv", text)
    held = CargoTable.read(path, kind="other", unit="ct")
    np.testing.assert_array_equal(held.values, [[22.5, 40, 40, 40, NAN], [40, 40, 35, 30, NAN]])
    held = CargoTable.read(path, kind="other", unit="ct", not_detected=35)
    np.testing.assert_array_equal(held.values, [[22.5, 35, 35, 35, NAN], [35, 35, 35, 30, NAN]])


def test_any_other_text_is_named_with_file_sample_and_column(tmp_path):
    path = written(tmp_path / "ct.csv", "id,a,b\nS1,22.5,Undetermined\nS2,twenty,21\n")
    with pytest.raises(InputError, match=r"ct.csv: 1 cell holds text .*\(sample S2, a: 'twenty'\); write Un"):
        CargoTable.read(path, kind="other", unit="ct")
    path = written(tmp_path / "counts.csv", "id,a,b\nS1,22,Undetermined\nS2,20,21\n")
    with pytest.raises(InputError, match=r"\(sample S1, b: 'Undetermined'\); leave a cell"):
        CargoTable.read(path, kind="other", unit="counts")
    path = written(tmp_path / "labelled.csv", "id,a,label\nS1,22,pain\nS2,20,control\n")
    with pytest.raises(InputError, match="column label is text throughout: move it to the sample sheet"):
        CargoTable.read(path, kind="other", unit="counts")


@pytest.mark.parametrize("text", ["", "id,a,b\n", "id\nS1\nS2\n", "\n\n\n"])
def test_a_file_without_samples_or_molecules_is_refused(tmp_path, text):
    with pytest.raises((FileError, InputError), match=r"cargo.csv"):
        read(written(tmp_path / "cargo.csv", text))


def test_a_file_that_is_not_there_or_cut_short_is_a_file_error(tmp_path):
    with pytest.raises(FileError, match=r"nowhere.csv"):
        read(tmp_path / "nowhere.csv")
    whole = gzip.compress(b"id,a\n" + b"S1,5\n" * 5000)
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError, match=r"cut.csv.gz"):
        read(path)


def test_a_frame_is_taken_over():
    frame = pd.DataFrame({"hsa-mir-21_5p": [5, 8], "hsa-let-7a-5p": [1.0, NAN]}, index=[" a", 7])
    held = CargoTable.from_frame(frame, kind="mirna", unit="counts")
    assert held.sample_ids == ("a", "7")
    assert held.molecules == ("hsa-miR-21-5p", "hsa-let-7a-5p")
    np.testing.assert_array_equal(held.values, [[5, 1], [8, NAN]])


def test_a_frame_of_texts_is_taken_over_or_refused_by_cell():
    frame = pd.DataFrame({"a": ["22.5", "Undetermined"], "b": [None, "NA"], "c": [30, pd.NA]}, index=["S1", "S2"])
    held = CargoTable.from_frame(frame, kind="other", unit="ct")
    np.testing.assert_array_equal(held.values, [[22.5, NAN, 30], [40, NAN, NAN]])
    with pytest.raises(InputError, match=r"mine: 1 cell .*\(sample S2, a: 'Undetermined'\)"):
        CargoTable.from_frame(frame, kind="other", unit="log2_intensity", source="mine")
    with pytest.raises(InputError, match=r"1 sample id is blank \(number 2 of 2\)"):
        CargoTable.from_frame(frame.set_axis(["S1", None]), kind="other", unit="ct")


def test_taken_rows_keep_their_bits_and_order():
    held = table()
    taken = held.take([2, 0])
    assert taken.sample_ids == ("S3", "S1")
    np.testing.assert_array_equal(taken.values, COUNTS[[2, 0]])
    assert not taken.values.flags.writeable
    assert held.take(np.array([True, False, True])).sample_ids == ("S1", "S3")
    assert held.take([]).n_samples == 0
    assert held.n_samples == 3
    with pytest.raises(InputError, match=r"1 sample id comes more than once \(S2\)"):
        held.take([1, 1])


@pytest.mark.parametrize(("unit", "low", "high"), [("intensity", 25.5, 1e6), ("log2_intensity", 22.0, 22.5)])
def test_a_sample_is_judged_alone_as_among_others(unit, low, high):
    odd, sound = np.full(20, low), np.full(20, high)
    table([sound], unit)
    for values in ([odd], [sound, odd]):
        with pytest.raises(InputError, match=rf"all values of sample S{len(values)} "):
            table(values, unit)


def test_aligned_values_follow_the_asked_order_with_nan_for_what_is_lacking():
    held = table()
    np.testing.assert_array_equal(
        held.aligned(("hsa-let-7a-5p", "hsa-miR-9-5p", "hsa-miR-21-5p")), [[700, NAN, 5], [950, NAN, 8], [NAN, NAN, 1]]
    )
    assert held.aligned(list(MOLECULES)) is held.values
    assert held.aligned(()).shape == (3, 0)
    np.testing.assert_array_equal(held.take([1]).aligned(MOLECULES[:1]), [[8]])


def test_samples_that_are_lacking_are_rows_of_nan():
    held = table().for_samples(("S3", "S8", "S1"))
    assert held.sample_ids == ("S3", "S8", "S1")
    np.testing.assert_array_equal(held.values, [[1, 3, NAN], [NAN, NAN, NAN], [5, 12, 700]])


@pytest.mark.parametrize(
    ("unit", "row", "message"),
    [
        ("counts", [NAN, NAN], "no measured value"),
        ("counts", [0, NAN], "no detected molecule"),
        ("ct", [40, NAN], "no detected molecule"),
        ("intensity", [0, 0], "no detected molecule"),
    ],
)
def test_learning_refuses_samples_that_say_nothing_and_scoring_holds_them(unit, row, message):
    held = table([[30, 31], row, row], unit)
    with pytest.raises(InputError, match=rf"cargo.csv: 2 samples have {message} \(S2, S3\); leave them out"):
        held.check_rows()
    held.take([0]).check_rows()
    table([[0.0, -1.0]], "log2_intensity").check_rows()


def test_the_digest_follows_the_content_and_not_the_file():
    held = table()
    assert len(held.digest()) == 64
    assert held.digest() == table(source="other.csv").digest()
    assert held.digest() == table(COUNTS * 1.0, ids=["S1", "S2", "S3"]).digest()
    others = [
        table(COUNTS + 1),
        table(ids=("S1", "S2", "S4")),
        table(molecules=(*MOLECULES[:2], "hsa-let-7b-5p")),
        table(kind="other"),
        table(unit="cpm"),
        held.take([1, 0, 2]),
    ]
    assert len({held.digest(), *(other.digest() for other in others)}) == 7
    minus = table(np.where(COUNTS == 0, -0.0, COUNTS))
    assert minus.digest() == held.digest()


@pytest.mark.parametrize("name", ["out.csv", "out.tsv", "out.parquet"])
@pytest.mark.parametrize("unit", ["counts", "intensity"])
def test_a_written_table_reads_back_bit_for_bit(tmp_path, name, unit):
    rng = np.random.default_rng(5)
    values = COUNTS if unit == "counts" else rng.lognormal(15, 3, (3, 3))
    held = table(values, unit)
    held.write(tmp_path / name)
    again = read(tmp_path / name, unit)
    assert again.digest() == held.digest()
    with pytest.raises(FileError, match=name):
        held.write(tmp_path / name)
    held.take([0]).write(tmp_path / name, force=True)
    assert read(tmp_path / name, unit).sample_ids == ("S1",)


def test_counts_are_written_as_whole_numbers(tmp_path):
    table().write(tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines()[2:] == ["S2,8,0,950", "S3,1,3,"]


def test_an_unknown_ending_is_refused(tmp_path):
    with pytest.raises(FileError, match=r"cannot write .docx; use .csv, .tsv, .parquet"):
        table().write(tmp_path / "out.docx")
    assert not list(tmp_path.iterdir())


def test_one_row_of_a_thousand_molecules_is_checked_within_a_millisecond():
    values = np.random.default_rng(0).poisson(5, (1, 1000)).astype(float)
    molecules = tuple(f"hsa-miR-{i}-5p" for i in range(1000))
    took = []
    for _ in range(20):
        start = time.thread_time()
        table(values, molecules=molecules)
        took.append(time.thread_time() - start)
    assert min(took) < 1e-3


def test_every_mark_of_a_large_ct_table_is_heard(tmp_path):
    rows = [f"S{i}," + ",".join(["Undetermined"] * 50) + ",22.5" for i in range(60)]
    head = "id," + ",".join(f"m{j}" for j in range(51))
    held = CargoTable.read(written(tmp_path / "ct.csv", "\n".join([head, *rows])), kind="other", unit="ct")
    assert (held.values[:, :50] == 40).all()


@pytest.mark.parametrize("looked_for", [{"sample_ids": ["S1", "S2"]}, {"molecules": ["hsa-miR-21-5p"]}])
def test_hundreds_of_thousands_of_other_rows_are_refused_before_their_numbers_are_read(
    tmp_path: Path, looked_for: dict[str, list[str]]
) -> None:
    row = "," + ",".join(["12.5"] * 10) + "\n"
    path = tmp_path / "X.csv"
    path.write_text("row," + ",".join("abcdefghij") + "\n" + "".join(f"item{i}{row}" for i in range(400_000)))
    began = time.process_time()
    with pytest.raises(InputError, match=r"X\.csv: none of the .* in its first column \(item0, item1, item2\)"):
        CargoTable.read(path, kind="mirna", unit="counts", **looked_for)
    assert time.process_time() - began < 2.5  # 0.4 s; to read it through takes 9


@pytest.mark.slow
def test_a_large_table_with_its_samples_in_columns_is_read_though_its_molecules_come_late(tmp_path: Path) -> None:
    others = [f"hsa-miR-{i}" for i in range(1_000, 101_000)]
    rows = "".join(f"{name},{i},{i + 1},{'0' * 150}\n" for i, name in enumerate([*others, "hsa-miR-21-5p"]))
    (tmp_path / "X.csv").write_text(f"miRNA,S1,S2,S3\n{rows}")
    read = CargoTable.read(tmp_path / "X.csv", kind="mirna", unit="counts", molecules=["hsa-miR-21-5p"])
    assert read.sample_ids == ("S1", "S2", "S3")
    assert read.aligned(["hsa-miR-21-5p"])[:, 0].tolist() == [100_000, 100_001, 0]
