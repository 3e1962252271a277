"""A table says the same in every dialect, and a damaged one is read or refused in one line."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exoclassify.errors import ExoclassifyError
from exoclassify.tables.reading import read_wide
from tests.field_tables import TABLES

N_MUTATED = 300
"""Files of the fuzz here; benchmarks/fuzz_tables.py does 5,000."""


def _text(rows: list[list[str]], separator: str, end: str = "\n", quote: bool = False) -> str:
    cell: Callable[[str], str] = (lambda text: f'"{text}"') if quote else str
    return "".join(separator.join(map(cell, row)) + end for row in rows)


DIALECTS: dict[str, Callable[[list[list[str]]], tuple[str, bytes]]] = {
    "comma": lambda rows: ("t.csv", _text(rows, ",").encode()),
    "quoted": lambda rows: ("t.csv", _text(rows, ",", quote=True).encode()),
    "semicolon": lambda rows: ("t.csv", _text(rows, ";").encode()),
    "tab": lambda rows: ("t.tsv", _text(rows, "\t").encode()),
    "windows": lambda rows: ("t.csv", b"\xef\xbb\xbf" + _text(rows, ",", "\r\n").encode()),
    "unicode text": lambda rows: ("t.txt", _text(rows, "\t").encode("utf-16")),
    "old mac": lambda rows: ("t.csv", _text(rows, ",", "\r").encode()),
    "titled": lambda rows: ("t.csv", ("A study of pain\n\n" + _text(rows, ",")).encode()),
    "decimal commas": lambda rows: (
        "t.csv",
        _text([rows[0], *([row[0], *(cell.replace(".", ",") for cell in row[1:])] for row in rows[1:])], ";").encode(),
    ),
}


@settings(max_examples=25, deadline=None)
@given(
    # Two decimals, so that no comma could stand between thousands.
    st.lists(st.lists(st.integers(-99999, 99999), min_size=3, max_size=3), min_size=2, max_size=6)
)
def test_every_dialect_gives_the_same_values(hundredths: list[list[int]]) -> None:
    values = np.array(hundredths) / 100
    header = ["sample_id", "hsa-miR-1-3p", "hsa-miR-9-5p", "hsa-miR-21-5p"]
    rows = [header, *([f"S{i}", *(f"{value:.2f}" for value in row)] for i, row in enumerate(values))]
    for name, written in DIALECTS.items():
        with tempfile.TemporaryDirectory() as folder:
            file, content = written(rows)
            Path(folder, file).write_bytes(content)
            wide = read_wide(Path(folder, file))
        assert wide.row_ids == tuple(f"S{i}" for i in range(len(values))), name
        assert wide.columns == tuple(header[1:]), name
        np.testing.assert_array_equal(wide.cells, values, err_msg=name)


def mutated(text: str, seed: int) -> bytes:
    """Give a text with one to four faults of the kinds that files have."""
    rng = random.Random(seed)
    content = bytearray(text.encode())
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(max(1, len(content)))
        other = rng.randrange(max(1, len(content)))
        kind = rng.randrange(7)
        if kind == 0:
            del content[at:]
        elif kind == 1:
            del content[min(at, other) : max(at, other)]
        elif kind == 2:
            content[at:at] = content[min(at, other) : max(at, other)]
        elif kind == 3:
            content[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 4:
            content[at:at] = rng.choice(
                [b'"', b"\t", b",", b";", b"\n", b"\r", b"\0", b"NA", b"\xff", b"#", b"1e999", b"-"]
            )
        elif kind == 5:
            lines = bytes(content).split(b"\n")
            rng.shuffle(lines)
            content = bytearray(b"\n".join(lines))
        else:
            content = bytearray(bytes(content).replace(b"\t", rng.choice([b",", b"  ", b";"])))
    return bytes(content)


@pytest.mark.parametrize("part", range(3))
def test_a_damaged_file_is_read_or_refused_in_one_line(part: int, tmp_path: Path) -> None:
    for seed in range(part * N_MUTATED // 3, (part + 1) * N_MUTATED // 3):
        field = TABLES[seed % len(TABLES)]
        path = tmp_path / field.name
        path.write_bytes(mutated(field.text, seed))
        said = refusal(path)
        assert said is None or ("\n" not in said and field.name in said), seed


def refusal(path: Path) -> str | None:
    try:
        read_wide(path)
    except ExoclassifyError as error:
        return str(error)
    return None
