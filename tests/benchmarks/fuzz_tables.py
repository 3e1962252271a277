"""Reads 5,000 damaged tables of the field's formats: each is read or refused in one line, or the seed is told.

python tests/benchmarks/fuzz_tables.py [HOW_MANY]
"""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

from exoclassify.data.cargo import CargoTable
from exoclassify.errors import ExoclassifyError
from tests.field_tables import TABLES
from tests.test_dialects import mutated

if __name__ == "__main__":
    n, found = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000, Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(n):
            field = TABLES[seed % len(TABLES)]
            path = Path(folder, field.name)
            path.write_bytes(mutated(field.text, seed))
            try:
                CargoTable.read(path, kind=field.kind, unit=field.unit, molecules=field.molecules)
                found["read"] += 1
            except ExoclassifyError as error:
                found["refused" if "\n" not in str(error) else "refused in several lines"] += 1
            except Exception:  # noqa: BLE001 - what the fuzz is for
                found["traceback"] += 1
                print(f"seed {seed}, {field.name}")
                traceback.print_exc(limit=-2)
    print(dict(found))
