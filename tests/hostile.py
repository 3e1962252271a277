"""Model folders with mutated contents and right checksums, and what becomes of each: refused, or the same answers."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from exoclassify.errors import ModelError
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.child import Child, ChildLostError, carry_out
from exoclassify.model.prediction import Use

__all__ = ["MUTATIONS", "mutate", "tried"]

Rng = np.random.Generator
_EXTREME: tuple[Any, ...] = (None, True, -1, 0, 10**18, 1e308, -1e-300, "", "../../x", "nan", [], {}, [[1]], "control")


def _bytes(data: bytes, rng: Rng) -> bytes:
    """Flip one to twenty bytes, or cut the end off."""
    if rng.random() < 0.1:
        return data[: int(rng.integers(0, len(data)))]
    changed = bytearray(data)
    for at in rng.integers(0, len(data), int(rng.integers(1, 21))):
        changed[at] = int(rng.integers(0, 256))
    return bytes(changed)


def _a_file(folder: Path, rng: Rng) -> None:
    path = folder / str(
        rng.choice([name for name in ("arrays.npz", "golden.csv", "README.md") if (folder / name).exists()])
    )
    path.write_bytes(_bytes(path.read_bytes(), rng))


def _an_array(folder: Path, rng: Rng) -> None:
    """Change the values, shape or type of an array, or leave it out; trees of XGBoost are arrays of bytes."""
    path = folder / "arrays.npz"
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    name = str(rng.choice(sorted(arrays)))
    array = arrays[name].copy()
    changes: list[Callable[[], Any]] = [
        lambda: _entry(array, rng),
        lambda: _entry(array, rng),
        lambda: array[: len(array) // 2] if array.ndim else array,
        lambda: array.astype(np.float32) if array.dtype.kind == "f" else array.astype(np.float64),
        lambda: array.T if array.ndim > 1 else array.reshape(-1, 1),
        lambda: _garbled(array, rng),
        lambda: np.array([], dtype=array.dtype),
        lambda: None,
    ]
    changed = changes[int(rng.integers(len(changes)))]()
    arrays = {key: value for key, value in {**arrays, name: changed}.items() if value is not None}
    np.savez_compressed(path, allow_pickle=False, **arrays)


def _garbled(array: Any, rng: Rng) -> Any:
    data = _bytes(array.tobytes(), rng)
    return np.frombuffer(data.ljust(array.nbytes, b"\0"), array.dtype).reshape(array.shape)


def _entry(array: Any, rng: Rng) -> Any:
    if not array.size:
        return array
    at = int(rng.integers(array.size))
    old = array.flat[at]
    if array.dtype.kind == "f":
        large = np.finfo(array.dtype).max / 10
        choices = [np.nan, np.inf, -np.inf, large, 0.0, -old, old + 0.01 * abs(old)]
    else:
        info = np.iinfo(array.dtype)
        choices = [info.min, info.max, 0, int(old) + 1 if old < info.max else 0]
    array.flat[at] = choices[int(rng.integers(len(choices)))]
    return array


def _a_value(folder: Path, rng: Rng) -> None:
    """Replace a value of bundle.json, or leave it out."""
    whole = json.loads((folder / "bundle.json").read_text())
    where: Any = whole
    while True:
        keys = (
            [key for key in where if key not in ("files", "sha256")]
            if isinstance(where, dict)
            else list(range(len(where)))
        )
        if not keys:
            break
        key = keys[int(rng.integers(len(keys)))]
        if isinstance(where[key], dict | list) and where[key] and rng.random() < 0.85:
            where = where[key]
            continue
        if rng.random() < 0.2:
            del where[key]
        else:
            where[key] = _EXTREME[int(rng.integers(len(_EXTREME)))]
        break
    (folder / "bundle.json").write_text(json.dumps(whole))


def _text(folder: Path, rng: Rng) -> None:
    """Flip bytes of bundle.json itself."""
    path = folder / "bundle.json"
    path.write_bytes(_bytes(path.read_bytes(), rng))


MUTATIONS = {"bytes of a file": _a_file, "an array": _an_array, "a value": _a_value, "bytes of bundle.json": _text}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def mutate(model: Path, goal: Path, seed: int) -> str:
    """Copy a model with one mutation, chosen by the seed, and its checksums made right again; the kind is returned."""
    rng = np.random.default_rng(seed)
    kind = list(MUTATIONS)[seed % len(MUTATIONS)]
    shutil.copytree(model, goal)
    MUTATIONS[kind](goal, rng)
    try:
        whole = json.loads((goal / "bundle.json").read_bytes())
        whole["files"] = {name: _sha256((goal / name).read_bytes()) for name in whole["files"]}
        whole.pop("sha256", None)
        whole["sha256"] = _sha256(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode())
        (goal / "bundle.json").write_text(json.dumps(whole))
    except (ValueError, KeyError, TypeError, OSError, AttributeError):
        pass  # what is no JSON has no sums to mend
    return kind


def outcome(model: Path, mutated: Path) -> str:
    """Say what becomes of a mutated model, in a process that it may crash."""
    whole = ModelBundle.load(model)
    rng = np.random.default_rng(0)
    X = rng.permuted(
        np.where(rng.random((40, whole.golden.shape[1])) < 0.1, np.nan, np.tile(whole.golden, (2, 1))[:40]), axis=0
    )
    try:
        changed = ModelBundle.load(mutated, verify=True)
    except ModelError as error:
        return "refused" if "\n" not in str(error) else f"refused in more than a line: {error}"
    if changed.panel.molecules != whole.panel.molecules or changed.states != whole.states:
        return "loaded, with other molecules or states"
    for use in (Use(), Use(same_batch=True)):
        ours, theirs = (one.judge(one.measure(X), use) for one in (whole, changed))
        if not np.allclose(ours.probabilities, theirs.probabilities, atol=1e-6, equal_nan=True):
            return f"loaded, other answers by {np.nanmax(np.abs(ours.probabilities - theirs.probabilities)):.1e}"
    return "loaded, equal answers"


def tried(model: Path, seeds: Iterable[int], scratch: Path) -> Iterator[tuple[int, str, str]]:
    """Mutate a model once for each seed; the seed, the kind of mutation and what became of it, one after the other."""
    child = None
    for seed in seeds:
        mutated = scratch / f"m{seed}" / "1.0.0"
        mutated.parent.mkdir()
        kind = mutate(model, mutated, seed)
        if child is None or not child.alive:
            child = Child("hostile")
        try:
            found = child.order({"model": str(model), "mutated": str(mutated)}, 60)["outcome"]
        except ChildLostError as error:
            found = f"the process {error}"
        shutil.rmtree(mutated.parent)
        yield seed, kind, found
    if child is not None:
        child.stop()


def _ordered(order: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"outcome": outcome(Path(order["model"]), Path(order["mutated"]))}
    except Exception as error:  # noqa: BLE001 what else it raises is what is looked for
        return {"outcome": f"raised {type(error).__name__}: {str(error)[:120]}"}


if __name__ == "__main__":
    carry_out(_ordered)
