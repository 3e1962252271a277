"""Fitted parts as a tree of plain values and a set of arrays, and back: an explicit list of classes, and no pickle."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exoclassify.errors import ModelError
from exoclassify.methods.conformal import ClassConditionalSets
from exoclassify.methods.frozen import FrozenStep
from exoclassify.methods.heads import Batches, Calibration, Head, Place
from exoclassify.methods.impute import LeftCensored, MedianFilled
from exoclassify.methods.learners.linear import Linear
from exoclassify.methods.learners.ratios import Ratios
from exoclassify.methods.learners.trees import Boosted, Forest, Trees
from exoclassify.methods.normalise_counts import TMM, CenteredLogRatio, LogCPM, MedianOfRatios
from exoclassify.methods.normalise_ct import CtInverted, DeltaCt, GlobalMean
from exoclassify.methods.normalise_intensity import FrozenQuantile, Log2Plus, MedianCentred, Standardised
from exoclassify.methods.novelty import PCAResidual
from exoclassify.methods.views import Views
from exoclassify.model.blend import Blend, FittedBlend, Member
from exoclassify.model.layered import LayeredBlend
from exoclassify.model.legacy import FirstBlend, FirstMember, ScaleAndShift

__all__ = ["pack", "unpack"]

_PARTS = (
    Batches,
    Boosted,
    Calibration,
    ClassConditionalSets,
    FittedBlend,
    Forest,
    Head,
    LayeredBlend,
    Linear,
    Member,
    PCAResidual,
    Place,
    Ratios,
    Trees,
    Views,
)
_STEPS = (
    CenteredLogRatio, CtInverted, DeltaCt, FrozenQuantile, GlobalMean, LeftCensored, Log2Plus, LogCPM,
    MedianCentred, MedianFilled, MedianOfRatios, Standardised, TMM,
)  # fmt: skip
_ALLOWED: Mapping[str, type[Any]] = {part.__name__: part for part in (*_PARTS, *_STEPS)}
_FIRST: Mapping[str, type[Any]] = {
    **_ALLOWED,
    "FittedBlend": FirstBlend,
    "Member": FirstMember,
    "ScaleAndShift": ScaleAndShift,
}
"""Classes by the names that they had in the first format."""

Arrays = dict[str, NDArray[Any]]


def pack(part: object) -> tuple[Any, Arrays]:
    """Take a fitted part to pieces.

    Parameters
    ----------
    part : FittedBlend or any part of one
        Dataclasses and frozen steps whose values are numbers, strings, tuples, arrays or such parts.
    """
    arrays: Arrays = {}
    return _pack(part, "blend", arrays), arrays


def _pack(value: Any, path: str, arrays: Arrays) -> Any:
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return {"array": path}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return {"tuple": [_pack(item, f"{path}.{i}", arrays) for i, item in enumerate(value)]}
    name = type(value).__name__
    if _ALLOWED.get(name) is not type(value):
        raise TypeError(f"{path}: a {name} cannot be saved; add it to the list of classes that a model may hold")
    fields = vars(value) if isinstance(value, FrozenStep) else _fields(value)
    return {"class": name, "fields": {key: _pack(item, f"{path}.{key}", arrays) for key, item in fields.items()}}


def _fields(part: Any) -> dict[str, Any]:
    return {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}


def unpack(tree: Any, arrays: Mapping[str, NDArray[Any]], *, first: bool = False) -> Blend | FirstBlend:
    """Put a fitted blend together again."""
    try:
        blend = _unpack(tree, arrays, _FIRST if first else _ALLOWED)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ModelError(
            f"bundle.json does not describe a model of this format ({error}); train or fetch it again"
        ) from error
    if not isinstance(blend, FirstBlend if first else Blend):
        raise ModelError("bundle.json does not describe a model of this format; train or fetch it again")
    result: Blend | FirstBlend = blend
    return result


def _unpack(tree: Any, arrays: Mapping[str, NDArray[Any]], allowed: Mapping[str, type[Any]]) -> Any:
    if not isinstance(tree, dict):
        return tree
    if "array" in tree:
        return arrays[tree["array"]]
    if "tuple" in tree:
        return tuple(_unpack(item, arrays, allowed) for item in tree["tuple"])
    kind = allowed[tree["class"]]
    fields = {key: _unpack(item, arrays, allowed) for key, item in tree["fields"].items()}
    if not issubclass(kind, FrozenStep):
        return kind(**fields)
    step = kind(**{key: item for key, item in fields.items() if not key.endswith("_")})
    for key, item in fields.items():
        if key.endswith("_"):
            setattr(step, key, item)
    return step
