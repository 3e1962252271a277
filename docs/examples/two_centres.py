"""Two centres: audit, train, judge, and answer for a third centre without and with ten of its own samples."""

from __future__ import annotations

import exoclassify as exo

made = exo.simulate(seed=7, n_samples=180, n_batches=3).cohort
last = made.batches == "B3"
assert last.any()
two, third = made.take(~last), made.take(last)

found = exo.audit(two, curve=False)
print(found.verdict)

recipe = exo.Recipe.of({"folds": {"repeats": 1}})  # three repeats unless it is said
bundle = exo.fit(two, recipe, name="pain", n_jobs=1)
assert bundle.evaluation is not None
for way, judged in bundle.evaluation.ways():
    print(f"{way}: AUC {judged.figures.auc.told(2)}")

elsewhere = exo.evaluate(bundle, third)
print(f"third centre: AUC {elsewhere.figures.auc.told(2)}, called {elsewhere.calls.called:.0%}")

answers = bundle.predict(third.cargo).to_frame()
print(answers[["sample_id", "call", "best_guess", "p_best_guess", "prediction_set", "reason"]].head(3).to_string())
