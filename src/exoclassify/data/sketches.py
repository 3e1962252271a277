"""Sketches of profiles: 256 bits that stay near when two profiles do, and from which no profile can be rebuilt."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from exoclassify.typing import Floats

__all__ = ["BITS", "bits_apart", "sketches"]

Bytes = NDArray[np.uint8]

BITS = 256
"""Random directions: two profiles of correlation r are parted by a share arccos(r) / pi of them (Charikar 2002)."""


def sketches(molecules: Sequence[str], Z: Floats) -> Bytes:
    """Say on which side of each direction every profile lies.

    Parameters
    ----------
    molecules : sequence of str
        Names of the columns. A molecule's side of every direction comes from its name: the same on every machine, in any order.
    Z : ndarray of shape (n_samples, n_molecules)
        Standardised profiles; 0 = says nothing.

    Returns
    -------
    ndarray of uint8 of shape (n_samples, 32)
    """
    names = b"".join(hashlib.shake_128(name.encode()).digest(BITS // 8) for name in molecules)
    signs = np.unpackbits(np.frombuffer(names, dtype=np.uint8).reshape(len(molecules), -1), axis=1)
    return np.packbits((signs * 2.0 - 1).T @ Z.T > 0, axis=0).T.copy()


def bits_apart(some: Bytes, one: Bytes) -> NDArray[np.int64]:
    """Count the bits in which each of some sketches differs from one.

    Parameters
    ----------
    some : ndarray of uint8 of shape (n, 32)
        Sketches.
    one : ndarray of uint8 of shape (32,)
        A sketch.

    Returns
    -------
    ndarray of int of shape (n,)
    """
    return np.asarray(np.bitwise_count(some ^ one).sum(axis=1), dtype=np.int64)
