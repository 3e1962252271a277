"""How long training with full judgement takes, and how much memory. Prints one row a cohort.

Run as ``python tests/benchmarks/training_time.py [--sizes 150x1800,500x20000] [--jobs 2]``. Each size runs in a process of its
own through the command line; memory is the largest resident set of any single process, times the processes at work.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from exoclassify.simulation.design import SimulationDesign
from exoclassify.simulation.simulate import simulate


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="150x1800,500x20000")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    print("samples x molecules   seconds   peak MB of one process   at most, with parent and workers")
    for size in options.sizes.split(","):
        n, p = (int(part) for part in size.split("x"))
        with tempfile.TemporaryDirectory() as folder:
            design = SimulationDesign(seed=1, n_samples=n, n_molecules=p, states=("control", "neuropathic"))
            simulate(design).write(Path(folder))
            command = [
                str(Path(sys.executable).parent / "exoclassify"), "train", "--cargo", f"{folder}/cargo.csv", "--kind", "mirna",
                "--unit", "counts", "--samples", f"{folder}/samples.csv", "--label", "label", "--subject", "subject",
                "--batch", "batch", "--out", f"{folder}/MODEL", "--jobs", str(options.jobs),
            ]  # fmt: skip
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            taken = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"{size:<22}{taken:>7.0f}{peak:>25.0f}{peak * (options.jobs + 1):>35.0f}", flush=True)


if __name__ == "__main__":
    main()
