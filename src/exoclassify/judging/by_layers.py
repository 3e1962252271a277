"""What each set of layers is worth, and what a layer adds to the others: on the same samples in the same folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exoclassify.judging.judgement import KeptAside
from exoclassify.judging.metrics import Estimate, log_loss_figure, macro_auc, mean_figure
from exoclassify.learning.samples import Samples
from exoclassify.methods.fusion import set_codes
from exoclassify.model.evaluation import LayerAdded, Layers, LayerSet
from exoclassify.model.figures import Figure, Figures
from exoclassify.typing import Floats, Mask

__all__ = ["judged_sets", "layers_judged", "masked"]


def judged_sets(samples: Samples) -> tuple[int, ...]:
    """List the sets of layers that are judged, by their `set_codes`: each alone, all, all but one, and those that occur."""
    n = len(samples.layers)
    whole = 2**n - 1
    occurring = [] if not n else [int(code) for code in np.unique(set_codes(_present(samples)))]
    single = [1 << i for i in range(n)]
    return tuple(sorted({*single, *(whole - one for one in single), whole, *occurring} - {0})) if n else ()


def masked(samples: Samples, rows: NDArray[np.intp], code: int) -> tuple[Floats, Mask]:
    """Give samples with the layers of a set alone, and which of them have all of these.

    Returns
    -------
    X : ndarray of shape (n_rows, n_columns)
        NaN in the other layers.
    have : ndarray of bool of shape (n_rows,)
    """
    X = samples.X[rows].copy()
    for i, layer in enumerate(samples.layers):
        if not code >> i & 1:
            X[:, layer.start : layer.stop] = np.nan
    return X, set_codes(_present(samples)[rows]) & code == code


def layers_judged(samples: Samples, passes: Sequence[KeptAside]) -> Layers:
    """Make figures of every set of layers, and of what each layer adds to the others.

    The model answered for samples that have at least the layers of a set, shown these alone; a layer adds what the answers gain
    over those without it, on the samples that have all layers (paired).
    """
    names = [layer.name for layer in samples.layers]
    whole = 2 ** len(names) - 1
    sets = []
    for code in sorted(passes[0].by_layers, key=lambda code: (code != whole, -code.bit_count(), code)):
        have = ~np.isnan(passes[0].by_layers[code][:, 0])
        found = [_figures(samples, kept, code, have) for kept in passes]
        if found[0] is not None:
            layers = tuple(name for i, name in enumerate(names) if code >> i & 1)
            told = _told(samples, passes[0], have, [one for one in found if one is not None])
            sets.append(LayerSet(layers=layers, **told._asdict()))
    have = ~np.isnan(passes[0].by_layers[whole][:, 0])
    added = []
    for i, name in enumerate(names):
        pairs = [
            (_figures(samples, kept, whole, have), _figures(samples, kept, whole - (1 << i), have)) for kept in passes
        ]
        gains = [_difference(one, other) for one, other in pairs if one is not None and other is not None]
        if gains:
            told = _told(samples, passes[0], have, gains)
            others = " and ".join(other for other in names if other != name)
            added.append(LayerAdded(layer=name, **told._asdict(), sentence=_sentence(name, others, told.figures.auc)))
    return Layers(sets=tuple(sets), added=tuple(added))


class _Told(NamedTuple):
    n_samples: int
    n_subjects: int
    figures: Figures


def _present(samples: Samples) -> Mask:
    return np.stack([~np.isnan(samples.X[:, one.start : one.stop]).all(axis=1) for one in samples.layers], axis=1)


def _figures(samples: Samples, kept: KeptAside, code: int, have: Mask) -> dict[str, Estimate] | None:
    y = samples.y[kept.rows][have]
    if np.bincount(y, minlength=len(samples.states)).min() < 2:
        return None
    log_odds = kept.by_layers[code][have]
    return {"auc": macro_auc(log_odds, y, kept.fold[have]), "log_loss": log_loss_figure(log_odds, y)}


def _difference(one: dict[str, Estimate], other: dict[str, Estimate]) -> dict[str, Estimate]:
    return {
        name: Estimate(one[name].value - other[name].value, one[name].influence - other[name].influence) for name in one
    }


def _told(samples: Samples, kept: KeptAside, have: Mask, found: Sequence[dict[str, Estimate]]) -> _Told:
    groups = np.unique(samples.groups[kept.rows][have], return_inverse=True)[1]
    n_folds = len(np.unique(kept.fold))
    figures = {name: mean_figure([one[name] for one in found]).figure(groups, n_folds) for name in found[0]}
    return _Told(int(have.sum()), len(np.unique(groups)), Figures(figures))


def _sentence(name: str, others: str, gain: Figure) -> str:
    return f"Adding {name} to {others} changes the AUC by {gain.told(sign='+')}."
