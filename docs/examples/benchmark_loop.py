"""ExoClassifier beside three usual learners, in one scikit-learn loop: the same folds, grouped by person."""

from __future__ import annotations

import pandas as pd
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

import exoclassify as exo

sklearn.set_config(enable_metadata_routing=True)
cohort = exo.simulate(seed=11, n_samples=120, n_molecules=300, n_batches=3).cohort
X, y = cohort.cargo.to_frame(), pd.Series(cohort.y)


def log_cpm(counts: pd.DataFrame) -> pd.DataFrame:
    """Within-sample normalisation: nothing is learned, so it may stand in any pipeline."""
    return (counts.div(counts.sum(axis=1), axis=0) * 1e6 + 1).transform("log2")


usual = [FunctionTransformer(log_cpm), StandardScaler()]
learners = {
    "exoclassify": exo.ExoClassifier("mirna", "counts").set_fit_request(groups=True, batches=True),
    "ridge logistic": make_pipeline(*usual, LogisticRegression(max_iter=5000)),
    "SVM": make_pipeline(*usual, CalibratedClassifierCV(SVC(), ensemble=False)),
    "forest of 500": make_pipeline(*usual, RandomForestClassifier(500, random_state=0)),
}
known = {"groups": cohort.groups, "batches": cohort.batches}
rows = {}
for name, learner in learners.items():
    given = known if name == "exoclassify" else {"groups": cohort.groups}
    found = cross_validate(
        learner, X, y, params=given, cv=StratifiedGroupKFold(5, shuffle=True, random_state=0),
        scoring=("roc_auc_ovr", "neg_log_loss"), error_score="raise",
    )  # fmt: skip
    rows[name] = {
        "AUC": found["test_roc_auc_ovr"].mean(),
        "log-loss": -found["test_neg_log_loss"].mean(),
        "seconds a fit": found["fit_time"].mean(),
    }
print(pd.DataFrame(rows).T.round(3).to_string())
