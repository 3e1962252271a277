from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cohorts import FAST as AUDITED
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.samples import SampleSheet
from exoclassify.errors import DesignError, InputError, ModelError
from exoclassify.learning.joined import joined
from exoclassify.learning.recipe import Recipe
from exoclassify.lifecycle.fit import fit
from exoclassify.lifecycle.known import nothing_new, trained_on_before
from exoclassify.lifecycle.retrain import retrain
from exoclassify.simulation.design import SimulationDesign
from exoclassify.simulation.simulate import simulate

pytestmark = pytest.mark.slow

FAST = AUDITED.model_copy(update={"gate": AUDITED.gate.model_copy(update={"audit": False})})
COHORT = simulate(SimulationDesign(seed=5, n_samples=160, n_molecules=80, effect=0.8)).cohort
SUBJECTS = np.unique(COHORT.groups)
FIRST = COHORT.take(np.isin(COHORT.groups, SUBJECTS[: len(SUBJECTS) // 2]))
LATER = COHORT.take(~np.isin(COHORT.groups, SUBJECTS[: len(SUBJECTS) // 2]))
CHAMPION = fit(FIRST, FAST, judge=False, name="pain")


def relabelled(cohort: Cohort, seed: int = 0) -> Cohort:
    """The same samples with their states dealt out anew."""
    frame = cohort.sheet.frame.copy()
    column = str(cohort.sheet.label_column)
    frame[column] = np.random.default_rng(seed).permutation(frame[column].to_numpy())
    return replace(cohort, sheet=replace(cohort.sheet, frame=frame))


def gated(**rules: object) -> Recipe:
    return Recipe.of({**FAST.model_dump(mode="json"), "gate": {"audit": False, **rules}})


def test_many_more_samples_make_a_challenger_that_passes() -> None:
    many = simulate(SimulationDesign(seed=6, n_samples=160, n_molecules=80, effect=0.8)).cohort
    subjects = np.unique(many.groups)
    few = many.take(np.isin(many.groups, subjects[: len(subjects) // 4]))
    done = retrain(fit(few, FAST, judge=False, name="pain"), many, n_jobs=1)
    decision = done.decision
    assert decision.passed, decision.lines
    assert decision.champion == "1.0.0"
    assert done.bundle.version == decision.challenger != "0.0.0"
    assert done.bundle.evaluation.headline.value > 0.6
    assert f"{many.n_samples - few.n_samples} samples that 1.0.0 was not trained on" in decision.sentence
    assert done.bundle.card.startswith(f"# pain {done.bundle.version}")


def test_only_samples_new_to_the_champion_count() -> None:
    decision = retrain(CHAMPION, COHORT, n_jobs=1).decision
    assert decision.left_out["cohort, sample id"] == FIRST.n_samples
    assert decision.left_out["cohort, subject"] == FIRST.n_samples


def test_samples_under_new_names_are_known_by_their_cargo() -> None:
    frame = FIRST.cargo.to_frame()
    frame.index = pd.Index([f"again-{i}" for i in range(len(frame))])
    sheet = FIRST.sheet.frame.copy()
    sheet.index = frame.index
    sheet["subject"] = [f"other-{i}" for i in range(len(sheet))]
    again = Cohort.from_layers(
        {"mirna": CargoTable.from_frame(frame, kind="mirna", unit="counts")},
        SampleSheet(sheet, "label", "subject", "batch"),
    )
    known = trained_on_before(CHAMPION, again)
    assert not known["sample id"].any()
    assert not known["subject"].any()
    assert known["near-duplicate cargo"].all()
    with pytest.raises(DesignError, match="0 external samples are left that neither model was trained on"):
        retrain(CHAMPION, COHORT, external=again, n_jobs=1)


def test_a_challenger_of_dealt_out_states_fails_on_new_samples() -> None:
    worse = joined(relabelled(FIRST), relabelled(LATER, seed=1))
    decision = retrain(CHAMPION, worse, n_jobs=1).decision
    assert not decision.passed
    assert decision.sentence.startswith("not passed, ")


def test_a_challenger_that_learned_wrong_states_fails_on_external_samples() -> None:
    half = np.isin(LATER.groups, np.unique(LATER.groups)[::2])
    decision = retrain(CHAMPION, relabelled(LATER.take(half)), external=LATER.take(~half), n_jobs=1).decision
    failed = {(check.setting, check.what) for check in decision.checks if not check.passed}
    assert ("external samples", "log-loss") in failed
    assert ("external samples", "AUC") in failed


def test_a_champion_that_saw_everything_is_judged_by_its_recipe() -> None:
    poor = Recipe.of({**FAST.model_dump(mode="json"), "voices": [{"learner": "ridge", "C": 1e-6}]})
    champion = fit(COHORT, poor, judge=False, name="pain")
    decision = retrain(champion, COHORT, FAST, n_jobs=1).decision
    assert "1.0.0 trained again there" in decision.sentence
    assert {check.setting for check in decision.checks} == {"cross-validation", "batches left out"}
    gain = next(check for check in decision.checks if check.what == "log-loss")
    assert gain.gain > 0.05


def test_with_few_new_samples_old_and_new_data_are_still_held_against_each_other() -> None:
    few = [np.flatnonzero(LATER.y == state)[:4] for state in LATER.states]
    decision = retrain(CHAMPION, joined(FIRST, LATER.take(np.concatenate(few))), n_jobs=1).decision
    assert "1.0.0 trained again there" in decision.sentence
    assert decision.checks[0].gain != 0


def test_the_same_recipe_on_the_same_samples_is_nothing_new() -> None:
    assert nothing_new(CHAMPION, FIRST, FAST)
    assert nothing_new(CHAMPION, FIRST, gated(margin=0.1))
    assert not nothing_new(CHAMPION, COHORT, FAST)
    assert not nothing_new(CHAMPION, FIRST, FAST.model_copy(update={"seed": 1}))


def test_corrected_labels_more_batches_or_new_persons_are_something_new() -> None:
    judged = fit(FIRST, FAST, name="pain", n_jobs=1)
    frame = FIRST.sheet.frame.copy()
    frame.iloc[0, list(frame.columns).index("label")] = "control" if FIRST.y[0] == "pain" else "pain"
    for champion in (judged, CHAMPION):
        corrected = replace(FIRST, sheet=replace(FIRST.sheet, frame=frame))
        assert not nothing_new(champion, corrected, FAST)
    batched = frame.assign(label=FIRST.y, batch=np.where(np.arange(len(frame)) % 3, FIRST.batches, "B7"))
    assert not nothing_new(judged, replace(FIRST, sheet=replace(FIRST.sheet, frame=batched)), FAST)
    swapped = frame.assign(label=FIRST.y, subject=FIRST.groups[::-1])
    assert nothing_new(judged, replace(FIRST, sheet=replace(FIRST.sheet, frame=swapped)), FAST)
    assert not nothing_new(judged, LATER, FAST)
    assert not nothing_new(judged, joined(FIRST, LATER.take(np.arange(1))), FAST)


def test_a_model_of_named_molecules_knows_its_table_again() -> None:
    few = Recipe.of({**FAST.model_dump(mode="json"), "panel": {"molecules": list(FIRST.cargo.molecules[:30])}})
    champion = fit(FIRST, few, judge=False, name="pain")
    assert nothing_new(champion, FIRST, few)
    assert not nothing_new(champion, FIRST, FAST)


def test_better_is_demanded_where_the_gate_asks() -> None:
    champion = fit(FIRST, FAST, judge=False, name="pain")
    same = retrain(champion, FIRST, gated(better=["log_loss", "auc"]), n_jobs=1).decision
    failed = [check for check in same.checks if not check.passed]
    assert {check.what for check in failed} >= {"log-loss", "AUC"}
    assert all(check.gain == 0 for check in failed if check.what in ("log-loss", "AUC"))
    assert retrain(champion, FIRST, gated(), n_jobs=1).decision.checks[0].passed


def test_a_critical_finding_of_the_audit_stops_a_challenger() -> None:
    done = retrain(CHAMPION, COHORT, AUDITED, n_jobs=1).decision
    audit = done.checks[-1]
    assert (audit.setting, audit.passed) == ("audit", True)
    frame = COHORT.sheet.frame.copy()
    frame["batch"] = np.where(COHORT.y == "control", "A", "B")
    confounded = replace(COHORT, sheet=replace(COHORT.sheet, frame=frame))
    found = retrain(CHAMPION, confounded, AUDITED, n_jobs=1).decision.checks[-1]
    assert (found.setting, found.passed) == ("audit", False)


def test_batches_and_subgroups_are_judged_one_by_one() -> None:
    frame = COHORT.sheet.frame.copy()
    frame["sex"] = np.where(np.arange(len(frame)) % 2, "female", "male")
    cohort = replace(COHORT, sheet=replace(COHORT.sheet, frame=frame))
    decision = retrain(CHAMPION, cohort, gated(subgroups=["sex"]), n_jobs=1).decision
    looked_at = {check.what for check in decision.checks}
    assert {"log-loss in batch B1", "log-loss in batch B2", "log-loss in sex female"} <= looked_at
    with pytest.raises(InputError, match="has no column sex, which the gate names as a subgroup"):
        retrain(CHAMPION, COHORT, gated(subgroups=["sex"]), n_jobs=1)


def test_a_champion_without_memory_is_judged_by_its_recipe() -> None:
    decision = retrain(replace(CHAMPION, trained_on=None), COHORT, n_jobs=1).decision
    assert decision.left_out == {"cohort, not remembered by the model": COHORT.n_samples}
    assert "trained again there" in decision.sentence


def test_other_states_are_refused() -> None:
    with pytest.raises(
        InputError, match="its states are inflammatory, neuropathic, and pain distinguishes control, inflammatory"
    ):
        retrain(CHAMPION, COHORT.take(COHORT.y != "control"), n_jobs=1)


def test_another_unit_is_refused() -> None:
    logs = CargoTable.from_frame(np.log2(COHORT.cargo.to_frame() + 1), kind="mirna", unit="log2_intensity")
    with pytest.raises(ModelError, match="its unit is log2_intensity, and this model was trained on counts"):
        retrain(CHAMPION, Cohort.from_layers({"mirna": logs}, COHORT.sheet), n_jobs=1)


def test_earlier_and_new_samples_become_one_cohort() -> None:
    whole = joined(FIRST, LATER)
    assert whole.n_samples == COHORT.n_samples
    assert set(whole.sheet.sample_ids) == set(COHORT.sheet.sample_ids)
    frame = LATER.cargo.to_frame().iloc[:, 10:]
    fewer = Cohort.from_layers({"mirna": CargoTable.from_frame(frame, kind="mirna", unit="counts")}, LATER.sheet)
    less = joined(FIRST, fewer)
    assert less.cargo.n_molecules == COHORT.cargo.n_molecules - 10
    assert any("10 molecules that only one of the two tables has" in note for note in less.notes)


def test_a_sample_in_both_is_refused() -> None:
    with pytest.raises(InputError, match=r"samples are in both \(SIM-.*give each sample once"):
        joined(FIRST, COHORT)
