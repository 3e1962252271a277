"""Row-wise arithmetic that is the same to the last bit for one sample and for many, with NaN left out."""

from __future__ import annotations

import numpy as np

from exoclassify.typing import Floats

__all__ = ["log2_positive", "row_means", "row_medians", "row_quantiles"]


def row_medians(values: Floats) -> Floats:
    """Give the median of each row over its non-NaN values; NaN where a row has none.

    Parameters
    ----------
    values : float64 array of shape (n_rows, n_columns)
        At least one column.

    Returns
    -------
    float64 array of shape (n_rows,)
        One median a row.
    """
    return row_quantiles(values, 0.5)


def row_quantiles(values: Floats, quantile: float) -> Floats:
    """Give a quantile of each row over its non-NaN values; NaN where a row has none.

    Parameters
    ----------
    values : float64 array of shape (n_rows, n_columns)
        At least one column.

    Returns
    -------
    float64 array of shape (n_rows,)
        One quantile a row.

    Notes
    -----
    Sorting puts NaN last, so the position is found by counting. ``numpy.nanquantile`` gives the same numbers
    and takes one row at a time through Python.
    """
    ordered = np.sort(values, axis=1)
    # A row without values gives position 0, which then holds NaN.
    last = np.maximum(values.shape[1] - np.isnan(ordered).sum(axis=1) - 1, 0)
    position = quantile * last
    below = position.astype(np.intp)
    rows = np.arange(len(ordered))
    lower, upper = ordered[rows, below], ordered[rows, np.minimum(below + 1, last)]
    quantiles: Floats = lower + (upper - lower) * (position - below)
    return quantiles


def row_means(values: Floats) -> Floats:
    """Give the mean of each row over its non-NaN values; NaN where a row has none.

    Parameters
    ----------
    values : float64 array of shape (n_rows, n_columns)
        C-contiguous.

    Returns
    -------
    float64 array of shape (n_rows,)
        One mean a row.
    """
    observed = ~np.isnan(values)
    counts = observed.sum(axis=1)
    totals = np.where(observed, values, 0.0).sum(axis=1)
    means: Floats = np.divide(totals, counts, out=np.full(len(values), np.nan), where=counts > 0)
    return means


def log2_positive(values: Floats) -> Floats:
    """Give log2 where a value is above zero, and NaN where it is zero or NaN.

    Parameters
    ----------
    values : float64 array of any shape
        Counts or intensities, none negative.

    Returns
    -------
    float64 array of the same shape
        log2 of the positive values.
    """
    logs: Floats = np.log2(np.where(values > 0.0, values, np.nan))
    return logs
