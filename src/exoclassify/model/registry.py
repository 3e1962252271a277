"""The models of one place: their versions, the one in use, and how it came to be.

::

    ROOT/NAME/
      1.0.0/                  a model's folder, written whole and never changed
      1.0.0.decision.json     what the gate found, and what was decided (where there was one)
      1.0.0.signature.json    sha256 of its files, signed (where it was)
      champion                the version in use: one line of JSON, replaced in one step
      history.jsonl           the champions before, one line each
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from exoclassify.errors import FileError, InputError, ModelError, check_type, first_three
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.folder import copy_folder
from exoclassify.model.promotions import VERSION, Promotion, in_use_before, now_in_use, promotions, put
from exoclassify.model.signature import check_signature
from exoclassify.model.version import free_version, order
from exoclassify.tables.writing import write_text_atomically

__all__ = ["Registry"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PATIENCE = 60.0
"""Seconds that a change waits for another one of the same model."""


class Registry:
    """Names, versions and champions below one folder.

    Parameters
    ----------
    root : str or Path
        The folder; it need not exist before something is added.

    Notes
    -----
    Every method takes the model's `name`; where a `version` may be omitted it is the champion. `who` and `why` are kept
    in the history. What is not there or cannot be trusted is a ModelError, and what the system refuses a FileError.

    Readers take no lock: a version is there whole or not at all, and the champion is one file that is replaced in one
    step. Changes of one name wait for each other.
    """

    def __init__(self, root: str | Path) -> None:
        check_type(root, (str, Path), "Registry: root", "the path of a folder, such as models")
        self.root = Path(root)

    def names(self) -> tuple[str, ...]:
        """Names that have a version, sorted."""
        if not self.root.is_dir():
            return ()
        try:
            found = [entry.name for entry in self.root.iterdir() if _NAME.fullmatch(entry.name)]
            return tuple(sorted(name for name in found if self.versions(name)))
        except OSError as error:
            raise FileError(
                f"{error.filename}: cannot be read ({error.strerror}); give this user the right to read it"
            ) from error

    def versions(self, name: str) -> tuple[str, ...]:
        """Versions of a name, oldest number first; empty when there is none."""
        folder = self._folder(name)
        if not folder.is_dir():
            return ()
        found = [entry.name for entry in folder.iterdir() if VERSION.fullmatch(entry.name)]
        return tuple(sorted((v for v in found if (folder / v / "bundle.json").is_file()), key=order))

    def champion(self, name: str) -> str:
        """Version in use."""
        return self.promotion(name).version

    def promotion(self, name: str) -> Promotion:
        """How the version in use came to be."""
        found = now_in_use(self._folder(name))
        if found is None:
            versions = self.versions(name)
            fix = f"promote one of {first_three(reversed(versions))}" if versions else self._known()
            raise ModelError(f"{name}: no version is in use; {fix}")
        return found

    def history(self, name: str) -> tuple[Promotion, ...]:
        """All promotions of a name, the first one first, the champion's own last."""
        return promotions(self._folder(name))

    def path(self, name: str, version: str | None = None) -> Path:
        """Folder of a version."""
        check_type(version, (str, type(None)), "Registry: version", "a version such as 1.0.0")
        version = self.champion(name) if version is None else version
        versions = self.versions(name)
        if version not in versions:
            known = f"it has {first_three(reversed(versions))}" if versions else self._known()
            raise ModelError(f"{name}: there is no version {version}; {known}")
        return self._folder(name) / version

    def load(
        self,
        name: str,
        version: str | None = None,
        *,
        verify: bool = False,
        require_signature: str | Path | None = None,
    ) -> ModelBundle:
        """Read a version.

        Parameters
        ----------
        verify : bool
            Also demand its golden answers.
        require_signature : path, optional
            A public key; the version must be signed by its owner.
        """
        folder = self.path(name, version)
        if require_signature is not None:
            check_signature(folder, require_signature)
        bundle = ModelBundle.load(folder, verify=verify)
        if (bundle.name, bundle.version) != (name, folder.name):
            raise ModelError(
                f"{name}/{folder.name}: holds {bundle.name} {bundle.version}; it was copied by hand: import it instead"
            )
        return bundle

    def copy(self, name: str, version: str, to: Path) -> Registry:
        """Copy a version, with its signature, into a registry of its own that has no champion and that nobody changes.

        Parameters
        ----------
        to : Path
            A folder that only this user can reach.
        """
        folder = self.path(name, version)
        try:
            copy_folder(folder, to / name / version)
            signed = folder.with_name(f"{version}.signature.json")
            if signed.is_file():
                shutil.copyfile(signed, to / name / signed.name)
        except OSError as error:
            raise FileError(f"{name} {version}: cannot be copied ({error.strerror})") from error
        return Registry(to)

    def add(
        self,
        bundle: ModelBundle,
        *,
        decision: dict[str, Any] | None = None,
        renumber: Callable[[ModelBundle, str], ModelBundle] | None = None,
    ) -> Path:
        """Keep a new version, and give its folder; it is not in use before it is promoted.

        Parameters
        ----------
        bundle : ModelBundle
            With its name and version; a version that is there already is refused.
        decision : dict, optional
            Plain values, kept beside the version.
        renumber : callable, optional
            Where its number is taken, take the next one with the same meaning; this writes it into the model.
        """
        check_type(bundle, ModelBundle, "Registry.add: bundle", "a ModelBundle, as fit returns it")
        folder = self._folder(bundle.name)
        with self._lock(bundle.name, create=True):
            taken = self.versions(bundle.name)
            if renumber is not None and bundle.version in taken:
                bundle = renumber(bundle, free_version(bundle.version, taken))
            if (folder / bundle.version).exists():
                raise FileError(
                    f"{bundle.name}: version {bundle.version} is there already, and a version is never changed; "
                    "give the new model another version"
                )
            if decision is not None:
                text = json.dumps(decision, indent=1, allow_nan=False) + "\n"
                write_text_atomically(folder / f"{bundle.version}.decision.json", text)
            bundle.save(folder / bundle.version)
        return folder / bundle.version

    def decision(self, name: str, version: str) -> dict[str, Any] | None:
        """Read what was decided of a version, and why; None where no gate was asked."""
        check_type(version, str, "Registry.decision: version", "a version such as 1.0.0")
        path = self._folder(name) / f"{version}.decision.json"
        if not path.exists():
            return None
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise ModelError(f"{path}: cannot be read ({error}); restore it, or remove it") from error
        if not isinstance(found, dict):
            raise ModelError(f"{path}: is not the record of a decision; restore it, or remove it")
        return found

    def promote(
        self,
        name: str,
        version: str,
        *,
        who: str,
        why: str,
        source: str | None = None,
        instead_of: str | None = None,
        require_signature: str | Path | None = None,
    ) -> Promotion:
        """Put a version into use, after it gave its golden answers; the champion of now stays when it is that one already.

        Parameters
        ----------
        source : str, optional
            From what, kept in the history too.
        instead_of : str, optional
            The version it was compared with; refuse when another one is in use by now.
        require_signature : path, optional
            As in `load`.
        """
        for said in (who, why):
            check_type(said, str, "Registry.promote: who or why", "a few words")
        if not who.strip() or not why.strip():
            raise ModelError(f"{name} {version}: a promotion needs who and why; both are kept in the history")
        with self._lock(name):
            if instead_of is not None and self.champion(name) != instead_of:
                raise ModelError(
                    f"{name}: {version} was compared with {instead_of}, and {self.champion(name)} is in use by now; "
                    "compare it with that one"
                )
            self.load(name, version, verify=True, require_signature=require_signature)
            return put(self._folder(name), version, who, why, source)

    def rollback(self, name: str, *, who: str, why: str, require_signature: str | Path | None = None) -> Promotion:
        """Return to the version that was in use before; once more, to the one before that.

        Parameters
        ----------
        require_signature : path, optional
            As in `load`.
        """
        with self._lock(name):
            before = in_use_before(self.history(name))
            if not before:
                raise ModelError(
                    f"{name}: no version was in use before {self.champion(name)}; promote one by its number"
                )
            self.load(name, before[-1], verify=True, require_signature=require_signature)
            return put(self._folder(name), before[-1], who, why, None, back=True)

    def prune(self, name: str, *, keep: int, dry_run: bool = False) -> tuple[str, ...]:
        """Remove old versions; never the champion, nor the one that a rollback would return to.

        Parameters
        ----------
        keep : int
            How many of the newest versions stay besides.
        dry_run : bool
            Only say which.

        Returns
        -------
        tuple of str
            The versions removed; decisions and history stay.
        """
        check_type(keep, int, "Registry.prune: keep", "how many of the newest versions stay")
        if keep < 0:
            raise InputError(f"Registry.prune: keep is {keep}; give how many of the newest versions stay, from 0 on")
        with self._lock(name):
            needed = {self.champion(name), *in_use_before(self.history(name))[-1:]}
            versions = self.versions(name)
            old = tuple(v for v in versions[: max(len(versions) - keep, 0)] if v not in needed)
            for version in () if dry_run else old:
                self._remove(self._folder(name), version)
            return old

    def _remove(self, folder: Path, version: str) -> None:
        aside = folder / f".{version}.old-{secrets.token_hex(4)}"
        try:
            os.replace(folder / version, aside)  # gone in one step for whoever reads now
            (folder / f"{version}.signature.json").unlink(missing_ok=True)
        except OSError as error:
            raise FileError(
                f"{folder / version}: cannot be removed ({error.strerror}); use a folder that is yours"
            ) from error
        shutil.rmtree(aside, ignore_errors=True)

    def _folder(self, name: str) -> Path:
        check_type(name, str, "Registry: name", "the name of a model, such as pain")
        if not _NAME.fullmatch(name):
            raise ModelError(f"{name!r} is no name of a model; use letters, digits, -, _ and .")
        return self.root / name

    def _known(self) -> str:
        names = self.names()
        return f"{self.root} holds {', '.join(names)}" if names else f"{self.root} holds no model; give --registry"

    @contextmanager
    def _lock(self, name: str, *, create: bool = False) -> Iterator[None]:
        folder = self._folder(name)
        if not create and not self.versions(name):
            raise ModelError(f"{name}: there is no such model; {self._known()}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / ".lock", timeout=_PATIENCE):
                yield
        except Timeout as error:
            raise FileError(
                f"{folder}: another process has been changing it for {_PATIENCE:.0f} s; try again when it is done"
            ) from error
        except OSError as error:
            raise FileError(
                f"{folder}: cannot be changed ({error.strerror}); use a registry on a disk that is yours and has space"
            ) from error
        finally:
            if create:
                with suppress(OSError):  # what came to nothing leaves no empty folder behind
                    _remove_if_only_locked(folder)


def _remove_if_only_locked(folder: Path) -> None:
    if {entry.name for entry in folder.iterdir()} == {".lock"}:
        (folder / ".lock").unlink()
        folder.rmdir()
