"""Identifiers of the molecules that the checks of blood cells, plasma and haemolysis look for.

UniProt accessions with entry names and gene symbols (uniprot.org, CC BY 4.0), miRBase accessions with mature names (mirbase.org,
public domain); what a check needs, no more. Written down without a release at hand: the accessions of miR-451a, -486-5p, -223-3p,
-197-3p and -574-3p were read on public pages, the others were not checked.
"""

from __future__ import annotations

__all__ = ["MIRNAS", "PROTEINS"]

_PROTEINS = """
P69905 HBA_HUMAN HBA1
P68871 HBB_HUMAN HBB
P02042 HBD_HUMAN HBD
P00915 CAH1_HUMAN CA1
P32119 PRDX2_HUMAN PRDX2
P04040 CATA_HUMAN CAT
P02776 PLF4_HUMAN PF4
P02775 CXCL7_HUMAN PPBP
P21333 FLNA_HUMAN FLNA
Q9Y490 TLN1_HUMAN TLN1
P35579 MYH9_HUMAN MYH9
P07996 TSP1_HUMAN THBS1
P08514 ITA2B_HUMAN ITGA2B
P02671 FIBA_HUMAN FGA
P02675 FIBB_HUMAN FGB
P02679 FIBG_HUMAN FGG
P04114 APOB_HUMAN APOB
P02647 APOA1_HUMAN APOA1
P02652 APOA2_HUMAN APOA2
P02649 APOE_HUMAN APOE
P02656 APOC3_HUMAN APOC3
P02768 ALBU_HUMAN ALB
"""
_MIRNAS = """
MIMAT0001631 hsa-miR-451a
MIMAT0002177 hsa-miR-486-5p
MIMAT0000069 hsa-miR-16-5p
MIMAT0000092 hsa-miR-92a-3p
MIMAT0000436 hsa-miR-144-3p
MIMAT0000078 hsa-miR-23a-3p
MIMAT0000280 hsa-miR-223-3p
MIMAT0000227 hsa-miR-197-3p
MIMAT0003239 hsa-miR-574-3p
MIMAT0000451 hsa-miR-150-5p
"""

PROTEINS = {
    other: accession for accession, *others in map(str.split, _PROTEINS.strip().splitlines()) for other in others
}
"""Accession by entry name and by gene symbol, of proteins that one gene alone codes or is named by."""

MIRNAS = dict(line.split() for line in _MIRNAS.strip().splitlines())
"""Name by accession."""
