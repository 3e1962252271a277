"""Make the tables that limma.R reads; README.md beside this file says with what and how."""

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent


def main() -> None:
    """Write counts with a batch, a covariate and repeats, and log intensities with holes."""
    rng = np.random.default_rng(20261125)
    n, p = 30, 60
    subject = np.r_[np.arange(20), np.arange(10)]
    state, batch = (subject % 2), (subject // 2) % 2
    age = np.round(rng.normal(50, 10, 20))[subject]
    mean = np.exp(rng.normal(3.0, 1.8, p)) + 2
    depth = np.exp(rng.uniform(np.log(0.4), np.log(2.5), n))
    log = np.log(mean) + rng.normal(0, 0.4, (20, p))[subject]
    log[:, :6] += 0.9 * state[:, None]
    log += 0.5 * batch[:, None] * rng.normal(0, 1, p)
    counts = rng.poisson(rng.gamma(4, 0.25, (n, p)) * np.exp(log) * depth[:, None])
    counts[:, :4] += 1
    ids = [f"s{i:02d}" for i in range(n)]
    molecules = [f"m{j:02d}" for j in range(p)]
    pd.DataFrame(counts, ids, molecules).to_csv(HERE / "limma_counts.csv", index_label="sample_id")
    sheet = pd.DataFrame({"subject": [f"P{i:02d}" for i in subject], "state": state, "batch": batch, "age": age}, ids)
    sheet.to_csv(HERE / "limma_samples.csv", index_label="sample_id")
    values = rng.normal(20, 2, p) + rng.normal(0, 0.5, (n, p)) + rng.normal(0, 0.4, (20, p))[subject]
    values[:, :6] += 0.8 * state[:, None]
    values[rng.random((n, p)) < 0.15] = np.nan
    values[state == 1, 50] = np.nan  # no value in one state: the effect is not determined
    pd.DataFrame(values.round(6), ids, molecules).to_csv(HERE / "limma_intensities.csv", index_label="sample_id")


main()
