"""Numbers of other tools, read from tests/golden."""

import json
from pathlib import Path

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
