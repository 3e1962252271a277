"""The models that answer: the champions of a registry, verified before they answer and exchanged without a pause."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from exoclassify.errors import ExoclassifyError
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.explain import contributions
from exoclassify.model.registry import Registry
from service.exchange import Refusal
from service.settings import Settings

__all__ = ["Served", "Standing"]


@dataclass(frozen=True)
class Standing:
    """How one model stands.

    Parameters
    ----------
    bundle : ModelBundle or None
        That answers; None when no version could be loaded yet.
    problem : str or None
        Why the champion does not answer.
    tried : tuple
        What the problem was found on; the same is not tried again.
    """

    bundle: ModelBundle | None = None
    problem: str | None = None
    tried: tuple[object, ...] = ()


class Served:
    """The champions of a registry.

    Parameters
    ----------
    settings : Settings
        Where the models are, and which of them to serve.
    told : callable
        Called with name, version and problem (None: it answers now) whenever one changes.

    Notes
    -----
    Readers take the dictionary of standings as it is; whoever changes it puts a new one in its place. A request keeps the
    bundle it began with.
    """

    def __init__(self, settings: Settings, told: Callable[[str, str, str | None], None]) -> None:
        self.registry = Registry(settings.models)
        self._settings = settings
        self._told = told
        self._standings: dict[str, Standing] = {}
        self._stop = threading.Event()
        self._watcher: threading.Thread | None = None

    def start(self) -> None:
        """Load the champions, and watch for new ones in a thread."""
        self.refresh()
        self._watcher = threading.Thread(target=self._watch, name="champions", daemon=True)
        self._watcher.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stop.set()
        if self._watcher is not None:
            self._watcher.join()

    def _watch(self) -> None:
        while not self._stop.wait(self._settings.poll_seconds):
            self.refresh()

    def refresh(self) -> None:
        """Load the champions that are not yet those that answer; a broken one leaves the old one in place."""
        names = self._settings.model or self.registry.names()
        standings = {name: self._standing(name) for name in names}
        if standings != self._standings:
            self._standings = standings

    def _standing(self, name: str) -> Standing:
        before = self._standings.get(name, Standing())
        version = ""
        seen: tuple[object, ...] = ()
        try:
            version = self.registry.champion(name)
            if before.bundle is not None and before.bundle.version == version:
                return before if before.problem is None else Standing(before.bundle)
            seen = _seen(self.registry.path(name, version))
            if before.problem is not None and before.tried == seen:
                return before
            bundle = self.registry.load(
                name, version, verify=True, require_signature=self._settings.signed_by
            )
        except ExoclassifyError as error:
            return self._broken(name, version, before, str(error), seen)
        except OSError as error:
            return self._broken(name, version, before, f"{name}: cannot be read ({error.strerror})", seen)
        contributions(bundle, bundle.golden[:1])  # lays out what explaining needs, which takes a second
        self._told(name, version, None)
        return Standing(bundle)

    def _broken(
        self, name: str, version: str, before: Standing, problem: str, seen: tuple[object, ...]
    ) -> Standing:
        if problem != before.problem:
            self._told(name, version, problem)
        return Standing(before.bundle, problem, seen)

    @property
    def standings(self) -> dict[str, Standing]:
        """How each model stands."""
        return self._standings

    @property
    def ready(self) -> bool:
        """Whether there is a model, and every one of them can answer."""
        return bool(self._standings) and all(s.bundle is not None for s in self._standings.values())

    def bundle(self, name: str | None, site: str | None = None) -> ModelBundle:
        """Give the model that answers.

        Parameters
        ----------
        name : str or None
            None where only one is served, those bound to a site aside.
        site : str, optional
            Of which a model with a profile is wanted.

        Returns
        -------
        ModelBundle

        Raises
        ------
        Refusal
            404 for an unknown name or site, 409 when several are served and none is named, 503 when none can answer yet.
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
        if standing is None or standing.bundle is None:
            problem = "there is no model" if standing is None else standing.problem
            raise Refusal(503, "not_ready", f"no model can answer: {problem}", None, {"Retry-After": "5"})
        return standing.bundle

    def _at(self, name: str | None, site: str) -> ModelBundle:
        """Give the model that has a profile of a site."""
        wanted = (None,) if name is None else (name, f"{name}-{site}")
        bound = [
            standing.bundle
            for key, standing in self._standings.items()
            if standing.bundle is not None and site in _sites(standing) and (name is None or key in wanted)
        ]
        if len(bound) == 1:
            return bound[0]
        if bound:
            known = ", ".join(bundle.name for bundle in bound)
            raise Refusal(
                409, "which_model", f"several models know the site {site}; name one of {known}", "model"
            )
        raise Refusal(
            404,
            "no_site",
            f"no model has a profile of the site {site!r}; make one from 10 local samples with exoclassify recalibrate",
            "site",
        )


def _sites(standing: Standing) -> tuple[str, ...]:
    return () if standing.bundle is None else standing.bundle.blend.calibration.site_names


def _seen(folder: Path) -> tuple[object, ...]:
    """Give what would differ if the folder were mended."""
    try:
        found = sorted((f.name, f.stat().st_mtime_ns, f.stat().st_size) for f in folder.iterdir())
    except OSError:
        return (str(folder),)
    return (str(folder), *found)
