"""Several layers, one answer: a complete blend for each layer, and the fusion of their log-odds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from exoclassify.methods.fusion import fused, set_codes, trusted, unusual
from exoclassify.methods.heads import Calibration
from exoclassify.model.blend import Blend, FittedBlend, Scorer
from exoclassify.model.compiled import CompiledBlend
from exoclassify.typing import Floats, Mask

__all__ = ["CompiledLayers", "LayeredBlend", "compiled"]


@dataclass(frozen=True, eq=False)
class LayeredBlend(Blend):
    """What was learned from samples of several layers, some of which may be missing.

    Parameters
    ----------
    states : tuple of str
        In the order of all columns.
    prevalence : ndarray of shape (n_states,)
        Shares of the states among all training samples.
    names : tuple of str
        Of the layers.
    layers : tuple of FittedBlend
        Each learned on the samples that have the layer; its columns stand side by side in this order.
    residuals : tuple of ndarray
        Sorted held-out residuals of each layer, by which novelty is counted, see `exoclassify.methods.fusion.unusual`.
    weights : ndarray of shape (n_heads, 2 ** n_layers, n_layers)
        Of each layer's log-odds over the prior, for each set of layers that is there, see `fit_weights`; a head that a site added
        reads those of the first.
    calibration : Calibration
        Of the fused log-odds.
    able : ndarray of bool of shape (2 ** n_layers,)
        Sets of layers that answered held-out samples better than guessing.
    """

    states: tuple[str, ...]
    prevalence: Floats
    names: tuple[str, ...]
    layers: tuple[FittedBlend, ...]
    residuals: tuple[Floats, ...]
    weights: Floats
    calibration: Calibration
    able: Mask

    def columns(self) -> Iterator[slice]:
        """Give the columns of each layer."""
        at = 0
        for layer in self.layers:
            n = len(layer.novelty.mean)
            yield slice(at, at + n)
            at += n

    def present(self, X: Floats) -> Mask:
        """Say which layers were measured in which sample; shape (n_samples, n_layers)."""
        return np.stack([~np.isnan(X[:, columns]).all(axis=1) for columns in self.columns()], axis=1)

    def only(self, X: Floats, code: int) -> tuple[Mask, Floats]:
        """Show the layers of a set alone: which samples have all of them, and values with NaN in the other layers."""
        shown, has, present = X.copy(), np.ones(len(X), dtype=bool), self.present(X)
        for i, columns in enumerate(self.columns()):
            if code >> i & 1:
                has &= present[:, i]
            else:
                shown[:, columns] = np.nan
        return has, shown

    def evaluate(self, X: Floats) -> tuple[Floats, Floats]:
        """Answer step by step, as `FittedBlend.evaluate`; a missing layer is NaN throughout, and adds nothing."""
        return self.evaluated(X, self.layers)[:2]

    def evaluated(self, X: Floats, scorers: Sequence[Scorer]) -> tuple[Floats, Floats, Mask]:
        """Answer with one scorer a layer.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_columns)
            Raw values of all layers side by side.

        Returns
        -------
        read : ndarray of bool of shape (n_samples, n_layers)
            Layers that the answer rests on, see `trusted`.
        """
        X = np.asarray(X, dtype=np.float64)
        heads, present = self.calibration.heads, self.present(X)
        each = np.full((len(self.weights), len(self.layers), len(X), len(self.states)), np.nan)
        residuals = np.full((len(self.layers), len(X)), np.nan)
        for i, (scorer, columns) in enumerate(zip(scorers, self.columns(), strict=True)):
            rows = np.flatnonzero(present[:, i])
            if len(rows):
                log_odds, residuals[i, rows] = scorer.evaluate(np.ascontiguousarray(X[rows, columns]))
                for head in range(len(each)):
                    each[head, i, rows] = log_odds[self.own_head(head)]
        read = trusted(residuals, self.residuals)
        each[:, ~read] = np.nan
        residuals[~read] = np.nan
        blended = [fused(own, weights) for own, weights in zip(each, self.weights, strict=True)]
        pairs = [(head, blended[self.learned(at)]) for at, head in enumerate(heads)]
        odds = np.stack([_through(head.factors[0] * head.map, one) + head.shift for head, one in pairs])
        return odds, unusual(residuals, self.residuals), read.T

    def own_head(self, head: int) -> int:
        """Say which head of a layer a head of the fusion reads: of batches trained on the last, else the first."""
        return -1 if self.learned(head) == len(self.weights) - 1 else 0

    def learned(self, head: int) -> int:
        """Say which head of training a head is, or was made from."""
        return head if head < len(self.weights) else 0

    def steepness(self, head: int, layers: int) -> float:
        """See `Blend.steepness`; the sum over the layers."""
        own, weights = self.calibration.heads[head], self.weights[self.learned(head), layers]
        each = [layer.steepness(range(len(layer.calibration.heads))[self.own_head(head)], 0) for layer in self.layers]
        return float(own.factors[0] * np.linalg.norm(own.map) * (weights @ each))

    def shares(self, X: Floats, head: int) -> Floats:
        """Give the weight of each layer in each sample's answer; shape (n_samples, n_layers), 0 for one that is not read."""
        result: Floats = self.weights[self.learned(head)][set_codes(self.evaluated(X, self.layers)[2])]
        return result

    def log(self, X: Floats) -> Floats:
        """Normalise and fill, layer by layer; a missing layer stays NaN."""
        result = np.full(X.shape, np.nan)
        present = self.present(X)
        for i, (layer, columns) in enumerate(zip(self.layers, self.columns(), strict=True)):
            rows = np.flatnonzero(present[:, i])
            if len(rows):
                result[rows, columns] = layer.log(np.ascontiguousarray(X[rows, columns]))
        return result

    def standardised(self, log: Floats) -> Floats:
        """Distance of log values from those of training, layer by layer; a missing layer is 0."""
        pairs = zip(self.layers, self.columns(), strict=True)
        return np.nan_to_num(np.hstack([layer.standardised(log[:, columns]) for layer, columns in pairs]))


@dataclass(frozen=True, eq=False)
class CompiledLayers:
    """A layered blend whose layers are compiled.

    Parameters
    ----------
    blend : LayeredBlend
        The fusion.
    layers : tuple of CompiledBlend
        One a layer.
    """

    blend: LayeredBlend
    layers: tuple[CompiledBlend, ...]

    def evaluate(self, X: Floats) -> tuple[Floats, Floats]:
        """Answer for many samples or one; arguments and results as in `FittedBlend.evaluate`."""
        return self.measured(X)[:2]

    def measured(self, X: Floats) -> tuple[Floats, Floats, Mask]:
        """Answer, and say which layers were read; see `LayeredBlend.evaluated`."""
        return self.blend.evaluated(X, self.layers)


def compiled(blend: Blend) -> CompiledBlend | CompiledLayers:
    """Fold a blend into the scorer that answers for it."""
    if isinstance(blend, LayeredBlend):
        return CompiledLayers(blend, tuple(CompiledBlend.of(layer) for layer in blend.layers))
    assert isinstance(blend, FittedBlend)
    return CompiledBlend.of(blend)


def _through(matrix: Floats, blended: Floats) -> Floats:
    """Multiply row by row: a product of matrices would add in an order that depends on the number of rows."""
    result: Floats = blended[:, :1] * matrix[:, 0]
    for k in range(1, len(matrix)):
        result += blended[:, k : k + 1] * matrix[:, k]
    return result
