import json

import numpy as np
import pytest

from cohorts import EVERY_VOICE, counts
from exoclassify.errors import ModelError
from exoclassify.learning.learn import learn
from exoclassify.model.state import pack, unpack

SAMPLES = counts(n_states=3)
LEARNED = learn(SAMPLES, EVERY_VOICE)


def test_a_blend_taken_to_pieces_and_put_together_answers_the_same() -> None:
    tree, arrays = pack(LEARNED.blend)
    again = unpack(json.loads(json.dumps(tree)), arrays)
    X = SAMPLES.X[:, LEARNED.support]
    for mine, theirs in zip(LEARNED.blend.evaluate(X), again.evaluate(X), strict=True):
        assert (mine == theirs).all()


def test_no_array_needs_pickle() -> None:
    assert all(array.dtype != np.dtype(object) for array in pack(LEARNED.blend)[1].values())


def test_a_class_that_is_not_on_the_list_is_refused() -> None:
    tree, arrays = pack(LEARNED.blend)
    tree["fields"]["views"]["class"] = "Popen"
    with pytest.raises(ModelError, match="does not describe a model of this format"):
        unpack(tree, arrays)


def test_an_object_that_is_not_on_the_list_is_not_saved() -> None:
    with pytest.raises(TypeError, match="a JSONDecoder cannot be saved"):
        pack(json.JSONDecoder())


def test_a_missing_array_is_refused() -> None:
    tree, arrays = pack(LEARNED.blend)
    arrays.pop("blend.prevalence")
    with pytest.raises(ModelError, match=r"blend\.prevalence"):
        unpack(tree, arrays)
