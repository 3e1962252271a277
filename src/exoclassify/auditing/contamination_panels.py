"""Marks of broken blood cells, platelets and lipoproteins, with their sources."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PANELS", "ContaminationPanel"]


@dataclass(frozen=True)
class ContaminationPanel:
    """Molecules that come from something other than vesicles.

    Parameters
    ----------
    name : str
        Of the source.
    kind : str
        Kind of cargo.
    molecules : tuple of tuple of str
        Each molecule under the names it may bear: canonical miRNA, or UniProt accession, gene and protein name.
    source : str
        Where it is published.
    """

    name: str
    kind: str
    molecules: tuple[tuple[str, ...], ...]
    source: str


_CELLS = "Pritchard et al. 2012, doi 10.1158/1940-6207.CAPR-11-0370"
_PLATELETS = (
    "Krammer et al. 2022, doi 10.3390/cells11081254 (miR-148b-3p, -151a-5p, -199a-3p); "
    "ashpublications.com/view-large/figure/6376939 (miR-22, -185, -320b, -423-5p)"
)
_LYSIS = "Kirschner et al. 2013, doi 10.3389/fgene.2013.00094"
_PLASMA = "Geyer et al. 2019, EMBO Mol. Med. 11:e10427"
_MISEV = "MISEV2018, doi 10.1080/20013078.2018.1535750"

PANELS = (
    ContaminationPanel(
        "red blood cells", "mirna",
        (("hsa-miR-451a",), ("hsa-miR-486-5p",), ("hsa-miR-16-5p",), ("hsa-miR-92a-3p",), ("hsa-miR-144-3p",)),
        f"{_CELLS}; {_LYSIS}",
    ),
    ContaminationPanel("myeloid cells", "mirna", (("hsa-miR-223-3p",), ("hsa-miR-197-3p",), ("hsa-miR-574-3p",)), _CELLS),
    ContaminationPanel("lymphocytes", "mirna", (("hsa-miR-150-5p",),), _CELLS),
    ContaminationPanel(
        "platelets", "mirna",
        (
            ("hsa-miR-148b-3p",), ("hsa-miR-151a-5p", "hsa-miR-151a-3p"), ("hsa-miR-199a-3p",), ("hsa-miR-22-3p",),
            ("hsa-miR-185-5p",), ("hsa-miR-320b",), ("hsa-miR-423-5p",),
        ),
        _PLATELETS,
    ),
    ContaminationPanel(
        "red blood cells", "protein",
        (
            ("P69905", "HBA1", "Hemoglobin subunit alpha"), ("P68871", "HBB", "Hemoglobin subunit beta"),
            ("P02042", "HBD", "Hemoglobin subunit delta"), ("P00915", "CA1", "Carbonic anhydrase 1"),
            ("P32119", "PRDX2", "Peroxiredoxin-2"), ("P04040", "CAT", "Catalase"),
        ),
        _PLASMA,
    ),
    ContaminationPanel(
        "platelets", "protein",
        (
            ("P02776", "PF4", "Platelet factor 4"), ("P02775", "PPBP", "Platelet basic protein"),
            ("P21333", "FLNA", "Filamin-A"), ("Q9Y490", "TLN1", "Talin-1"), ("P35579", "MYH9", "Myosin-9"),
            ("P07996", "THBS1", "Thrombospondin-1"), ("P08514", "ITGA2B", "Integrin alpha-IIb"),
        ),
        _PLASMA,
    ),
    ContaminationPanel(
        "clotting (serum beside plasma)", "protein",
        (
            ("P02671", "FGA", "Fibrinogen alpha chain"), ("P02675", "FGB", "Fibrinogen beta chain"),
            ("P02679", "FGG", "Fibrinogen gamma chain"),
        ),
        _PLASMA,
    ),
    ContaminationPanel(
        "lipoproteins", "protein",
        (
            ("P04114", "APOB", "Apolipoprotein B-100"), ("P02647", "APOA1", "Apolipoprotein A-I"),
            ("P02652", "APOA2", "Apolipoprotein A-II"), ("P02649", "APOE", "Apolipoprotein E"),
            ("P02656", "APOC3", "Apolipoprotein C-III"),
        ),
        _MISEV,
    ),
    ContaminationPanel("albumin", "protein", (("P02768", "ALB", "Albumin", "Serum albumin"),), _MISEV),
)  # fmt: skip
"""Panels by kind of cargo; each source says that these mark the cells or particles, none that they mark disease."""
