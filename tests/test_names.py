"""Names of molecules: one spelling inside, and none that two columns share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exoclassify.data.names import canonical_name, canonical_names
from exoclassify.errors import InputError
from exoclassify.simulation.names import mirna_names


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("hsa-miR-21-5p", "hsa-miR-21-5p"),
        ("  hsa-miR-21-5p\n", "hsa-miR-21-5p"),
        ("HSA-MIR-21-5P", "hsa-miR-21-5p"),
        ("hsa-mir-21-5p", "hsa-miR-21-5p"),
        ("hsa-miR-21_5p", "hsa-miR-21-5p"),
        ("hsa_mir_21_5p", "hsa-miR-21-5p"),
        ("hsa.miR.21.5p", "hsa-miR-21-5p"),  # R's make.names
        ("hsa–miR–21–5p", "hsa-miR-21-5p"),  # dashes of a word processor
        ("hsa-miR21-5p", "hsa-miR-21-5p"),
        ("hsa-miR-1", "hsa-miR-1"),  # no arm is made up
        ("mir-21_3P", "hsa-miR-21-3p"),  # a name without a species is a human one
        ("hsa-let-7a-2-3p", "hsa-let-7a-2-3p"),
        ("hsa-let7F-1-3p", "hsa-let-7f-1-3p"),
        ("LET-7B", "hsa-let-7b"),
        ("hsa-miR-21*", "hsa-miR-21*"),
        ("hsa-miR-125b-1*", "hsa-miR-125b-1*"),
        ("mmu-MIR-133A-3p", "mmu-miR-133a-3p"),
        ("ebv-mir-BART1_5P", "ebv-miR-BART1-5p"),  # a viral name keeps its own case
    ],
)
def test_a_mirna_has_one_spelling(written: str, canonical: str) -> None:
    assert canonical_name(written, "mirna") == canonical


@pytest.mark.parametrize(
    "name",
    ["MIR155HG", "letrozole", "hsa-miR-133a-3p.1", "hsa-miR-518a-5p/hsa-miR-527", "cel-lin-4", "piR-36041", "U6"],
)
def test_a_name_of_no_mirna_form_stays_as_it_is(name: str) -> None:
    assert canonical_name(name, "mirna") == name


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("p12345", "P12345"),
        ("P12345-2", "P12345-2"),
        (" a0a024r1r8-1 ", "A0A024R1R8-1"),
        ("12_2", "12_2"),
        ("101_2;3", "101_2;3"),
        ("ATP synthase subunit alpha, mitochondrial", "ATP synthase subunit alpha, mitochondrial"),
        ("Il1b", "Il1b"),  # a mouse gene
        ("EVP-0001", "EVP-0001"),
    ],
)
def test_a_uniprot_accession_is_upper_case_and_any_other_protein_name_stays(written: str, canonical: str) -> None:
    assert canonical_name(written, "protein") == canonical


def test_other_kinds_are_only_stripped() -> None:
    assert canonical_name(" hsa-MIR-21_5p ", "mrna") == "hsa-MIR-21_5p"
    assert canonical_name(" p12345 ", "lncrna") == "p12345"


def test_simulated_names_are_canonical() -> None:
    names = mirna_names(700)
    assert canonical_names(names, "mirna", source="cargo.csv") == names


@pytest.mark.slow
@given(st.text(), st.sampled_from(["mirna", "protein", "mrna"]))
def test_a_canonical_name_stays_for_any_text(name: str, kind: str) -> None:
    once = canonical_name(name, kind)
    assert canonical_name(once, kind) == once


@pytest.mark.slow
@given(st.from_regex(r"([a-zA-Z]{3}[-_.])?(mir|miR|let|LET)[-_.]?[0-9a-zA-Z_.*-]{1,12}", fullmatch=True))
def test_a_canonical_name_stays_for_what_looks_like_a_mirna(name: str) -> None:
    once = canonical_name(name, "mirna")
    assert canonical_name(once, "mirna") == once


def test_two_spellings_of_one_molecule_are_an_error_that_names_both() -> None:
    with pytest.raises(
        InputError,
        match=r"X\.csv: 1 molecule comes twice \('hsa-miR-21-5p' \(1\) and 'hsa-mir-21_5p' \(3\) are both hsa-miR-21-5p\)",
    ):
        canonical_names(["hsa-miR-21-5p", "hsa-miR-22-5p", "hsa-mir-21_5p"], "mirna", source="X.csv")


def test_a_molecule_that_comes_twice_is_an_error() -> None:
    with pytest.raises(InputError, match=r"4 molecules come more than once .*'b' \(2\) and 'b' \(3\).*, …\); keep one"):
        canonical_names(["b0", "b", "b", "b", "b", "b"], "mrna", source="X.csv")


def test_a_molecule_without_a_name_is_an_error_with_its_place() -> None:
    with pytest.raises(InputError, match=r"X\.csv: molecule 2 of 3 has no name"):
        canonical_names(["a", "  ", "c"], "protein", source="X.csv")
