"""The models that answer: the champions of a registry, verified before they answer and exchanged without a pause."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from exoclassify.errors import ExoclassifyError
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.explain import contributions
from exoclassify.model.registry import Registry
from exoclassify.model.signature import check_signature
from exoclassify.model.trial import Trials
from service.exchange import Refusal
from service.settings import Settings

__all__ = ["Served", "Standing"]


@dataclass(frozen=True)
class Standing:
    """How one model stands.

    Parameters
    ----------
    bundle : ModelBundle or None
        That answers; None when no version could be loaded yet, or it was unloaded.
    problem : str or None
        Why the champion does not answer.
    tried : tuple
        What the problem was found on; the same is not tried again.
    folder : Path or None
        Copy of the bundle's files that only this process can reach: for processes that answer with the same bundle.
    """

    bundle: ModelBundle | None = None
    problem: str | None = None
    tried: tuple[object, ...] = ()
    folder: Path | None = None


class Served:
    """The champions of a registry, each copied, tried, verified and taken up on its own.

    Parameters
    ----------
    settings : Settings
        Where the models are, and which of them to serve.
    told : callable
        Called with name, version, problem (None: it answers now) and folder of its files whenever one changes.

    Notes
    -----
    Readers take the dictionary of standings as it is; whoever changes it puts a new one in its place. A request keeps the
    bundle it began with. What is verified is a copy in a folder of this process, and that copy answers at every door:
    whatever happens to the registry afterwards, signature and golden answers were those of the bundle that answers.
    """

    def __init__(self, settings: Settings, told: Callable[[str, str, str | None, Path | None], None]) -> None:
        self.registry = Registry(settings.models)
        self._settings = settings
        self._told = told
        self._standings: dict[str, Standing] = {}
        self._looking = threading.Lock()
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None
        self._copies: Path | None = None
        self._n_copies = 0
        # What is put down is put down in every worker: bentoml serve makes this folder for all of them.
        shared = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        self._marks = Path(shared) if shared else Path(tempfile.mkdtemp(prefix=f"{_COPIES}{os.getpid()}-"))
        self.looked = 0.0
        self.problem: str | None = None

    def start(self) -> None:
        """Load the champions, and watch for new ones in a thread."""
        _sweep()
        self.refresh()
        self._watcher = threading.Thread(target=self._watch, name="champions", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stop.set()
        if self._watcher is not None:
            self._watcher.join()
        for folder in (self._copies, None if "PROMETHEUS_MULTIPROC_DIR" in os.environ else self._marks):
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)

    def _watch(self) -> None:
        while not self._stop.wait(self._settings.poll_seconds):
            self.refresh()

    def refresh(self) -> None:
        """Load the champions that are not yet those that answer; a broken one leaves the old one in place.

        Notes
        -----
        Nothing that a model or the registry does ends the watch: what goes wrong is the problem of that model, or of this look.
        """
        with self._looking:
            try:
                names = self._settings.model or self.registry.names()
                self.problem = None
            except Exception as error:  # noqa: BLE001 - the watch goes on, and says so
                names, self.problem = tuple(self._standings), _said(error)
            with Trials() as trials:
                standings = {name: self._standing(name, trials) for name in names}
            if standings != self._standings:
                dropped = {s.folder for s in self._standings.values()} - {s.folder for s in standings.values()}
                self._standings = standings
                for folder in dropped:
                    self._drop_later(folder)
            self.looked = time.time()

    def _drop_later(self, folder: Path | None) -> None:
        """Remove a copy when the files that it was handed out for are surely done."""
        if folder is not None:
            timer = threading.Timer(self._settings.file_seconds + 60, shutil.rmtree, (folder, True))
            timer.daemon = True
            timer.start()

    def _standing(self, name: str, trials: Trials) -> Standing:
        before = self._standings.get(name, Standing())
        if self._mark(name).exists():
            return Standing(problem="unloaded; load it to have it answer again")
        version = ""
        seen: tuple[object, ...] = ()
        try:
            version = self.registry.champion(name)
            if before.bundle is not None and before.bundle.version == version:
                return before if before.problem is None else replace(before, problem=None)
            seen = _seen(self.registry.path(name, version))
            if before.problem is not None and before.tried == seen:
                return before
            taken = self._taken_up(name, version, trials)
        except Exception as error:  # noqa: BLE001 - whatever it is, this model is refused and the others go on
            return self._broken(name, version, before, _said(error), seen)
        self._told(name, version, None, taken.folder)
        return taken

    def _taken_up(self, name: str, version: str, trials: Trials) -> Standing:
        if self._copies is None:
            self._copies = Path(tempfile.mkdtemp(prefix=f"{_COPIES}{os.getpid()}-"))
        self._n_copies += 1
        root = self._copies / str(self._n_copies)
        try:
            copy = self.registry.copy(name, version, root)
            key = self._settings.signed_by
            if key is not None:
                check_signature(copy.path(name, version), key)  # before anything in it is opened
            trials.run(copy.path(name, version))
            bundle = copy.load(name, version, verify=True, require_signature=key)
            contributions(bundle, bundle.golden[:1])  # lays out what explaining needs, which takes a second
        except Exception:
            shutil.rmtree(root, ignore_errors=True)
            raise
        return Standing(bundle, folder=copy.path(name, version))

    def _broken(self, name: str, version: str, before: Standing, problem: str, seen: tuple[object, ...]) -> Standing:
        if problem != before.problem:
            self._told(name, version, problem, None)
        return replace(before, problem=problem, tried=seen)

    def unload(self, name: str) -> None:
        """Let a model answer no more until it is loaded again; arguments and errors as `standing`."""
        self.standing(name)
        self._mark(name).touch()
        self.refresh()

    def load(self, name: str) -> None:
        """Look at a model's champion now, and try it again if it was refused; arguments and errors as `standing`."""
        self.standing(name)
        self._mark(name).unlink(missing_ok=True)
        with self._looking:
            self._standings = {**self._standings, name: replace(self._standings[name], tried=())}
        self.refresh()

    def _mark(self, name: str) -> Path:
        return self._marks / f"{name}.unloaded"

    @property
    def standings(self) -> dict[str, Standing]:
        """How each model stands."""
        return self._standings

    @property
    def ready(self) -> bool:
        """Whether a model can answer; one that is refused takes no other one down with it."""
        return any(s.bundle is not None for s in self._standings.values())

    def bundle(self, name: str | None, site: str | None = None) -> ModelBundle:
        """Give the model that answers; arguments and errors as `standing`, and 503 when it cannot answer."""
        return self.answering(name, site)[0]

    def answering(self, name: str | None, site: str | None = None) -> tuple[ModelBundle, Path]:
        """Give the model that answers, and the folder of its files; arguments and errors as `bundle`."""
        standing = self.standing(name, site)
        if standing.bundle is None or standing.folder is None:
            raise Refusal(503, "not_ready", f"no model can answer: {standing.problem}", None, {"Retry-After": "5"})
        return standing.bundle, standing.folder

    def standing(self, name: str | None, site: str | None = None) -> Standing:
        """Say how a model stands.

        Parameters
        ----------
        name : str or None
            None where only one is served, those bound to a site aside.
        """
        standings = self._standings
        if site is not None:
            return self._at(name, site)
        if name is None:
            general = [key for key, standing in standings.items() if not _sites(standing)]
            choice = general if general else list(standings)
            if len(choice) > 1:
                known = ", ".join(choice)
                raise Refusal(409, "which_model", f"several models are served; name one of {known}", "model")
            name = choice[0] if choice else None
        standing = None if name is None else standings.get(name)
        if standing is None and name is not None and standings:
            known = ", ".join(standings)
            raise Refusal(404, "no_model", f"there is no model {name!r}; served: {known}", "model")
        if standing is None:
            raise Refusal(503, "not_ready", "no model can answer: there is none", None, {"Retry-After": "5"})
        return standing

    def _at(self, name: str | None, site: str) -> Standing:
        """Give the model that has a profile of a site."""
        wanted = (None,) if name is None else (name, f"{name}-{site}")
        bound = [
            standing
            for key, standing in self._standings.items()
            if standing.bundle is not None and site in _sites(standing) and (name is None or key in wanted)
        ]
        if len(bound) == 1:
            return bound[0]
        if bound:
            known = ", ".join(each.bundle.name for each in bound if each.bundle is not None)
            raise Refusal(409, "which_model", f"several models know the site {site}; name one of {known}", "model")
        raise Refusal(
            404,
            "no_site",
            f"no model has a profile of the site {site!r}; make one from 10 local samples with exoclassify recalibrate",
            "site",
        )


_COPIES = "exoclassify-models-"


def _sweep() -> None:
    """Remove what processes left behind that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_COPIES}*-*"):
        pid = folder.name.removeprefix(_COPIES).partition("-")[0]
        if pid.isdecimal() and folder.stat().st_uid == os.getuid() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _said(error: Exception) -> str:
    """Put an error into one line; of one that no one foresaw its kind too."""
    if isinstance(error, ExoclassifyError):
        return " ".join(str(error).split())
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _sites(standing: Standing) -> tuple[str, ...]:
    return () if standing.bundle is None else standing.bundle.blend.calibration.site_names


def _seen(folder: Path) -> tuple[object, ...]:
    """Give what would differ if the folder were corrected."""
    try:
        found = sorted((f.name, f.stat().st_mtime_ns, f.stat().st_size) for f in folder.iterdir())
    except OSError:
        return (str(folder),)
    return (str(folder), *found)
