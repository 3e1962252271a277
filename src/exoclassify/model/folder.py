"""The folder a model is kept in: readable, checked before anything in it is opened, and free of pickle.

::

    MODEL/
      bundle.json   panel, states, recipe, evaluation, provenance, library versions, sha256 of every other file and of itself
      arrays.npz    all fitted arrays; XGBoost's own UBJSON stands among them as bytes
      golden.csv    about 20 made-up profiles and the answers they must get
      README.md     the model card
      report.html   the page to read, where one was written
      aside.csv     answers to the held-out samples, under short names, where the model was judged
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from exoclassify.errors import ExoclassifyError, ModelError

__all__ = [
    "FORMAT",
    "MODEL_FILES",
    "ModelParts",
    "copy_folder",
    "describe",
    "fill_folder",
    "only_refusals",
    "read_folder",
]

FORMAT = 2
"""Version of what is written; that and the first are read."""

_FILES = ("arrays.npz", "golden.csv", "README.md")
_OPTIONAL = ("report.html", "aside.csv")

MODEL_FILES = ("bundle.json", *_FILES, *_OPTIONAL)
"""Every file that a model's folder may hold: the one list for whoever copies, signs or reads a model."""


@dataclass(frozen=True, eq=False)
class ModelParts:
    """What a folder holds, checked and not yet put together.

    Parameters
    ----------
    described : dict
        bundle.json without the format and the checksums.
    arrays : dict of str to ndarray
        By name.
    golden : DataFrame
        The golden profiles with their answers, all of it text.
    card : str
        The model card.
    report : str or None
        The page to read.
    aside : DataFrame or None
        Answers to held-out samples.
    format : int
        Version of what was written.
    """

    described: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    golden: pd.DataFrame
    card: str
    report: str | None = None
    aside: pd.DataFrame | None = None
    format: int = FORMAT


def fill_folder(
    folder: Path,
    *,
    described: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    golden: pd.DataFrame,
    card: str,
    report: str | None = None,
    aside: pd.DataFrame | None = None,
) -> None:
    """Write the files of a model into an empty folder.

    Parameters
    ----------
    golden : DataFrame
        Golden profiles with their probabilities.
    """
    np.savez_compressed(folder / "arrays.npz", allow_pickle=False, **arrays)
    golden.to_csv(folder / "golden.csv", index=False)
    (folder / "README.md").write_text(card, encoding="utf-8")
    if report is not None:
        (folder / "report.html").write_text(report, encoding="utf-8")
    if aside is not None:
        aside.to_csv(folder / "aside.csv", index=False)
    written = [*_FILES, *(name for name in _OPTIONAL if (folder / name).exists())]
    files = {name: _sha256((folder / name).read_bytes()) for name in written}
    whole = {"format": FORMAT, **described, "files": files}
    whole["sha256"] = _digest(whole)
    text = json.dumps(whole, indent=1, allow_nan=False) + "\n"
    (folder / "bundle.json").write_text(text, encoding="utf-8")


def read_folder(folder: Path) -> ModelParts:
    """Check a folder and read its files; nothing is opened before its sha256 was found right."""
    described = describe(folder)
    contents = {name: _checked(folder, name, sha256) for name, sha256 in described["files"].items()}
    plain = {key: value for key, value in described.items() if key not in ("format", "files", "sha256")}
    golden = pd.read_csv(io.BytesIO(contents["golden.csv"]), dtype=str, keep_default_na=False)
    report, aside = contents.get("report.html"), contents.get("aside.csv")
    return ModelParts(
        plain,
        _arrays(contents["arrays.npz"], folder),
        golden,
        contents["README.md"].decode("utf-8"),
        None if report is None else report.decode("utf-8"),
        None if aside is None else pd.read_csv(io.BytesIO(aside), dtype={"sample": str, "subject": str, "label": str}),
        described["format"],
    )


def copy_folder(folder: Path, to: Path) -> None:
    """Copy the files of a model, and nothing else, into a folder that is made for them."""
    to.mkdir(parents=True)
    for name in MODEL_FILES:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, to / name)


@contextmanager
def only_refusals(what: str) -> Iterator[None]:
    """Let nothing but a refusal come out of reading a model: foreign bytes can provoke any error of any library."""
    try:
        yield
    except ExoclassifyError:
        raise
    except Exception as error:  # the door through which foreign bytes come in
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ModelError(f"{what}: not a complete model ({said}); train or fetch it again") from error


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest(described: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in described.items() if key != "sha256"}
    return _sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode())


def describe(folder: Path) -> dict[str, Any]:
    """Read bundle.json alone: what a model is, without its fitted arrays."""
    try:
        described = json.loads((folder / "bundle.json").read_bytes())
    except FileNotFoundError as error:
        raise ModelError(
            f"{folder.name}: not a model folder (it has no bundle.json); give the folder that `exoclassify train --out` wrote"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{folder.name}/bundle.json: cannot be read ({error}); fetch the model again") from error
    if not isinstance(described, dict) or not {"format", "files"} <= set(described):
        raise ModelError(f"{folder.name}: bundle.json is not that of an exoclassify model")
    if described["format"] not in (1, FORMAT):
        raise ModelError(
            f"{folder.name}: made in format {described['format']}, this version reads formats 1 and {FORMAT}; "
            "use the exoclassify version named in its bundle.json, or train it again"
        )
    if described.get("sha256") != _digest(described) or not _files_known(described["files"]):
        raise ModelError(f"{folder.name}: bundle.json was changed after the model was saved; fetch or train it again")
    return described


def _files_known(files: object) -> bool:
    """Whether the model lists every file it needs, and none that is not its own: the names become paths."""
    return isinstance(files, dict) and set(_FILES) <= set(files) <= {*_FILES, *_OPTIONAL}


def _checked(folder: Path, name: str, expected: str) -> bytes:
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise ModelError(
            f"{folder.name}: {name} cannot be read ({error.strerror}); fetch or train the model again"
        ) from error
    if _sha256(content) != expected:
        raise ModelError(
            f"{folder.name}: {name} was changed after the model was saved (its sha256 differs); fetch or train it again"
        )
    return content


def _arrays(content: bytes, folder: Path) -> dict[str, NDArray[Any]]:
    with only_refusals(f"{folder.name}/arrays.npz"), np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
