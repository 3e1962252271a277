# ruff: noqa: E501 - a header of the field is one line
"""A small table of each format of the field, written from its public documentation, and what it says.

Each holds samples A1 and A2 and two molecules, and beside them what is none: contaminants, controls, annotations. The rows
that must not arrive bear numbers that would be seen.
"""

from __future__ import annotations

from dataclasses import dataclass

NAN = float("nan")


@dataclass(frozen=True)
class Field:
    """One file: its name, its lines, and what is to be read from it."""

    name: str
    text: str
    molecules: tuple[str, ...]
    values: list[list[float]]
    note: str
    kind: str = "protein"
    unit: str = "intensity"


def lines(*rows: str, separator: str = "\t") -> str:
    """Rows whose cells are written with bars between."""
    return "\n".join(row.replace(" | ", separator).replace("|~", "|") for row in rows) + "\n"


PROTEINS = ("P02768", "P68871")
MIRNAS = ("hsa-miR-21-5p", "hsa-miR-451a")

MAXQUANT = Field(
    "proteinGroups.txt",
    lines(
        "Protein IDs | Majority protein IDs | Gene names | Peptides | Intensity | Intensity A1 | Intensity A2 | LFQ intensity A1 | "
        "LFQ intensity A2 | Only identified by site | Reverse | Potential contaminant | id",
        "P02768;P02768-2 | P02768;P02768-2 | ALB | 9 | 70 | 30 | 40 | 31 | 41 |  |  |  | 0",
        "P68871 | P68871 | HBB | 3 | 11 | 5 | 6 | 0 | 7 |  |  |  | 1",
        "CON__P00761 | CON__P00761 | TRYP | 3 | 9 | 9 | 9 | 999 | 999 |  |  | + | 2",
        "REV__P11111 | REV__P11111 |  | 1 | 9 | 9 | 9 | 999 | 999 |  | + |  | 3",
        "P99999 | P99999 | CYCS | 1 | 9 | 9 | 9 | 999 | 999 | + |  |  | 4",
    ),
    PROTEINS, [[31, 0], [41, 7]],
    "read as MaxQuant proteinGroups: LFQ intensity of 2 samples; 1 CON__ and 1 REV__ and 1 only identified by site rows left out",
)  # fmt: skip
FRAGPIPE = Field(
    "combined_protein.tsv",
    lines(
        "Protein | Protein ID | Entry Name | Gene | Length | Organism | Combined Total Peptides | A1 Spectral Count | A2 Spectral Count | "
        "A1 Intensity | A2 Intensity | A1 MaxLFQ Intensity | A2 MaxLFQ Intensity | Indistinguishable Proteins",
        "sp|P02768|ALBU_HUMAN | P02768 | ALBU_HUMAN | ALB | 609 | Homo sapiens | 9 | 4 | 5 | 30 | 40 | 31.5 | 41.5 | ",
        "sp|P68871|HBB_HUMAN | P68871 | HBB_HUMAN | HBB | 147 | Homo sapiens | 3 | 1 | 2 | 5 | 6 | 5.5 | 6.5 | ",
        "contam_sp|P00761|TRYP_PIG | P00761 | TRYP_PIG |  | 231 |  | 9 | 9 | 9 | 999 | 999 | 999 | 999 | ",
    ),
    PROTEINS, [[31.5, 5.5], [41.5, 6.5]],
    "read as FragPipe combined_protein: MaxLFQ intensity of 2 samples; 1 contam_ rows left out",
)  # fmt: skip
DIANN = Field(
    "report.pg_matrix.tsv",
    lines(
        r"Protein.Group | Protein.Ids | Protein.Names | Genes | First.Protein.Description | D:\raw\A1.raw | D:\raw\A2.raw",
        "P02768 | P02768 | ALBU_HUMAN | ALB | Albumin | 3.1e+07 | 4.1e+07",
        "P68871 | P68871 | HBB_HUMAN | HBB | Hemoglobin |  | 6e+05",
    ),
    PROTEINS, [[3.1e7, NAN], [4.1e7, 6e5]], "read as DIA-NN pg_matrix: protein quantity of 2 samples",
)  # fmt: skip
DIANN_REPORT = Field(
    "report.tsv",
    lines(
        r"File.Name | Run | Protein.Group | Genes | PG.MaxLFQ | Precursor.Id | Q.Value | PG.Q.Value | Global.PG.Q.Value",
        "x | A1 | P02768 | ALB | 31 | AAK2 | 0.001 | 0.001 | 0.001",
        "x | A1 | P02768 | ALB | 31 | AAK3 | 0.001 | 0.001 | 0.001",
        "x | A1 | P68871 | HBB | 999 | VVK2 | 0.02 | 0.001 | 0.001",
        "x | A2 | P02768 | ALB | 41 | AAK2 | 0.001 | 0.001 | 0.001",
        "x | A2 | P68871 | HBB | 6 | VVK2 | 0.001 | 0.001 | 0.001",
        "x | A2 | P00000 | X | 999 | XXK2 | 0.001 | 0.03 | 0.001",
    ),
    PROTEINS, [[31, NAN], [41, 6]],
    "read as DIA-NN report: PG.MaxLFQ of 2 molecules in 2 samples; 1 rows with q.value above 0.01 and 1 rows with pg.q.value above "
    "0.01 left out",
)  # fmt: skip
SPECTRONAUT = Field(
    "pivot.tsv",
    lines(
        "PG.ProteinGroups | PG.Genes | [1] A1.raw.PG.Quantity | [2] A2.raw.PG.Quantity",
        "P02768 | ALB | 31.5 | 41.5",
        "P68871 | HBB | Filtered | 6.5",
    ),
    PROTEINS, [[31.5, NAN], [41.5, 6.5]], "read as Spectronaut pivot: PG.Quantity of 2 samples",
)  # fmt: skip
DISCOVERER = Field(
    "Proteins.txt",
    lines(
        '"Checked" | "Master" | "Accession" | "Description" | "Exp. q-value: Combined" | "Contaminant" | "Abundance: F1: Sample, A1" | '
        '"Abundance: F2: Sample, A2" | "Abundances (Normalized): F1: Sample, A1" | "Abundances (Normalized): F2: Sample, A2"',
        '"False" | "IsMasterProtein" | "P02768" | "Albumin OS=Homo sapiens" | "0" | "False" | "30" | "40" | "31" | "41"',
        '"False" | "IsMasterProtein" | "P68871" | "Hemoglobin subunit beta" | "0" | "False" | "5" | "6" | "" | "7"',
        '"False" | "IsMasterProtein" | "P00761" | "Trypsin" | "0" | "True" | "999" | "999" | "999" | "999"',
    ),
    PROTEINS, [[31, NAN], [41, 7]],
    "read as Proteome Discoverer proteins: normalised abundance of 2 samples; 1 contaminant rows left out",
)  # fmt: skip
OLINK = Field(
    "npx.csv",
    lines(
        "SampleID | Index | OlinkID | UniProt | Assay | MissingFreq | Panel | PlateID | QC_Warning | LOD | NPX",
        "A1 | 1 | OID1 | P02768 | ALB | 0,01 | Inflammation | P1 | PASS | 0,5 | 3,25",
        "A1 | 1 | OID2 | P68871 | HBB | 0,01 | Inflammation | P1 | PASS | 0,5 | 1,5",
        "A2 | 2 | OID1 | P02768 | ALB | 0,01 | Inflammation | P1 | WARN | 0,5 | -0,25",
        "A2 | 2 | OID2 | P68871 | HBB | 0,01 | Inflammation | P1 | PASS | 0,5 | 2,5",
        "CONTROL_SAMPLE_AS 1 | 3 | OID1 | P02768 | ALB | 0,01 | Inflammation | P1 | PASS | 0,5 | 99",
        separator=";",
    ),
    PROTEINS, [[3.25, 1.5], [-0.25, 2.5]],
    "read as Olink NPX: NPX of 2 molecules in 2 samples; 1 rows of control samples left out; 1 values with a QC warning kept",
    unit="log2_intensity",
)  # fmt: skip
OLINK_HT = Field(
    "ht.tsv",
    lines(
        "SampleID | SampleType | PlateID | OlinkID | UniProt | Assay | AssayType | Panel | Block | Count | NPX | AssayQC | SampleQC",
        "A1 | SAMPLE | P1 | OID1 | P02768 | ALB | assay | HT | 1 | 9 | 3.25 | PASS | PASS",
        "A1 | SAMPLE | P1 | OID2 | P68871 | HBB | assay | HT | 1 | 9 | 1.5 | PASS | PASS",
        "A1 | SAMPLE | P1 | OID9 | INC1 | Incubation control 1 | inc_ctrl | HT | 1 | 9 | 99 | PASS | PASS",
        "A2 | SAMPLE | P1 | OID1 | P02768 | ALB | assay | HT | 1 | 9 | 2.25 | PASS | PASS",
        "A2 | SAMPLE | P1 | OID2 | P68871 | HBB | assay | HT | 1 | 9 | 99 | PASS | FAIL",
        "N1 | NEGATIVE_CONTROL | P1 | OID1 | P02768 | ALB | assay | HT | 1 | 9 | 99 | PASS | PASS",
    ),
    PROTEINS, [[3.25, 1.5], [2.25, NAN]],
    "read as Olink NPX: NPX of 2 molecules in 2 samples; 1 rows of control assays and 1 rows that failed Olink's quality control and 1 "
    "rows of control samples left out",
    unit="log2_intensity",
)  # fmt: skip
ADAT = Field(
    "study.adat",
    lines(
        "!Checksum | ab", "^HEADER", "!Title | study", "^COL_DATA", "!Name | SeqId | UniProt", "^ROW_DATA",
        "!Name | PlateId | SampleId | SampleType | RowCheck", "^TABLE_BEGIN",
        " |  |  |  |  | SeqId | 10-1 | 10-2 | 10-3", " |  |  |  |  | UniProt | P02768 | P68871 | P00761",
        " |  |  |  |  | Organism | Human | Human | Pig", "PlateId | SampleId | SampleType | RowCheck |  |  |  |  | ",
        "P1 | A1 | Sample | PASS |  |  | 310.5 | 50.5 | 999", "P1 | A2 | Sample | FLAG |  |  | 410.5 | 60.5 | 999",
        "P1 | 77 | Calibrator | PASS |  |  | 999 | 999 | 999",
    ),
    PROTEINS, [[310.5, 50.5], [410.5, 60.5]],
    "read as SomaScan .adat: 2 analytes of 2 samples; 1 Calibrator rows and 1 control analytes left out; 1 samples with RowCheck FLAG "
    "kept",
)  # fmt: skip
FEATURECOUNTS = Field(
    "counts.txt",
    lines(
        '# Program:featureCounts v2.0.3; Command:"featureCounts" "-a" "hsa.gff3"',
        "Geneid | Chr | Start | End | Strand | Length | bam/A1.sorted.bam | bam/A2.sorted.bam",
        "hsa-miR-21-5p | chr17 | 100 | 121 | + | 22 | 31 | 41",
        "hsa-miR-451a | chr17 | 300 | 321 | - | 22 | 0 | 6",
    ),
    MIRNAS, [[31, 0], [41, 6]], "read as featureCounts: counts of 2 samples", "mirna", "counts",
)  # fmt: skip
MIRDEEP2 = Field(
    "miRNAs_expressed_all_samples.csv",
    lines(
        "#miRNA | read_count | precursor | total | A1 | A2 | A1(norm) | A2(norm)",
        "hsa-miR-21-5p | 72.00 | hsa-mir-21 | 72.00 | 31.00 | 41.00 | 999 | 999",
        "hsa-miR-451a | 6.00 | hsa-mir-451a | 6.00 | 0.00 | 6.00 | 999 | 999",
        "hsa-miR-451a | 7.00 | hsa-mir-451b | 7.00 | 2.00 | 5.00 | 999 | 999",
    ),
    MIRNAS, [[31, 2], [41, 6]], "read as miRDeep2 quantifier: read counts of 2 samples", "mirna", "counts",
)  # fmt: skip
MIRTOP = Field(
    "mirtop.tsv",
    lines(
        "UID | Read | miRNA | Variant | iso_5p | iso_3p | iso_add3p | iso_snp | A1 | A2",
        "iso-22-A | TAGC | hsa-miR-21-5p | NA | 0 | 0 | 0 | 0 | 30 | 40",
        "iso-21-B | TAG | hsa-miR-21-5p | iso_3p:-1 | 0 | -1 | 0 | 0 | 1 | 1",
        "iso-22-C | AAAC | hsa-miR-451a | NA | 0 | 0 | 0 | 0 | 0 | 6",
    ),
    MIRNAS, [[31, 0], [41, 6]], "read as mirtop isomiRs: counts of 2 samples", "mirna", "counts",
)  # fmt: skip
NSOLVER = Field(
    "nsolver.csv",
    lines(
        "Probe Name | Accession # | Class Name | A1 | A2",
        "hsa-miR-21-5p|~0.012 | MIMAT0000076 | Endogenous1 | 31 | 41",
        "hsa-miR-451a|~0 | MIMAT0001631 | Endogenous1 | 5 | 6",
        "POS_A(128) | ERCC_1 | Positive | 999 | 999",
        "ACTB|~0 | NM_001101.2 | Housekeeping | 999 | 999",
        separator=",",
    ),
    MIRNAS, [[31, 5], [41, 6]],
    "read as nSolver: counts of 2 samples; 1 Positive and 1 Housekeeping rows left out", "mirna", "counts",
)  # fmt: skip
GEO = Field(
    "GSE1_series_matrix.txt",
    lines(
        '!Series_title | "Plasma EV"', '!Sample_title | "one" | "two"', '!Sample_geo_accession | "A1" | "A2"',
        '!Sample_characteristics_ch1 | "disease state: pain" | "disease state: none"',
        '!Sample_characteristics_ch1 | "age: 61" | "age: 47"', "!series_matrix_table_begin", '"ID_REF" | "A1" | "A2"',
        '"hsa-miR-21-5p" | 7.5 | 8.5', '"hsa-miR-451a" | 3.5 | null', "!series_matrix_table_end",
    ),
    MIRNAS, [[7.5, 3.5], [8.5, NAN]], "read as GEO series matrix: values of 2 samples", "mirna", "log2_intensity",
)  # fmt: skip
QUANTSTUDIO = Field(
    "results.csv",
    lines(
        "* Block Type = 384-Well", "* Chemistry = TAQMAN", "", "[Results]",
        "Well | Well Position | Omit | Sample Name | Target Name | Task | CT | Ct Mean",
        "1 | A1 | FALSE | A1 | hsa-miR-21-5p | UNKNOWN | 25.25 | ", "2 | A2 | FALSE | A1 | hsa-miR-21-5p | UNKNOWN | 25.75 | ",
        "3 | A3 | FALSE | A1 | hsa-miR-451a | UNKNOWN | Undetermined | ", "4 | A4 | FALSE | A2 | hsa-miR-21-5p | UNKNOWN | 26.5 | ",
        "5 | A5 | FALSE | A2 | hsa-miR-451a | UNKNOWN | 31.5 | ", "6 | A6 | TRUE | A2 | hsa-miR-451a | UNKNOWN | 3 | ",
        "7 | A7 | FALSE | NTC | hsa-miR-451a | NTC | 9 | ",
        separator=",",
    ),
    MIRNAS, [[25.5, 40], [26.5, 31.5]],
    "read as qPCR export: Ct of 2 molecules in 2 samples; 1 rows of omitted wells and 1 rows of task NTC left out", "mirna", "ct",
)  # fmt: skip
PERSEUS = Field(
    "perseus.txt",
    lines(
        "A1 | A2 | Score | Protein IDs", "#!{Type}E | E | N | T", "#!{C:Group}pain | none |  | ", "31 | 41 | 9 | P02768",
        "NaN | 6 | 9 | P68871",
    ),
    PROTEINS, [[31, NAN], [41, 6]], "read as Perseus: columns of type E of 2 samples",
)  # fmt: skip
SMRNASEQ = Field(
    "mature_counts.csv",
    lines(
        '"" | "hsa-miR-21-5p_MIMAT0000076_Homo_sapiens_miR-21-5p" | "hsa-miR-451a_MIMAT0001631_Homo_sapiens_miR-451a"',
        '"A1" | 31 | 0', '"A2" | 41 | 6', separator=",",
    ),
    MIRNAS, [[31, 0], [41, 6]], "read as nf-core/smrnaseq: 2 miRNAs, samples in rows", "mirna", "counts",
)  # fmt: skip
SMRNASEQ_CPM = Field(
    "mature_normalized_CPM.txt",
    lines(
        "A1 | A2", "hsa-miR-21-5p_MIMAT0000076_Homo_sapiens_miR-21-5p | 31.25 | 41",
        "hsa-miR-451a_MIMAT0001631_Homo_sapiens_miR-451a | 0 | 6",
    ),
    MIRNAS, [[31.25, 0], [41, 6]], "read as nf-core/smrnaseq: 2 miRNAs, samples in columns", "mirna", "cpm",
)  # fmt: skip

MIRGFF3 = Field(
    "mirtop.gff",
    "## mirGFF3. VERSION 1.2\n## source-ontology: miRBasev22\n## COLDATA: A1,A2\n"
    + lines(
        "hsa-mir-21 | miRBase22 | ref_miRNA | 8 | 29 | 0 | + | . | Read TAGC; UID a; Name hsa-miR-21-5p; Variant NA; Expression 30,40; "
        "Filter Pass",
        "hsa-mir-21 | miRBase22 | isomiR | 8 | 28 | 0 | + | . | Read TAG; UID b; Name hsa-miR-21-5p; Variant iso_3p:-1; Expression 1,1; "
        "Filter Pass",
        "hsa-mir-21 | miRBase22 | isomiR | 8 | 27 | 0 | + | . | Read TA; UID c; Name hsa-miR-21-5p; Variant iso_3p:-2; Expression 9,9; "
        "Filter REJECT lowcount",
        "hsa-mir-451a | miRBase22 | ref_miRNA | 1 | 22 | 0 | + | . | UID=d;Name=hsa-miR-451a;Expression=0,6;Filter=Pass",
        "hsa-mir-451b | miRBase22 | ref_miRNA | 1 | 22 | 0 | + | . | UID=d;Name=hsa-miR-451a;Expression=0,6;Filter=Pass",
    ),
    MIRNAS, [[31, 0], [41, 6]],
    "read as mirGFF3: reads of 2 miRNAs in 2 samples, their isomiRs added up; 1 sequences that did not pass the filter left out",
    "mirna", "counts",
)  # fmt: skip
EXCERPT = Field(
    "exceRpt_miRNA_ReadCounts.txt",
    lines(" | A1 | A2", "hsa-miR-21-5p | 30.66666667 | 41.33333333", "hsa-miR-451a | 0 | 6"),
    MIRNAS, [[31, 0], [41, 6]],
    "read as exceRpt: read counts of 2 samples; reads shared among miRNAs were rounded to whole ones", "mirna", "counts",
)  # fmt: skip
MIRGE3 = Field(
    "miR.Counts.csv",
    lines("miRNA | A1 | A2", "hsa-miR-21-5p | 31.0 | 41.0", "hsa-miR-215-5p/192-5p | 0.0 | 6.0", separator=","),
    ("hsa-miR-21-5p", "hsa-miR-215-5p/192-5p"), [[31, 0], [41, 6]], "read as miRge3: miRNA counts or RPM of 2 samples", "mirna",
    "counts",
)  # fmt: skip
MIRGE2 = Field(
    "miR.RPM.csv",
    lines("miRNA | A1.fastq | A2.fastq", "miRNAtotal | 900 | 800", "hsa-miR-21-5p | 31.25 | 41", "hsa-miR-451a | 0 | 6", separator=","),
    MIRNAS, [[31.25, 0], [41, 6]], "read as miRge3: miRNA counts or RPM of 2 samples; 1 total rows left out", "mirna", "cpm",
)  # fmt: skip

TABLES = (
    MAXQUANT, FRAGPIPE, DIANN, DIANN_REPORT, SPECTRONAUT, DISCOVERER, OLINK, OLINK_HT, ADAT, FEATURECOUNTS, MIRDEEP2, MIRTOP, NSOLVER,
    GEO, QUANTSTUDIO, PERSEUS, SMRNASEQ, SMRNASEQ_CPM, MIRGFF3, EXCERPT, MIRGE3, MIRGE2,
)  # fmt: skip

RCC = (
    "<Header>\nFileVersion,1.7\n</Header>\n<Sample_Attributes>\nID,{sample}\n</Sample_Attributes>\n<Lane_Attributes>\nID,1\n"
    "</Lane_Attributes>\n<Code_Summary>\nCodeClass,Name,Accession,Count\nEndogenous1,hsa-miR-21-5p|0.01,MIMAT0000076,{a}\n"
    "Endogenous1,hsa-miR-451a|0,MIMAT0001631,{b}\nPositive,POS_A(128),ERCC,999\n</Code_Summary>\n"
)
HTSEQ = "hsa-miR-21-5p\t{a}\nhsa-miR-451a\t{b}\n__no_feature\t999\n__ambiguous\t999\n"
