"""Whether samples of the cohort are libraries of a public project."""

from __future__ import annotations

from exoclassify.auditing.findings import Finding
from exoclassify.data.cohort import Cohort
from exoclassify.errors import first_three
from exoclassify.evidence.fingerprints import Fingerprints

__all__ = ["audit_public"]


def audit_public(cohort: Cohort) -> list[Finding]:
    """Tell the samples that are libraries of public projects.

    Returns
    -------
    list of Finding
        One a project; empty when none is recognised, which does not show that there is none.
    """
    return [
        Finding(
            "public-libraries", one.accession, "samples", float(len(one.samples)), "warning",
            f"{len(one.samples)} of your samples are {one.accession} ({first_three(one.samples)}): their profiles are those of "
            "its public libraries.",
            "do not count them as another cohort, nor judge a model on them that was trained on that project; leave it out of "
            f"priors with discover --informed --leave-out {one.accession}",
        )
        for one in Fingerprints.read().recognise(cohort.cargo)
    ]  # fmt: skip
