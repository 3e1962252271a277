from pathlib import Path

import pytest

from exoclassify.errors import FileError, RecipeError
from exoclassify.learning.recipe import Recipe


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return path


def test_an_empty_recipe_is_the_default(tmp_path: Path) -> None:
    assert Recipe.read(written(tmp_path, "")) == Recipe()


def test_a_recipe_survives_its_own_plain_values() -> None:
    assert Recipe.of(Recipe().model_dump(mode="json")) == Recipe()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sede = 3", "recipe.toml: unknown key sede; keys here are answers, blend, folds"),
        ("[folds]\nouters = 3", "unknown key folds.outers; keys here are inner, outer, repeats"),
        ('[[voices]]\nlearner = "ridge"\nalpha = 1.0', "unknown key voices.0.alpha; keys here are C, l1_ratio"),
        ("[folds]\nouter = 1", "folds.outer: .*greater than or equal to 2, found 1"),
        ("seed = 1.5", "seed: .*integer.*found 1.5"),
        ('[[voices]]\nlearner = "neural-net"', "voices.0.learner: .*'ridge'.*found 'neural-net'"),
        ('[[voices]]\nlearner = "ratios"\nview = "ranks"', "a difference of ranks is no ratio"),
        ('[[voices]]\nlearner = "svm"\n[[voices]]\nlearner = "svm"', "svm-log stands twice"),
        ('[[voices]]\nlearner = "forest"\nprior = "catalogue"', "prior = catalogue is for ridge and svm"),
        ("voices = []", "voices: .*at least 1"),
        ("[answers]\nlevel = nan", "answers.level: .*finite"),
    ],
)
def test_what_a_recipe_cannot_say_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe.read(written(tmp_path, text))


def test_a_file_that_is_not_toml_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="not valid TOML"):
        Recipe.read(written(tmp_path, "seed: 3"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"absent.toml: cannot be read"):
        Recipe.read(tmp_path / "absent.toml")
