import dataclasses

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cohorts import EVERY_VOICE, FAST, counts
from exoclassify.errors import DesignError, InputError, RecipeError
from exoclassify.evidence.catalogue import Catalogue
from exoclassify.learning.learn import learn
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.samples import Layer, Samples
from exoclassify.methods.normalise_ct import DeltaCt
from exoclassify.methods.normalise_intensity import MedianCentred


def probabilities(samples: Samples, recipe: Recipe, new: Samples) -> np.ndarray:
    return learn(samples, recipe).answers(new.X, recipe).probabilities


@pytest.mark.slow
@pytest.mark.parametrize("n_states", [2, 3])
def test_new_samples_of_a_clear_cohort_are_told_apart(n_states: int) -> None:
    both = counts(n=120, n_states=n_states)
    train, new = both.take(np.arange(90)), both.take(np.arange(90, 120))
    p = probabilities(train, EVERY_VOICE, new)
    assert roc_auc_score(new.y, p if n_states > 2 else p[:, 1], multi_class="ovr") > 0.9


@pytest.mark.slow
def test_shuffled_labels_are_not_learned() -> None:
    values = []
    for seed in range(12):
        both = counts(n=120, seed=seed)
        both = dataclasses.replace(both, y=np.random.default_rng(seed).permutation(both.y))
        p = probabilities(both.take(np.arange(80)), FAST, both.take(np.arange(80, 120)))
        values.append(roc_auc_score(both.y[80:], p[:, 1]))
    assert abs(np.mean(values) - 0.5) < 3 * np.std(values) / np.sqrt(12) + 0.01


@pytest.mark.slow
def test_the_same_recipe_gives_the_same_model_bit_for_bit() -> None:
    samples = counts(n_states=3)
    assert (probabilities(samples, EVERY_VOICE, samples) == probabilities(samples, EVERY_VOICE, samples)).all()


def test_the_order_of_the_samples_does_not_decide_what_is_measured_as_panel() -> None:
    samples = counts()
    turned = samples.take(np.arange(len(samples.y))[::-1])
    assert list(learn(samples, FAST).support) == list(learn(turned, FAST).support)


def test_rare_molecules_are_not_on_the_panel() -> None:
    samples = counts()
    samples.X[:, 7] = 0
    samples.X[:3, 7] = 5
    assert 7 not in learn(samples, FAST).support


def test_a_voice_that_fails_on_an_unseen_batch_loses_its_vote() -> None:
    # One molecule tells the state perfectly within each batch, with the opposite sign in every other batch; 3 others
    # tell it less well, and everywhere. Trees take the first bait; the weights must not follow them.
    samples = counts(n=120, n_batches=4, effect=1.5)
    assert samples.batches is not None
    sign = np.where(samples.batches % 2 == 0, samples.y, 1 - samples.y)
    samples.X[:, 20] = np.random.default_rng(0).poisson(20 + 2000 * sign)
    recipe = Recipe.of(
        {
            "voices": [
                {"learner": "ratios", "view": "damped", "n_ratios": 30, "pool": 20},
                {"learner": "xgboost", "view": "log", "n_trees": 30},
            ]
        }
    )
    names = [voice.name for voice in recipe.voices]
    for_new, for_known = (
        dict(zip(names, head.weights, strict=True)) for head in learn(samples, recipe).blend.calibration.heads
    )
    assert for_new["xgboost-log"] < 0.1
    assert for_new["xgboost-log"] < for_known["xgboost-log"]


def test_there_is_a_head_for_new_batches_where_batches_can_be_left_out() -> None:
    across, alone = learn(counts(n_batches=3), FAST), learn(counts(), FAST)
    assert across.across_batches
    assert not alone.across_batches
    assert [len(each.blend.calibration.heads) for each in (across, alone)] == [2, 1]
    assert across.blend.calibration.batches == ("0", "1", "2")
    assert alone.blend.calibration.batches == ()


def test_fixed_weights_are_the_shares() -> None:
    recipe = Recipe.of(
        {
            "blend": {"weights": "fixed"},
            "voices": [{"learner": "ridge", "share": 3.0}, {"learner": "svm", "share": 1.0}],
        }
    )
    head = learn(counts(), recipe).blend.calibration.heads[0]
    assert list(head.weights) == [0.75, 0.25]


@pytest.mark.parametrize("method", ["log-cpm", "tmm", "median-of-ratios", "clr"])
def test_every_normaliser_of_counts_learns(method: str) -> None:
    both = counts(n=90)
    recipe = Recipe.of({**FAST.model_dump(mode="json"), "normalise": {"method": method}})
    p = probabilities(both.take(np.arange(60)), recipe, both.take(np.arange(60, 90)))
    assert roc_auc_score(both.y[60:], p[:, 1]) > 0.8


def test_a_normaliser_of_another_unit_is_refused() -> None:
    recipe = Recipe.of({"normalise": {"method": "delta-ct"}})
    with pytest.raises(RecipeError, match="delta-ct, which does not fit counts; use auto, log-cpm"):
        learn(counts(), recipe)


def test_intensities_with_values_missing_not_at_random_are_learned() -> None:
    both = counts(n=90)
    X = both.X.copy()
    X[np.quantile(X, 0.3) > X] = np.nan
    both = dataclasses.replace(both, X=X, unit="intensity")
    learned = learn(both.take(np.arange(60)), FAST)
    assert isinstance(learned.blend.views.normaliser, MedianCentred)
    p = learned.answers(both.X[60:], FAST).probabilities
    assert roc_auc_score(both.y[60:], p[:, 1]) > 0.8


def test_ct_values_are_learned() -> None:
    both = counts(n=90)
    ct = np.minimum(36 - np.log2(both.X + 0.5), 40)
    ct[both.X == 0] = 40
    both = dataclasses.replace(both, X=ct, unit="ct", not_detected=40.0)
    learned = learn(both.take(np.arange(60)), FAST)
    assert isinstance(learned.blend.views.normaliser, DeltaCt)
    p = learned.answers(both.X[60:], FAST).probabilities
    assert roc_auc_score(both.y[60:], p[:, 1]) > 0.8


def test_a_table_in_which_nothing_is_found_is_refused() -> None:
    samples = counts()
    with pytest.raises(DesignError, match="molecule"):
        learn(dataclasses.replace(samples, X=np.zeros_like(samples.X)), FAST)


def test_class_weights_do_not_change_what_the_probabilities_mean() -> None:
    both = counts(n=160, effect=1.0)
    keep = np.flatnonzero((both.y == 0) | (np.arange(160) % 8 == 1))
    both = both.take(keep)
    recipe = Recipe.of({**FAST.model_dump(mode="json"), "blend": {"class_weight": "balanced"}})
    learned = learn(both, recipe)
    share = (both.y == 1).mean()
    p = learned.answers(both.X, recipe).probabilities
    assert abs(p[:, 1].mean() - share) < 0.1


INFORMED = Recipe.of(
    {
        "folds": FAST.folds.model_dump(),
        "voices": [
            {"learner": "ridge", "prior": "catalogue"},
            {"learner": "svm", "view": "ranks", "prior": "catalogue"},
        ],
    }
)


def called(*names: str) -> Samples:
    samples = counts(n=40, p=30)
    unknown = [f"hsa-miR-{9000 + i}-5p" for i in range(30 - len(names))]  # of no hairpin that anyone has named
    return dataclasses.replace(samples, molecules=(*names, *unknown))


def told(samples: Samples, recipe: Recipe) -> np.ndarray:
    """Each molecule's weight, by what it is divided by beside its spread."""
    learned = learn(samples, recipe)
    plain = learn(samples, recipe.model_copy(update={"voices": (Recipe.of({"voices": [{"learner": "ridge"}]}).voices)}))
    of = [one.blend.members[0].learner for one in (plain, learned)]
    weights = of[0].scale / of[1].scale
    return weights / weights.min()


def test_a_molecule_counts_as_often_as_studies_name_it() -> None:
    name = "hsa-miR-21-5p"
    n = len({at.evidence.study_key for at in Catalogue.read().of(name)})
    assert n > 1
    weights = told(called(name), INFORMED)
    np.testing.assert_allclose(weights, [1 + np.log2(1 + n), *[1.0] * (len(weights) - 1)])


def test_claims_of_ones_own_study_can_be_left_out() -> None:
    name = "hsa-miR-21-5p"
    claims = [at.evidence for at in Catalogue.read().of(name)]
    own = claims[0]
    others = {each.study_key for each in claims if own.reference.split()[-1] not in (each.pmid, each.doi)}
    recipe = Recipe.of({**INFORMED.model_dump(), "prior": {"without": [own.pmid or own.doi]}})
    assert told(called(name), recipe)[0] == pytest.approx(1 + np.log2(1 + len(others)))
    with pytest.raises(InputError, match="the catalogue has no condition 'hunger'"):
        learn(called(name), Recipe.of({**INFORMED.model_dump(), "prior": {"without": ["hunger"]}}))


def test_a_table_of_which_the_catalogue_names_nothing_is_refused() -> None:
    with pytest.raises(InputError, match=r"^the catalogue names none of these molecules"):
        learn(called(), INFORMED)
    two = called("hsa-miR-21-5p")
    layers = (Layer("known", 0, 15, "counts", None), Layer("cells", 15, 30, "counts", None))
    with pytest.raises(InputError, match=r"^layer cells: the catalogue names none of these molecules"):
        learn(dataclasses.replace(two, layers=layers), INFORMED)
