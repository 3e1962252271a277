"""Classifiers of pain state from exosomal cargo: trained without leaks, judged out of fold, served as support.

The names below are all that most work needs, ``import exoclassify as exo``; each is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exoclassify.auditing.audit import audit
    from exoclassify.data.cargo import CargoTable
    from exoclassify.data.cohort import Cohort
    from exoclassify.data.samples import SampleSheet
    from exoclassify.discovery.discover import discover
    from exoclassify.errors import ExoclassifyError
    from exoclassify.learning.recipe import Recipe
    from exoclassify.lifecycle.estimator import ExoClassifier
    from exoclassify.lifecycle.external import evaluate
    from exoclassify.lifecycle.fit import fit
    from exoclassify.model.bundle import ModelBundle
    from exoclassify.model.prediction import Predictions, Use
    from exoclassify.model.registry import Registry
    from exoclassify.scoring.stream import score_files
    from exoclassify.simulation.simulate import simulate

    __version__: str

__all__ = [
    "CargoTable",
    "Cohort",
    "ExoClassifier",
    "ExoclassifyError",
    "ModelBundle",
    "Predictions",
    "Recipe",
    "Registry",
    "SampleSheet",
    "Use",
    "__version__",
    "audit",
    "discover",
    "evaluate",
    "fit",
    "score_files",
    "simulate",
]

_HOMES = {
    "CargoTable": "data.cargo",
    "Cohort": "data.cohort",
    "ExoClassifier": "lifecycle.estimator",
    "ExoclassifyError": "errors",
    "ModelBundle": "model.bundle",
    "Predictions": "model.prediction",
    "Recipe": "learning.recipe",
    "Registry": "model.registry",
    "SampleSheet": "data.samples",
    "Use": "model.prediction",
    "audit": "auditing.audit",
    "discover": "discovery.discover",
    "evaluate": "lifecycle.external",
    "fit": "lifecycle.fit",
    "score_files": "scoring.stream",
    "simulate": "simulation.simulate",
}
"""Where each name lives; no module directly below this package bears one of these names, or importing it would hide the name."""


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name == "__version__":
        from importlib.metadata import version

        found: object = version("exoclassify")
    elif name in _HOMES:
        from importlib import import_module

        found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"exoclassify has no {name}; it has {', '.join(__all__)}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Name what can be used, whether it is imported yet or not."""
    return sorted({*globals(), *__all__})
