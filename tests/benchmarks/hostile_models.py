"""What becomes of mutated models whose checksums are right: ``python tests/benchmarks/hostile_models.py MODEL ... [--n 2000]``.

Bytes of files, values and shapes of arrays (trees of XGBoost among them), values of bundle.json and its bytes, in equal parts.
Asked: refused in one line, or loaded with equal answers; nothing else. A process that is lost is a row of its own.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from hostile import tried


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--n", type=int, default=2000, help="mutations, over all models")
    parser.add_argument("--from", type=int, default=0, dest="start", help="first seed")
    chosen = parser.parse_args()
    found: Counter[tuple[str, str]] = Counter()
    share = chosen.n // len(chosen.models)
    for i, model in enumerate(chosen.models):
        with tempfile.TemporaryDirectory() as scratch:
            seeds = range(chosen.start + i * share, chosen.start + (i + 1) * share)
            for seed, kind, outcome in tried(model.resolve(), seeds, Path(scratch)):
                found[kind, outcome] += 1
                if outcome not in ("refused", "loaded, equal answers"):
                    print(f"{model}, seed {seed}, {kind}: {outcome}", flush=True)
    print(f"{'mutation':24}{'outcome':30}n")
    for (kind, outcome), n in sorted(found.items()):
        print(f"{kind:24}{outcome[:28]:30}{n}")


if __name__ == "__main__":
    main()
