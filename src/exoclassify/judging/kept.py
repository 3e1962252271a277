"""Finished folds kept on disk, so that the same run asked again goes on where it stopped."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from joblib import Memory
from numpy.typing import NDArray
from platformdirs import user_cache_path

from exoclassify.learning.folds import Fold
from exoclassify.learning.recipe import Recipe
from exoclassify.learning.samples import Samples

__all__ = ["default_folder", "fold_key", "remembered"]

_LIMIT = 500_000_000
"""Bytes kept; the oldest go first."""


def default_folder() -> Path | None:
    """Give the folder of finished folds.

    Returns
    -------
    Path or None
        ``$EXOCLASSIFY_CACHE``, else ``exoclassify`` in the user's cache folder; None when that variable is empty.
    """
    named = os.environ.get("EXOCLASSIFY_CACHE")
    if named is not None:
        return Path(named) if named else None
    return user_cache_path("exoclassify", appauthor=False)


def fold_key(samples: Samples, recipe: Recipe, fold: Fold) -> str:
    """Give the sha256 of all that an answer depends on: values, labels, subjects, batches, recipe, fold, versions, code.

    Parameters
    ----------
    recipe : Recipe
        The choices, folds and repeats left out: the fold itself is in.
    fold : (train, test)
        Positions.
    """
    digest = hashlib.sha256()
    choices = recipe.model_dump(mode="json")
    choices["folds"] = {"inner": recipe.folds.inner}
    versions = [
        importlib.metadata.version(lib) for lib in ("exoclassify", "numpy", "scipy", "scikit-learn", "xgboost-cpu")
    ]
    described = (
        choices,
        versions,
        _code(),
        samples.states,
        samples.unit,
        samples.not_detected,
        samples.layers,
        samples.X.shape,
    )
    digest.update(repr(described).encode())
    arrays: list[NDArray[Any] | None] = [samples.X, samples.y, samples.groups, samples.batches, *fold]
    for array in arrays:
        digest.update(b"none" if array is None else array.tobytes() + b"\0")
    return digest.hexdigest()


@cache
def _code() -> str:
    """Sha256 of what learns and answers here: a version number says nothing of a change made in a checkout."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[1]
    for path in sorted(
        path for room in ("methods", "model", "learning", "judging") for path in (package / room).rglob("*.py")
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def remembered(
    answer: Callable[[Samples, Recipe, Fold], Any], folder: Path | None
) -> Callable[[Samples, Recipe, Fold], Any]:
    """Make a function of a fold remember what it gave.

    Parameters
    ----------
    folder : Path or None
        Where; nothing is kept when None, or when it cannot be written.

    Returns
    -------
    callable
        The same; only its answers are kept there (log-odds, sets, novelty), no cargo and no names.
    """
    if folder is None or not _writable(folder):
        return answer
    memory = Memory(folder, verbose=0)
    memory.reduce_size(bytes_limit=_LIMIT)
    kept = memory.cache(_keyed, ignore=["answer", "samples", "recipe", "fold"])

    def ask(samples: Samples, recipe: Recipe, fold: Fold) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a full disk or a slow one: the answer is right all the same
            return kept(fold_key(samples, recipe, fold), answer, samples, recipe, fold)

    return ask


def _keyed(key: str, answer: Callable[..., Any], samples: Samples, recipe: Recipe, fold: Fold) -> Any:
    return answer(samples, recipe, fold)


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)
