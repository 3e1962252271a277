"""Files of any size give the library's answers, row for row and bit for bit; what cannot be scored is named."""

from __future__ import annotations

import gzip
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exoclassify.data.cargo import CargoTable
from exoclassify.errors import FileError, InputError, ModelError
from exoclassify.model.prediction import Use
from exoclassify.scoring.finishing import Tally
from exoclassify.scoring.long import LongNames
from exoclassify.scoring.runners import Threads
from exoclassify.scoring.stream import Asked, score_files
from exoclassify.tables import sizes
from exoclassify.tables.writing import system_refusals
from scored import expected, model, read, same, samples, small_pieces, write

pytestmark = pytest.mark.slow

BUNDLE = model()
FRAME = samples(BUNDLE, 230)
EXPECTED = expected(BUNDLE, FRAME)


@pytest.fixture(autouse=True)
def _cut_finely(monkeypatch):
    small_pieces(monkeypatch)


def scored(tmp_path, *given, ending=".csv", **asked):
    out = tmp_path / f"out{ending}"
    report = score_files(BUNDLE, [str(path) for path in given], out, Asked(**asked))
    return report, read(out)


def rejected(tmp_path, ending=".csv"):
    return pd.read_csv(tmp_path / f"out{ending}.rejected.csv", keep_default_na=False, dtype=str)


@pytest.mark.parametrize(
    "name", ["x.csv", "x.tsv", "x.csv.gz", "x.csv.zst", "x.tsv.zst", "x.parquet", "x.arrow", "x.xlsx"]
)
def test_every_format_gives_the_librarys_answers_to_the_last_bit(tmp_path, name):
    report, found = scored(tmp_path, write(FRAME, tmp_path / name))
    same(found, EXPECTED)
    assert report.complete
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", name]


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_output_holds_the_same_answers_in_the_same_order(tmp_path, ending):
    _, found = scored(tmp_path, write(FRAME, tmp_path / "x.parquet"), ending=ending)
    same(found, EXPECTED)


def test_one_row_alone_gets_the_answer_it_gets_among_thousands(tmp_path):
    _, found = scored(tmp_path, write(FRAME, tmp_path / "x.parquet"), ending=".parquet")
    for i in (0, 11, 101, 229):
        row = FRAME.iloc[i].drop("sample_id")
        alone = BUNDLE.predict_one(row.to_dict(), sample_id=FRAME["sample_id"][i]).to_frame()
        same(found.iloc[[i]].reset_index(drop=True), alone)


def test_samples_in_columns_and_a_stream_of_arrow_give_the_same(tmp_path):
    FRAME.set_index("sample_id").T.to_csv(tmp_path / "turned.csv")
    table = pa.Table.from_pandas(FRAME, preserve_index=False)
    with pa.ipc.new_stream(tmp_path / "s.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=31)
    for name in ("turned.csv", "s.arrow"):
        same(scored(tmp_path, tmp_path / name, force=True)[1], EXPECTED)


def test_the_number_of_threads_changes_nothing(tmp_path):
    write(FRAME, tmp_path / "x.csv")
    for n in (1, 3):
        score_files(BUNDLE, [str(tmp_path / "x.csv")], tmp_path / f"{n}.csv", runner=Threads(n))
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "3.csv").read_bytes()


def test_prevalence_and_same_batch_reach_every_row(tmp_path):
    use = Use(prevalence={"neuropathic": 0.05}, same_batch=True)
    _, found = scored(tmp_path, write(FRAME, tmp_path / "x.csv"), use=use)
    same(found, expected(BUNDLE, FRAME, use))
    assert set(found["call"]) - {"uncertain"}


def test_only_the_panel_is_read_from_columns(tmp_path):
    wide = FRAME.assign(**{f"other-{i}": "text" for i in range(5)})
    assert scored(tmp_path, write(wide, tmp_path / "x.parquet"))[0].complete
    broken = FRAME.assign(**{"hsa-miR-99999": np.inf})
    same(scored(tmp_path, write(broken, tmp_path / "y.parquet"), force=True)[1], EXPECTED)


def test_columns_that_are_kept_pass_through_as_they_are(tmp_path):
    site = ['a "quoted", site', "Köln", "", "line\nend"] * 57 + ["x", "y"]
    frame = FRAME.assign(site=site, plate=np.arange(230))
    for ending in (".csv", ".jsonl", ".parquet"):
        for name in ("k.csv", "k.parquet"):
            _, found = scored(
                tmp_path, write(frame, tmp_path / name), ending=ending, keep=("site", "plate"), force=True
            )
            assert list(found["site"]) == site
            assert list(found["plate"].astype(int)) == list(range(230))
            same(found[list(EXPECTED)], EXPECTED)


def test_a_folder_of_files_is_scored_in_the_order_of_its_names_with_its_keys(tmp_path):
    for site, rows in (("Bonn", slice(100, 230)), ("Aachen", slice(0, 100))):
        folder = tmp_path / "in" / f"site={site}"
        folder.mkdir(parents=True)
        write(FRAME.iloc[rows], folder / "part-0.parquet")
    (tmp_path / "in/_SUCCESS").write_text("")
    (tmp_path / "in/notes.docx").write_text("")
    report, found = scored(tmp_path, tmp_path / "in", keep=("site",))
    same(found[list(EXPECTED)], EXPECTED)
    assert list(found["site"]) == ["Aachen"] * 100 + ["Bonn"] * 130
    assert report.left_out == ("notes.docx",)


def test_a_pattern_and_a_list_of_files_are_one_output(tmp_path):
    for i in range(3):
        write(FRAME.iloc[i * 77 : (i + 1) * 77], tmp_path / f"part-{i}.csv")
    same(scored(tmp_path, tmp_path / "part-*.csv")[1], EXPECTED)
    given = [tmp_path / f"part-{i}.csv" for i in range(3)]
    same(scored(tmp_path, *given, force=True)[1], EXPECTED)


@pytest.mark.parametrize("name", ["l.csv", "l.csv.gz", "l.parquet"])
def test_long_format_gives_the_same_answers(tmp_path, name):
    long = (
        FRAME.melt("sample_id", var_name="mirna", value_name="reads").sort_values("sample_id", kind="stable").dropna()
    )
    write(long.rename(columns={"sample_id": "who"}), tmp_path / name)
    report, found = scored(tmp_path, tmp_path / name, long=LongNames("who", "mirna", "reads"))
    same(found, EXPECTED)
    assert report.complete


def test_long_rows_that_cannot_be_used_are_named(tmp_path):
    long = FRAME.iloc[:9].melt("sample_id", var_name="mirna", value_name="reads")
    long = long.sort_values("sample_id", kind="stable").dropna().reset_index(drop=True)
    mine = long.index[long["sample_id"] == "S-00002"]
    long["reads"] = long["reads"].astype(str)
    long.loc[mine[5], "reads"] = "much"
    again = long[long["sample_id"] == "S-00004"].iloc[[0]]
    long = pd.concat([long, again]).sort_values("sample_id", kind="stable")
    _, found = scored(tmp_path, write(long, tmp_path / "l.csv"), long=LongNames("sample_id", "mirna", "reads"))
    assert list(found["sample_id"]) == [s for s in FRAME["sample_id"][:9] if s not in ("S-00002", "S-00004")]
    named = rejected(tmp_path)
    assert list(named["sample_id"]) == ["S-00002", "S-00004"]
    assert "'much' where a number is expected" in named["reason"][0]
    assert "more than once" in named["reason"][1]
    with pytest.raises(
        InputError, match=r"l\.csv: has no column reeds; its columns are sample_id, mirna, reads; .*--long"
    ):
        scored(tmp_path, tmp_path / "l.csv", long=LongNames("sample_id", "mirna", "reeds"), force=True)


BAD = {3: "much", 40: "-5", 77: "2.5", 150: "inf"}


@pytest.mark.parametrize("name", ["b.csv", "b.csv.gz", "b.xlsx", "b.parquet", "b.arrow"])
def test_bad_rows_are_named_and_the_others_are_scored(tmp_path, name):
    frame = FRAME.astype(object)
    column = BUNDLE.panel.molecules[4]
    for row, cell in BAD.items():
        frame.loc[row, column] = cell if not name.endswith(".xlsx") or cell == "much" else float(cell)
    frame[column] = frame[column].where(frame[column].notna(), None)
    if not name.endswith(".xlsx"):
        frame[column] = frame[column].map(lambda cell: None if cell is None else str(cell))
    report, found = scored(tmp_path, write(frame, tmp_path / name))
    same(found, EXPECTED.drop(index=list(BAD)).reset_index(drop=True))
    named = rejected(tmp_path)
    assert list(named) == ["file", "row", "sample_id", "column", "reason"]
    assert list(named["row"]) == [str(row + 1) for row in BAD]
    assert list(named["sample_id"]) == [FRAME["sample_id"][row] for row in BAD]
    assert set(named["column"]) == {column}
    for reason, word in zip(named["reason"], ["number is expected", "negative", "not whole", "infinite"], strict=True):
        assert word in reason
    assert report.n_rejected == 4
    assert report.tally.n == 226


def test_uneven_rows_lost_names_and_foreign_bytes_are_named_by_row(tmp_path):
    lines = write(FRAME, tmp_path / "u.csv").read_bytes().splitlines(keepends=True)
    lines[20] = lines[20].rstrip(b"\n") + b",1\n"
    lines[60] = b" " + lines[60][7:]
    lines[90] = lines[90].replace(b"S-", b"S\xff")
    lines.insert(120, b"\n")
    lines.insert(121, b"," * lines[0].count(b",") + b"\n")
    (tmp_path / "u.csv").write_bytes(b"".join(lines))
    _, found = scored(tmp_path, tmp_path / "u.csv")
    same(found, EXPECTED.drop(index=[19, 59, 89]).reset_index(drop=True))
    named = rejected(tmp_path)
    assert list(named["row"]) == ["20", "60", "90"]
    assert "cells where the header has" in named["reason"][0]
    assert "no sample id" in named["reason"][1]
    assert "not UTF-8" in named["reason"][2]


def test_sample_ids_that_come_twice_are_all_named_and_none_is_scored(tmp_path):
    write(FRAME, tmp_path / "one.csv")
    again = FRAME.iloc[[5, 6]].assign(sample_id=["S-00200", "new"])
    write(again, tmp_path / "two.csv")
    for ending in (".csv", ".parquet"):
        report, found = scored(tmp_path, tmp_path / "one.csv", tmp_path / "two.csv", ending=ending)
        assert list(found["sample_id"]) == [*EXPECTED["sample_id"].drop(index=200), "new"]
        named = rejected(tmp_path, ending)
        assert list(zip(named["file"], named["row"], strict=True)) == [("one.csv", "201"), ("two.csv", "1")]
        assert set(named["sample_id"]) == {"S-00200"}
        assert report.tally.n == 230
        assert sum(report.tally.calls.values()) == 230


def test_twice_is_found_in_many_passes_too(tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, "KEYS_AT_ONCE", 50)
    frame = pd.concat([FRAME, FRAME.iloc[[17, 100]]])
    report, found = scored(tmp_path, write(frame, tmp_path / "x.csv"))
    same(found, EXPECTED.drop(index=[17, 100]).reset_index(drop=True))
    assert report.n_rejected == 4


def test_strict_stops_at_the_first_bad_row_and_writes_nothing(tmp_path):
    frame = FRAME.copy()
    frame.loc[150, BUNDLE.panel.molecules[4]] = -1
    write(frame, tmp_path / "x.csv")
    with pytest.raises(InputError, match=rf"x\.csv: sample S-00150, {BUNDLE.panel.molecules[4]}: 1 cell is negative"):
        scored(tmp_path, tmp_path / "x.csv", strict=True)
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


def test_a_malformed_file_is_named_and_the_others_are_scored(tmp_path):
    write(FRAME, tmp_path / "good.csv")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "page.csv").write_text("<!doctype html><html></html>")
    write(FRAME[["sample_id", "hsa-miR-99999"]], tmp_path / "other.csv")
    write(FRAME.set_index("sample_id").add(0.5).reset_index(), tmp_path / "logs.csv")
    (tmp_path / "cut.parquet").write_bytes(write(FRAME, tmp_path / "x.parquet").read_bytes()[:5000])
    names = ["empty.csv", "page.csv", "good.csv", "other.csv", "logs.csv", "cut.parquet"]
    report, found = scored(tmp_path, *(tmp_path / name for name in names))
    same(found, EXPECTED)
    named = rejected(tmp_path).set_index("file")["reason"]
    assert list(named.index) == ["empty.csv", "page.csv", "other.csv", "logs.csv", "cut.parquet"]
    assert "is empty" in named["empty.csv"]
    assert "web page" in named["page.csv"]
    assert "none of the" in named["other.csv"]
    assert "none of its first 100 rows can be used" in named["logs.csv"]
    assert "not whole" in named["logs.csv"]
    assert len(report.broken) == 5
    with pytest.raises(FileError, match=r"empty\.csv: is empty"):
        scored(tmp_path, *(tmp_path / name for name in names), strict=True, force=True)


@pytest.mark.parametrize(
    ("frame", "error", "match"),
    [
        (FRAME.set_index("sample_id").div(7).reset_index(), InputError, r"none of its first 100 rows .* not whole"),
        (FRAME.iloc[:0], InputError, "no row below it"),
        (FRAME.iloc[:, :20], ModelError, "molecules of the model's panel are missing"),
        (FRAME.rename(columns={FRAME.columns[5]: FRAME.columns[4].upper()}), InputError, "comes twice"),
    ],
)
def test_a_file_that_is_wrong_throughout_is_one_error_and_leaves_nothing(tmp_path, frame, error, match):
    write(frame, tmp_path / "x.csv")
    with pytest.raises(error, match=match):
        scored(tmp_path, tmp_path / "x.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


def test_a_file_cut_short_gives_what_is_whole_and_says_where_it_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, "HEAD_BYTES", 2_000)
    whole = gzip.compress(FRAME.to_csv(index=False).encode(), compresslevel=0)
    (tmp_path / "x.csv.gz").write_bytes(whole[: len(whole) // 2])
    report, found = scored(tmp_path, tmp_path / "x.csv.gz")
    assert 50 < len(found) < 200
    same(found, EXPECTED.iloc[: len(found)])
    assert not report.complete
    assert rejected(tmp_path)["reason"][0].startswith("is cut short")
    assert f"after row {len(found)}" in rejected(tmp_path)["reason"][0]


def test_a_parquet_file_with_a_damaged_page_names_itself(tmp_path):
    write(FRAME, tmp_path / "x.parquet")
    chunk = pq.ParquetFile(tmp_path / "x.parquet").metadata.row_group(4).column(1)
    content = bytearray((tmp_path / "x.parquet").read_bytes())
    begin = chunk.dictionary_page_offset or chunk.data_page_offset
    content[begin : begin + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    (tmp_path / "x.parquet").write_bytes(content)
    report, found = scored(tmp_path, tmp_path / "x.parquet")
    assert len(found) < 230
    assert set(found["sample_id"]) < set(EXPECTED["sample_id"])
    assert "is damaged" in report.broken[0]


def test_quotes_that_never_close_are_named(tmp_path):
    lines = write(FRAME, tmp_path / "x.csv").read_text().splitlines(keepends=True)
    lines[180] = '"' + lines[180]
    (tmp_path / "x.csv").write_text("".join(lines))
    report, found = scored(tmp_path, tmp_path / "x.csv")
    assert "quotes do not match" in report.broken[0]
    assert set(EXPECTED["sample_id"][:150]) <= set(found["sample_id"])


def test_a_missing_file_an_empty_folder_and_an_unknown_ending_are_refused_at_once(tmp_path):
    (tmp_path / "void").mkdir()
    for given, match in (
        ("no.csv", r"no\.csv: there is no such file"),
        ("void", "holds no table"),
        ("x-*.csv", "holds no"),
    ):
        with pytest.raises(FileError, match=match):
            scored(tmp_path, tmp_path / given)
    write(FRAME, tmp_path / "x.csv")
    with pytest.raises(FileError, match=r"out\.docx: unknown ending \.docx; use \.csv"):
        scored(tmp_path, tmp_path / "x.csv", ending=".docx")
    with pytest.raises(InputError, match=r"x\.csv: has no column site to keep"):
        scored(tmp_path, tmp_path / "x.csv", keep=("site",))


def test_what_pandas_and_r_write_around_a_table_is_understood(tmp_path):
    FRAME.to_csv(tmp_path / "index.csv")  # 0, 1, 2, … before the sample ids
    FRAME.set_index("sample_id").to_parquet(tmp_path / "index.parquet")
    body = FRAME.set_index("sample_id").to_csv(sep="\t", na_rep="NA", quoting=2).split("\n", 1)
    (tmp_path / "r.tsv").write_text(body[0].split("\t", 1)[1] + "\n" + body[1])  # a header without its corner
    (tmp_path / "semicolons.csv").write_bytes(b"\xef\xbb\xbf" + FRAME.to_csv(sep=";", index=False).encode())
    (tmp_path / "wide.csv").write_text(FRAME.to_csv(index=False), encoding="utf-16")
    for name in ("index.csv", "index.parquet", "r.tsv", "semicolons.csv", "wide.csv"):
        same(scored(tmp_path, tmp_path / name, force=True)[1], EXPECTED)


def test_the_tally_of_a_run_is_that_of_the_librarys_answers(tmp_path):
    report, _ = scored(tmp_path, write(FRAME, tmp_path / "x.csv"), use=Use(same_batch=True))
    table = CargoTable.from_frame(FRAME.set_index("sample_id"), kind="mirna", unit="counts")
    wanted = Tally.of(BUNDLE.predict(table, Use(same_batch=True)))
    assert report.tally.n == wanted.n
    assert +report.tally.calls == wanted.calls
    assert +report.tally.reasons == wanted.reasons
    assert report.tally.places == wanted.places == {"a training batch": len(FRAME)}
    assert report.tally.coverage == pytest.approx(wanted.coverage)


def test_progress_reaches_the_end(tmp_path):
    seen = []
    write(FRAME, tmp_path / "x.parquet")
    score_files(BUNDLE, [str(tmp_path / "x.parquet")], tmp_path / "o.csv", progress=lambda *at: seen.append(at))
    assert seen[-1][0] == pytest.approx(seen[-1][1])
    assert seen[-1][2] == 230
    assert [at[0] for at in seen] == sorted(at[0] for at in seen)


def test_ct_marks_are_understood_in_a_stream_as_in_a_table(tmp_path):
    from exoclassify.data.cargo import CargoTable
    from exoclassify.lifecycle.fit import fit
    from exoclassify.simulation.design import SimulationDesign
    from exoclassify.simulation.simulate import simulate
    from scored import SMALL

    cohort = simulate(SimulationDesign(seed=5, n_samples=60, n_molecules=60, effect=2.0, layers=("ct",))).cohort
    bundle = fit(cohort, SMALL, judge=False, name="cycles", n_jobs=1)
    frame = cohort.cargo.to_frame().astype(object)
    frame[frame == 40] = "Undetermined"
    assert (frame == "Undetermined").sum().sum() > 20
    frame.reset_index().to_csv(tmp_path / "ct.csv", index=False)
    score_files(bundle, [str(tmp_path / "ct.csv")], tmp_path / "out.csv")
    table = CargoTable.read(tmp_path / "ct.csv", kind=cohort.cargo.kind, unit="ct")
    same(read(tmp_path / "out.csv"), bundle.predict(table).to_frame())


def test_a_file_that_changes_under_way_is_refused(tmp_path):
    path = write(FRAME, tmp_path / "x.csv")

    def grow(*_):
        with path.open("a") as file:
            file.write("late\n")

    with pytest.raises(FileError, match=r"x\.csv: changed while it was scored"):
        score_files(BUNDLE, [str(path)], tmp_path / "o.csv", progress=grow)
    assert not (tmp_path / "o.csv").exists()


def test_a_refusal_of_the_system_names_the_output(tmp_path):
    write(FRAME, tmp_path / "x.csv")
    with pytest.raises(FileError, match=r"cannot be written"), system_refusals(tmp_path / "o.csv"):
        raise OSError(28, "No space left on device")
    shutil.rmtree(tmp_path / "none", ignore_errors=True)
    with pytest.raises(FileError, match="cannot be written"):
        score_files(BUNDLE, [str(tmp_path / "x.csv")], tmp_path / "none/o.csv")


def test_the_batch_of_each_sample_comes_from_a_column_or_from_a_sheet(tmp_path):
    names = np.resize(["B1", "B2", "elsewhere", ""], len(FRAME))
    frame = FRAME.assign(centre=names)
    table = CargoTable.from_frame(FRAME.set_index("sample_id"), kind="mirna", unit="counts")
    wanted = BUNDLE.predict(table, batches=names.tolist()).to_frame()
    assert set(wanted["place"]) == {"batch B1", "batch B2", "unknown batch"}
    for ending in ("csv", "parquet"):
        _, found = scored(tmp_path, write(frame, tmp_path / f"x.{ending}"), batch_column="centre", force=True)
        same(found.drop(columns="centre"), wanted)
        assert found["centre"].fillna("").tolist() == names.tolist()
    by_id = dict(zip(FRAME["sample_id"], names, strict=True))
    _, found = scored(tmp_path, write(FRAME, tmp_path / "y.csv"), batches=by_id, force=True)
    same(found, wanted)


def test_what_a_streamed_table_was_understood_as_is_noted(tmp_path):
    long = FRAME.rename(columns={m: f"{m}_MIMAT0000001_Homo_sapiens_{m[4:]}" for m in FRAME.columns[1:]})
    report, found = scored(tmp_path, write(long, tmp_path / "mature_counts.csv"))
    same(found, EXPECTED)
    assert report.notes == ("mature_counts.csv: read as nf-core/smrnaseq: 61 miRNAs, samples in rows",)
