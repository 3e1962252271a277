"""Golden answers: what a model must say of its made-up profiles, in every part of an answer.

Beside the profiles and their probabilities, golden.csv holds for each profile, whole and with every fifth value missing, and
asked as of a new batch, of some batch of training and of each of these in turn: the prediction set, the call, probabilities,
novelty and coverage; and for the first three one number a state for the explanation. Models saved before these columns existed
are held to what they have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from exoclassify.errors import ModelError, first_three
from exoclassify.model.compiled import PARITY
from exoclassify.model.explain import of_blend
from exoclassify.model.prediction import Use
from exoclassify.typing import Floats

if TYPE_CHECKING:
    from exoclassify.model.bundle import ModelBundle

__all__ = ["demand", "golden_table", "numbers"]

_EXPLAINED = 3  # an explanation takes a hundred times what an answer takes
_EVERY = 5
"""Of so many values one is left out of a profile, another one in each."""


def golden_table(bundle: ModelBundle) -> pd.DataFrame:
    """Write down the golden profiles, their probabilities, and the other answers they get."""
    profiles = pd.DataFrame(bundle.golden, columns=list(bundle.panel.molecules))
    profiles.insert(0, "sample_id", [f"golden-{i + 1:02d}" for i in range(len(profiles))])
    expected = pd.DataFrame(bundle.golden_probabilities(), columns=[f"p_{state}" for state in bundle.states])
    return pd.concat([profiles, expected, _golden_answers(bundle)], axis=1)


def demand(bundle: ModelBundle, table: pd.DataFrame) -> None:
    """Refuse a model that gives its golden profiles other answers than when it was made.

    Parameters
    ----------
    table : DataFrame
        As `golden_table` wrote it, all of it text.
    """
    expected = numbers(table[[f"p_{state}" for state in bundle.states]])
    worst = float(np.abs(bundle.golden_probabilities() - expected).max(initial=0.0))
    if not worst <= PARITY:
        raise ModelError(
            f"{bundle.name} {bundle.version}: the golden profiles differ by up to {worst:.1e} from the probabilities they must "
            f"get (allowed {PARITY:.0e}); the libraries here give other answers than those that made the model: "
            "install the versions in bundle.json, or train it again"
        )
    if differ := _differing(bundle, table):
        raise ModelError(
            f"{bundle.name} {bundle.version}: the golden profiles get other answers than they must ({first_three(differ)}); "
            "the model was changed, or the libraries here are others than those in bundle.json: fetch or train it again"
        )


def _golden_answers(bundle: ModelBundle) -> pd.DataFrame:
    """Ask a model about its golden profiles."""
    X = bundle.golden
    at = np.add.outer(np.arange(X.shape[0]), np.arange(X.shape[1]))
    columns: dict[str, object] = {}
    for what, profiles in (("whole", X), ("holes", np.where(at % _EVERY, X, np.nan))):
        columns |= {f"{what}_{name}": values for name, values in _answers(bundle, profiles).items()}
    return pd.DataFrame(columns | _explained(bundle))


def _answers(bundle: ModelBundle, X: Floats) -> dict[str, object]:
    ids = tuple(map(str, range(len(X))))
    measured = bundle.measure(X)
    found = [bundle.interpret(ids, measured, Use(same_batch=same_batch)) for same_batch in (False, True)]
    columns: dict[str, object] = {"novelty_p": found[0].novelty_p, "coverage": found[0].coverage}
    for batch, answers in zip(("new", "same"), found, strict=True):
        states = np.array(bundle.states, dtype=object)
        columns[f"call_{batch}"] = answers.calls
        columns[f"set_{batch}"] = [";".join(states[held]) for held in answers.sets]
        columns |= {f"p_{batch}_{state}": answers.probabilities[:, k] for k, state in enumerate(bundle.states)}
    batches = bundle.blend.calibration.batches
    if batches:
        each = bundle.judge(measured, Use(), [batches[i % len(batches)] for i in range(len(X))]).probabilities
        columns |= {f"p_own_{state}": each[:, k] for k, state in enumerate(bundle.states)}
    return columns


def _explained(bundle: ModelBundle) -> dict[str, object]:
    """Sum up explanations, weighed at random, so that no two molecules can change and leave the sum as it was."""
    weights = np.random.default_rng(20).normal(size=bundle.golden.shape[1])
    moved = np.full((len(bundle.golden), len(bundle.states)), np.nan)
    for i, row in enumerate(bundle.golden[:_EXPLAINED]):
        moved[i] = weights @ of_blend(bundle.blend, row[None, :])[0][0]
    return {f"moved_{state}": moved[:, k] for k, state in enumerate(bundle.states)}


def _differing(bundle: ModelBundle, expected: pd.DataFrame) -> list[str]:
    # Asked of every model: one that cannot answer is refused here and not at its first question.
    found = _golden_answers(bundle)
    if not any(name.startswith("whole_") for name in expected.columns):
        return []
    return [
        str(name)
        for name, values in found.items()
        if name not in expected.columns or not _alike(values, expected[name])
    ]


def _alike(found: pd.Series, expected: pd.Series) -> bool:
    if not pd.api.types.is_numeric_dtype(found):
        return list(found) == list(expected)
    try:
        theirs = numbers(expected)
    except ValueError:
        return False
    mine = found.to_numpy(dtype=np.float64)
    return bool(np.isclose(mine, theirs, rtol=PARITY, atol=PARITY, equal_nan=True).all())


def numbers(texts: pd.DataFrame | pd.Series) -> Floats:
    """Read numbers written as text; where there is none, NaN."""
    return texts.replace("", "nan").to_numpy().astype(np.float64)
