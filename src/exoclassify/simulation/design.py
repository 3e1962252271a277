"""What to simulate, as one checked value."""

from __future__ import annotations

from dataclasses import dataclass

from exoclassify.errors import DesignError

__all__ = ["LAYERS", "N_ASSAYS", "SimulationDesign"]

LAYERS = ("mirna", "ct", "protein")
"""What can be simulated."""

N_ASSAYS = 96
"""Assays in the Ct layer: a quarter of a 384-well plate."""

# Least and largest value; None = no bound.
_RANGES: dict[str, tuple[float, float | None]] = {
    "seed": (0, None),
    "n_markers": (0, None),
    "n_batches": (1, None),
    "effect": (0.0, 10.0),
    "batch_effect": (0.0, 10.0),
    "confounded": (0.0, 1.0),
    "repeats": (0.0, 1.0),
    "lacking": (0.0, 0.9),
    "lacking_with_state": (0.0, 1.0),
    "visits": (1, 52),
    "responders": (0.0, 1.0),
    "retest_noise": (0.0, 10.0),
    "person_sd": (0.0, 10.0),
}


@dataclass(frozen=True)
class SimulationDesign:
    """What to simulate.

    Parameters
    ----------
    seed : int
        Source of all chance, 0 or more; the same design gives the same cohort bit for bit.
    n_samples : int, default 120
        Samples in all, repeats included; at least four for each state.
    states : tuple of str, default ("control", "neuropathic", "inflammatory")
        Two or more, in about equal shares of the subjects; the first is the reference.
    n_molecules : int, default 400
        Molecules in the miRNA layer, at least as many as there are markers.
    n_markers : int, default 12
        Markers of each state but the first, in the miRNA and in the protein layer; 96 in all at most.
    effect : float, default 1.0
        Mean size of a marker's log2 fold change against the first state, 0 to 10; 0 makes the labels noise.
    batch_effect : float, default 0.5
        Standard deviation, in log2, of a molecule's shift in a batch, 0 to 10.
    n_batches : int, default 2
        Batches (centres, runs), one or more; a subject belongs to one.
    confounded : float, default 0.0
        Share of the subjects, 0 to 1, whose batch follows their state.
    repeats : float, default 0.25
        Share of the subjects, 0 to 1, who are sampled twice at one visit.
    visits : int, default 1
        Visits V1, V2, ... at which every subject is sampled, 1 to 52.
    responders : float, default 0.0
        Share of the subjects not in the reference state, 0 to 1, who respond: they are in the reference state from V2 on, and
        `n_markers` further molecules differ in them, by `effect`, at every visit.
    retest_noise : float, default 0.2
        Standard deviation, in log2, of what a molecule differs by between two samples of one person, 0 to 10; modules of
        molecules that move together from day to day come on top.
    person_sd : float, default 0.25
        Standard deviation, in log2, of what a molecule differs by between persons for good, 0 to 10, modules again on top.
    layers : tuple of str, default ("mirna",)
        Of "mirna" (counts), "ct" (the markers and the most abundant miRNAs again, by qPCR) and "protein"
        (intensities). The first named has every sample; each further one lacks some.
    lacking : float, default 0.1
        Share of the samples that each further layer lacks, 0 to 0.9.
    lacking_with_state : float, default 0.0
        Share of those, 0 to 1, that are taken from the states but the first: what an audit must find.

    Raises
    ------
    DesignError
        If a value is out of its range; the message says which, what was found, and what is needed.
    """

    seed: int
    n_samples: int = 120
    states: tuple[str, ...] = ("control", "neuropathic", "inflammatory")
    n_molecules: int = 400
    n_markers: int = 12
    effect: float = 1.0
    batch_effect: float = 0.5
    n_batches: int = 2
    confounded: float = 0.0
    repeats: float = 0.25
    visits: int = 1
    responders: float = 0.0
    retest_noise: float = 0.2
    person_sd: float = 0.25
    layers: tuple[str, ...] = ("mirna",)
    lacking: float = 0.1
    lacking_with_state: float = 0.0

    def __post_init__(self) -> None:
        """Check every value."""
        for name, (low, high) in _RANGES.items():
            found = getattr(self, name)
            # Written so that NaN is out of range too.
            if not (isinstance(found, int | float) and found >= low and (high is None or found <= high)):
                bound = f"{low} or more" if high is None else f"from {low} to {high}"
                raise DesignError(f"simulation: {name} is {found}; it must be {bound}")
        self._check_names()
        self._check_sizes()

    @property
    def n_marked(self) -> int:
        """How many markers a layer has in all."""
        return (len(self.states) - 1 + (self.responders > 0)) * self.n_markers

    def _check_names(self) -> None:
        if len(self.states) < 2 or not all(state.strip() for state in self.states):
            raise DesignError(f"simulation: states is {self.states}; two or more names are needed, none blank")
        unknown = [name for name in self.layers if name not in LAYERS]
        if unknown or not self.layers:
            found = ", ".join(unknown) or "nothing"
            raise DesignError(f"simulation: layers holds {found}; there are {', '.join(LAYERS)}")
        for name, values in (("states", self.states), ("layers", self.layers)):
            if len(set(values)) < len(values):
                raise DesignError(f"simulation: {name} holds one twice: {', '.join(values)}")

    def _check_sizes(self) -> None:
        for name in ("n_samples", "n_molecules", "visits"):
            if not isinstance(getattr(self, name), int):
                raise DesignError(f"simulation: {name} is {getattr(self, name)!r}; give a whole number")
        least = 4 * len(self.states) * self.visits
        if self.n_samples < least:
            at = f" at {self.visits} visits" if self.visits > 1 else ""
            raise DesignError(
                f"simulation: n_samples is {self.n_samples}; {len(self.states)} states{at} need at least {least}"
            )
        if self.responders > 0 and self.visits == 1:
            raise DesignError(
                f"simulation: responders is {self.responders}, and there is one visit; a response needs 2 visits or more"
            )
        if self.n_marked > N_ASSAYS:
            raise DesignError(
                f"simulation: n_markers is {self.n_markers}, {self.n_marked} in all; at most {N_ASSAYS} fit"
            )
        if self.n_molecules < max(self.n_marked, 2):
            raise DesignError(
                f"simulation: n_molecules is {self.n_molecules}; at least {max(self.n_marked, 2)} are needed"
            )
