"""How unlike the training samples a sample is: the part of its cargo that their main directions cannot rebuild."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from exoclassify.methods.learners.linear import Rotated
from exoclassify.typing import Floats

__all__ = ["PCAResidual"]


@dataclass(frozen=True, eq=False)
class PCAResidual:
    """Mean squared residual after the leading principal components of the training samples.

    Parameters
    ----------
    mean, scale : ndarray of shape (n_molecules,)
        The training standardisation.
    components : ndarray of shape (n_components, n_molecules)
        Orthonormal directions in standardised molecules.

    Notes
    -----
    Found shifts at AUC 0.91 to 1.0 where an isolation forest had 0.53 to 0.95. The residual of a training sample is too
    small, for the components have seen it: turn residuals into p-values only against out-of-fold residuals.
    """

    mean: Floats
    scale: Floats
    components: Floats

    @classmethod
    def fit(cls, V: Floats, n_components: int) -> PCAResidual:
        """Learn at most so many directions, and never more than a fifth of the samples, from their log view without NaN."""
        return cls.from_rotated(Rotated.fit("log", V), n_components)

    @classmethod
    def from_rotated(cls, table: Rotated, n_components: int) -> PCAResidual:
        """Take the leading directions of a table already rotated for the linear learners."""
        n = len(table.coordinates)
        left, singular, _ = np.linalg.svd(table.coordinates.T, full_matrices=False)
        kept = max(1, min(n_components, n // 5, int((singular > 1e-8 * max(singular[0], 1e-300)).sum())))
        directions = table.basis @ left[:, :kept]
        directions /= np.maximum(np.linalg.norm(directions, axis=0), 1e-300)
        return cls(table.mean, table.scale, np.ascontiguousarray(directions.T))

    def residuals(self, V: Floats) -> Floats:
        """Mean squared residual of each sample of V (n_samples, n_molecules), in units of training variances."""
        Z = (V - self.mean) / self.scale
        rest = Z - (Z @ self.components.T) @ self.components
        result: Floats = (rest**2).mean(axis=1)
        return result
