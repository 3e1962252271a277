"""miRNA whose level in serum and plasma follows how blood was drawn and spun: those of red cells and of platelets."""

from __future__ import annotations

import re

from exoclassify.data.names import canonical_name

__all__ = ["blood_cells"]

_RED_CELL = ("16", "17", "21", "92a", "106a", "451a", "451", "486")
"""Kirschner 2011, doi 10.1371/journal.pone.0024145 (miR-16, miR-451); Kirschner 2013, doi 10.3389/fgene.2013.00094 (miR-17, -21,
-92a, -106a); Shimura 2021 J Clin Med (miR-451a, miR-486): read in their abstracts."""

_PLATELET = ("22", "148b", "151a", "185", "199a", "320b", "423")
"""Krammer 2022, doi 10.3390/cells11081254 (miR-148b-3p, -151a-5p, -199a-3p; abstract); figure 2 of
ashpublications.com/view-large/figure/6376939 (miR-22, -185, -320b, -423-5p; its legend)."""

_NUMBER = re.compile(r"(?:[a-z]{3,4}-)?miR-(\d+[a-z]*)(?:-.*)?")


def blood_cells(molecule: str) -> str:
    """Say whether a miRNA is known to rise with haemolysis or with platelets left in the sample.

    ``haemolysis``, ``platelets``, or empty. Empty is no acquittal: only miRNA that were read of are listed.

    Notes
    -----
    A marker so marked can be a true one; it is to be checked against an index of haemolysis (absorbance at 414 nm, or
    miR-451a against miR-23a-3p) and against how often the blood was spun, before it is believed. Both arms of a hairpin are
    marked, for most sources name none.
    """
    found = _NUMBER.fullmatch(canonical_name(molecule, "mirna"))
    if found is None:
        return ""
    number = found.group(1)
    return "haemolysis" if number in _RED_CELL else "platelets" if number in _PLATELET else ""
