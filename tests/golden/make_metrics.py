"""Make the golden numbers of judgement that come from Python tools; README.md says in which environment.

Run it first: it also makes metrics_answers.csv, which make_metrics.R reads.
"""

import json
from pathlib import Path

import dcurves
import numpy as np
import pandas as pd
from pmsampsize.pmsampsize import pmsampsize

HERE = Path(__file__).parent


def answers() -> pd.DataFrame:
    """80 samples, two models that saw the same people, probabilities with ties."""
    rng = np.random.default_rng(20240301)
    y = (rng.random(80) < 0.4).astype(int)
    shared = rng.normal(size=80)
    logits = [1.1 * y - 0.6 + 0.8 * shared + rng.normal(size=80), 0.5 * y - 0.5 + 0.8 * shared + rng.normal(size=80)]
    first, second = (np.round(1 / (1 + np.exp(-x)), 2).clip(0.01, 0.99) for x in logits)
    return pd.DataFrame({"y": y, "first": first, "second": second})


def net_benefit(frame: pd.DataFrame) -> pd.DataFrame:
    """Net benefit of the first model and of treating all, at the samples' prevalence and at 10 %."""
    thresholds = [0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9]
    rows = []
    for prevalence in (None, 0.1):
        found = dcurves.dca(data=frame, outcome="y", modelnames=["first"], thresholds=thresholds, prevalence=prevalence)
        for model in ("first", "all"):
            part = found[found["model"] == model]
            for threshold, value in zip(part["threshold"], part["net_benefit"], strict=True):
                rows.append((prevalence, model, threshold, value))
    return pd.DataFrame(rows, columns=["prevalence", "model", "threshold", "net_benefit"])


def sizes() -> list[dict]:
    """Riley's criteria for models of two states, and the R² that goes with a C-statistic (simulated by pmsampsize)."""
    found = []
    for parameters, prevalence, cox_snell in ((24, 0.174, 0.288), (10, 0.5, 0.2), (5, 0.1, 0.05), (30, 0.33, 0.4)):
        given = pmsampsize(type="b", csrsquared=cox_snell, parameters=parameters, prevalence=prevalence, noprint=True)
        criteria = [int(row[1]) for row in given["results_table"] if str(row[0]).startswith("Criteria")]
        found.append({"parameters": parameters, "prevalence": prevalence, "cox_snell": cox_snell, "criteria": criteria})
    for auc, prevalence in ((0.7, 0.5), (0.8, 0.174), (0.9, 0.33)):
        given = pmsampsize(type="b", cstatistic=auc, parameters=10, prevalence=prevalence, noprint=True)
        found.append({"auc": auc, "prevalence": prevalence, "cox_snell": float(given["rsquared"])})
    return found


if __name__ == "__main__":
    frame = answers()
    frame.to_csv(HERE / "metrics_answers.csv", index=False)
    net_benefit(frame).to_csv(HERE / "metrics_net_benefit.csv", index=False)
    (HERE / "metrics_sample_size.json").write_text(json.dumps(sizes(), indent=1) + "\n")
