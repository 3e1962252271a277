"""One way to finish a model: whatever trains it, the same bundle comes of it, and its figures are its own."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cohorts import FAST
from exoclassify.errors import InputError
from exoclassify.judging.compare import compare
from exoclassify.learning.recipe import Recipe
from exoclassify.lifecycle.finish import numbered
from exoclassify.lifecycle.fit import fit
from exoclassify.lifecycle.retrain import retrain
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.state import pack
from exoclassify.simulation.design import SimulationDesign
from exoclassify.simulation.simulate import simulate

pytestmark = pytest.mark.slow

COHORT = simulate(SimulationDesign(seed=3, n_samples=70, n_molecules=60, effect=1.0)).cohort
CHAMPION = fit(COHORT, FAST, judge=False, name="pain")
VOICES = (
    {"learner": "ridge", "view": "log"},
    {"learner": "ridge", "view": "ranks", "C": 0.1},
    {"learner": "svm", "view": "damped"},
    {"learner": "ratios", "view": "log", "n_ratios": 10, "pool": 20},
    {"learner": "forest", "view": "log", "n_trees": 10},
    {"learner": "xgboost", "view": "damped", "n_trees": 10},
)


def drawn(seed: int) -> Recipe:
    """A small recipe by chance: voices, folds, level, weights, and now and then molecules by name."""
    rng = np.random.default_rng(seed)
    panel: dict[str, object] = {"min_prevalence": float(rng.choice([0.0, 0.2]))}
    if seed % 2:
        panel["molecules"] = [str(name) for name in rng.choice(COHORT.cargo.molecules, 12, replace=False)]
    return Recipe.of(
        {
            "seed": seed,
            "folds": {"outer": int(rng.integers(2, 4)), "repeats": 1, "inner": 2},
            "voices": [VOICES[i] for i in rng.choice(len(VOICES), 2, replace=False)],
            "blend": {"weights": str(rng.choice(["learned", "fixed"]))},
            "answers": {"level": float(rng.choice([0.8, 0.9]))},
            "panel": panel,
        }
    )


def told(bundle: ModelBundle) -> dict[str, object]:
    """All that is in a model's files, but for its number and the time it was made."""
    tree, arrays = pack(bundle.blend)
    assert bundle.trained_on is not None
    assert bundle.report is not None
    arrays |= {"weight": bundle.panel.weight, "golden": bundle.golden, **bundle.trained_on.arrays()}
    about = {key: value for key, value in bundle.about.to_json().items() if key not in ("version", "created")}

    def bare(text: str) -> str:
        text = text.replace(str(bundle.about.created), "")
        return re.sub(rf"pain {re.escape(bundle.version)}\b", "pain", text)

    return {
        "tree": tree,
        "arrays": {name: (value.dtype.str, value.tobytes()) for name, value in arrays.items()},
        "about": json.dumps(about),
        "panel": bundle.panel.molecules,
        "aside": None if bundle.aside is None else bundle.aside.to_csv(),
        "card": bare(bundle.card),
        "report": bare(bundle.report),
    }


@pytest.mark.parametrize("seed", range(3))
def test_train_and_retrain_finish_the_same_model(seed: int) -> None:
    trained = fit(COHORT, drawn(seed), name="pain", n_jobs=1)
    retrained = retrain(CHAMPION, COHORT, drawn(seed), n_jobs=1).bundle
    assert retrained.version != "0.0.0"
    one, two = told(trained), told(retrained)
    for what, value in one.items():
        assert two[what] == value, what


def test_the_gate_judges_the_molecules_that_the_recipe_names() -> None:
    strong = simulate(SimulationDesign(seed=4, n_samples=90, n_molecules=60, effect=2.5))
    table, marked = strong.cohort.cargo, set(strong.truth["molecule"])
    often = np.argsort(-(table.values > 0).mean(axis=0), kind="stable")
    dull = [table.molecules[i] for i in often if table.molecules[i] not in marked][:10]
    champion = fit(strong.cohort, FAST, judge=False, name="pain")
    recipe = Recipe.of({**FAST.model_dump(mode="json"), "panel": {"molecules": dull}})
    done = retrain(champion, strong.cohort, recipe, n_jobs=1)
    auc = next(check for check in done.decision.checks if check.what == "AUC")
    assert len(done.bundle.panel.molecules) <= 10
    assert auc.champion > 0.9
    assert auc.challenger < 0.7
    assert not done.decision.passed
    assert done.bundle.evaluation.headline.value < 0.7


def test_a_sample_without_any_of_the_named_molecules_is_refused_before_any_work() -> None:
    table = COHORT.cargo
    named = list(table.molecules[:3])
    values = table.values.copy()
    values[4, :3] = 0
    bare = replace(COHORT, layers={"mirna": replace(table, values=values)})
    few = Recipe.of({**FAST.model_dump(mode="json"), "panel": {"molecules": named}})
    with pytest.raises(InputError, match=r"simulated, the 3 molecules of the recipe: .* no detected molecule"):
        fit(bare, few, name="pain", n_jobs=1)


def test_a_champion_of_named_molecules_is_trained_again_on_these_alone() -> None:
    named = list(COHORT.cargo.molecules[:12])
    few = Recipe.of({**FAST.model_dump(mode="json"), "panel": {"molecules": named}})
    champion = fit(COHORT, few, judge=False, name="pain")
    own = fit(COHORT, few, name="pain", n_jobs=1)
    checks = retrain(champion, COHORT, FAST, n_jobs=1).decision.checks
    auc = next(check for check in checks if check.what == "AUC")
    pooled = own.evaluation.cross_validation.figures.get("auc_pooled")
    assert auc.champion == pytest.approx(pooled.value, abs=1e-6)


def test_a_retrained_model_can_be_compared_with_a_trained_one() -> None:
    trained = fit(COHORT, FAST, name="pain", n_jobs=1)
    retrained = retrain(CHAMPION, COHORT, n_jobs=1).bundle
    assert isinstance(trained.aside, pd.DataFrame)
    assert isinstance(retrained.aside, pd.DataFrame)
    folds = (trained.evaluation.folds, retrained.evaluation.folds)
    found = compare(trained.aside, retrained.aside, digests=folds)
    assert found.auc.difference == 0


def test_a_new_number_is_written_into_card_and_report() -> None:
    bundle = numbered(CHAMPION, "7.0.0")
    assert bundle.card.startswith("# pain 7.0.0")
    assert bundle.report is not None
    assert "pain 7.0.0" in bundle.report
    assert "pain 1.0.0" not in bundle.report
