"""Make the golden numbers of the count normalisers; README.md beside this file says with what and how."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
from pydeseq2.dds import DeseqDataSet
from rnanorm import TMM

HERE = Path(__file__).parent

# Rows carry the reason they exist; columns m1 to m8.
HAND = {
    "plain": [10, 20, 40, 80, 160, 320, 5, 0],
    "deeper": [100, 200, 400, 800, 1600, 3200, 50, 0],  # plain, sequenced ten times: every factor must see depth alone
    "filled": [10, 20, 40, 80, 160, 9000, 5, 0],  # one molecule fills the library: log-CPM errs, TMM must not
    "holes": [12, 0, 44, 70, 150, 300, 0, 0],  # zeros where others have counts; m8 is zero in every sample
}


def seeded() -> pd.DataFrame:
    """Twelve samples of 60 molecules: few large, many small, depth from 0.3 to 3; m0 to m4 always found."""
    rng = np.random.default_rng(20240229)
    mean = np.exp(rng.normal(3.0, 1.8, 60))
    mean[:5] = [900, 700, 500, 300, 200]
    depth = np.exp(rng.uniform(np.log(0.3), np.log(3.0), 12))
    counts = rng.negative_binomial(2.0, 2.0 / (2.0 + np.outer(depth, mean)))
    counts[:, :5] += 1
    counts[4, 20:40] = 0
    return pd.DataFrame(counts, [f"s{i:02d}" for i in range(12)], [f"m{j}" for j in range(60)])


def log_cpm(counts: pd.DataFrame, sizes: np.ndarray, prior: float = 2.0) -> pd.DataFrame:
    """Work edgeR's formula cell by cell with ``math``, sharing no code with the package."""
    mean = math.fsum(sizes) / len(sizes)
    rows = []
    for (_, row), size in zip(counts.iterrows(), sizes, strict=True):
        own = prior * size / mean
        rows.append([math.log2((count + own) / (size + 2.0 * own) * 1e6) for count in row])
    return pd.DataFrame(rows, counts.index, counts.columns)


def sparse() -> pd.DataFrame:
    """Make the seeded table without any molecule found in every sample, so that DESeq2 needs "poscounts"."""
    counts = seeded()
    for column in range(counts.shape[1]):
        counts.iloc[column % len(counts), column] = 0
    # PyDESeq2 leaves out a molecule whose counts are all 0 or 1 (log mean 0), DESeq2 does not: none is here.
    return counts.loc[:, counts.max() > 1]


def size_factors(counts: pd.DataFrame, fit_type: str) -> np.ndarray:
    """Ask PyDESeq2 for its size factors."""
    metadata = pd.DataFrame({"group": ["a", "b"] * (len(counts) // 2)}, index=counts.index)
    dataset = DeseqDataSet(counts=counts, metadata=metadata, design="~group", quiet=True)
    dataset.fit_size_factors(fit_type=fit_type)
    return np.asarray(dataset.obs["size_factors"])


def main() -> None:
    """Write the fixtures and what the tools say of them."""
    hand = pd.DataFrame(HAND, [f"m{j}" for j in range(1, 9)]).T
    for name, counts in (("hand", hand), ("seeded", seeded()), ("sparse", sparse())):
        sizes = counts.sum(axis=1).to_numpy(float)
        factors = np.asarray(TMM().set_output(transform="pandas").fit(counts).get_norm_factors(counts))
        deseq = size_factors(counts, "poscounts" if name == "sparse" else "ratio")
        table = pd.DataFrame({"tmm": factors, "size_factor": deseq}, index=counts.index)
        counts.to_csv(HERE / f"counts_{name}.csv", index_label="sample")
        table.to_csv(HERE / f"factors_{name}.csv", index_label="sample")
        log_cpm(counts, sizes).to_csv(HERE / f"log_cpm_{name}.csv", index_label="sample")
        log_cpm(counts, sizes * factors).to_csv(HERE / f"log_cpm_tmm_{name}.csv", index_label="sample")


if __name__ == "__main__":
    main()
