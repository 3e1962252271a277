"""Numbers of other tools, read from tests/golden."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

FOLDER = Path(__file__).parent / "golden"


def answers() -> pd.DataFrame:
    """80 samples and the probabilities of two models."""
    return pd.read_csv(FOLDER / "metrics_answers.csv")


def r_figures() -> dict[str, float]:
    """Figures of pROC and rms on them."""
    frame = pd.read_csv(FOLDER / "metrics_r.csv", skipinitialspace=True)
    return dict(zip(frame["figure"], frame["value"], strict=True))


def sample_sizes() -> list[dict]:
    """What pmsampsize gives."""
    return json.loads((FOLDER / "metrics_sample_size.json").read_text())


def first_format() -> pd.DataFrame:
    """What version 0.1 answered with models of the first format: one row a model, sample and way of asking."""
    return pd.read_csv(FOLDER / "first_format.csv", keep_default_na=False)


def turned_profiles(golden: pd.DataFrame) -> pd.DataFrame:
    """A dozen samples from golden profiles: as they are, with holes, little measured, unlike all others."""
    profiles = golden.iloc[:12].astype(float)
    columns = np.arange(profiles.shape[1])
    profiles.iloc[6, columns % 3 == 0] = np.nan
    profiles.iloc[7, columns % 5 != 0] = np.nan
    profiles.iloc[8] = profiles.iloc[8].to_numpy()[::-1]
    profiles.iloc[9, columns % 2 == 0] = profiles.iloc[1, columns % 2 == 0]
    profiles.iloc[10] = 2 * profiles.iloc[10]
    profiles.iloc[11] = 0.0
    return profiles
