import contextlib
import re
import tomllib
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from exoclassify.cli.main import app
from exoclassify.data.cargo import CargoTable
from exoclassify.data.cohort import Cohort
from exoclassify.data.samples import SampleSheet
from exoclassify.discovery.contrast import Contrast
from exoclassify.discovery.discover import discover
from exoclassify.discovery.marker_tests import Measured
from exoclassify.discovery.signature_page import discovery_sections
from exoclassify.errors import DesignError, InputError, RecipeError
from exoclassify.evidence.blood_cells import blood_cells
from exoclassify.learning.recipe import Recipe
from exoclassify.lifecycle.fit import fit
from exoclassify.lifecycle.known import on_panel
from exoclassify.report.html import page
from exoclassify.simulation.simulate import SimulationDesign, simulate

pytestmark = pytest.mark.slow

STRONG = simulate(
    SimulationDesign(seed=5, n_samples=72, states=("control", "pain"), n_molecules=150, n_markers=8, effect=2.0)
)


@cache
def found_in_strong():
    return discover(STRONG.cohort, condition="migraine", seed=1)


def sheeted(**columns: object) -> Cohort:
    """The strong cohort with more columns in its sheet."""
    frame = STRONG.sheet.frame.assign(**columns)
    sheet = SampleSheet(frame, "label", "subject", "batch", "samples.csv")
    return Cohort.from_layers(STRONG.layers, sheet)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cohort")
    STRONG.write(path, force=True)
    return path


def asked(folder: Path, *arguments: object, out: str = "found") -> Result:
    given = {"cargo": "cargo.csv", "kind": "mirna", "unit": "counts", "samples": "samples.csv", "label": "label"}
    options = [part for name, value in given.items() for part in (f"--{name}", value)]
    with contextlib.chdir(folder):
        return CliRunner().invoke(app, ["discover", *options, "--out", out, *map(str, arguments)])


@pytest.mark.slow
def test_most_true_markers_are_found_with_their_direction() -> None:
    truth = STRONG.truth.set_index("molecule")["effect"]
    table = found_in_strong().frame().set_index("molecule")
    true = [name for name in table.index if name in truth.index]
    assert len(true) >= 5
    assert len(table) - len(true) <= 2
    signs = np.where(table.loc[true, "direction"] == "up", 1, -1)
    assert (signs == np.sign(truth[true])).all()
    covered = (table.loc[true, "low"] < truth[true]) & (truth[true] < table.loc[true, "high"])
    assert covered.mean() >= 0.7


@pytest.mark.slow
def test_the_signature_is_the_same_with_the_same_seed() -> None:
    again = discover(STRONG.cohort, condition="migraine", seed=1)
    pd.testing.assert_frame_equal(again.frame(), found_in_strong().frame())
    assert again.panel == found_in_strong().panel


def test_the_first_column_is_the_molecule_and_each_marker_has_a_row() -> None:
    table = found_in_strong().frame()
    assert table.columns[0] == "molecule"
    assert tuple(table["molecule"]) == found_in_strong().markers
    assert set(table["evidence"]) <= {"known", "known-elsewhere", "contradicted", "reported", "new"}
    assert (table["score"].diff().dropna() <= 0).all()


@pytest.mark.slow
def test_labels_that_are_noise_have_no_marker_and_this_is_said() -> None:
    made = simulate(SimulationDesign(seed=1, n_samples=60, states=("control", "pain"), n_molecules=150, effect=0.0))
    found = discover(made.cohort)
    assert found.markers == ()
    assert found.frame().empty
    assert found.recipe() == ""
    assert any("No marker" in line for line in found.in_words())
    assert "No marker" in page("x", discovery_sections(found))


def test_the_recipe_trains_on_exactly_the_panel_and_the_card_says_that_it_flatters() -> None:
    recipe = Recipe.of(tomllib.loads(found_in_strong().recipe()))
    bundle = fit(STRONG.cohort, recipe, judge=False)
    assert set(bundle.panel.molecules) == {*found_in_strong().panel, *found_in_strong().references}
    assert 1 <= len(found_in_strong().panel) <= len(found_in_strong().markers)
    assert "chosen on these very samples" in bundle.card
    other = simulate(SimulationDesign(seed=6, n_samples=72, states=("control", "pain"), n_molecules=150, n_markers=8))
    assert on_panel(other.cohort, recipe).notes == other.cohort.notes


def test_a_recipe_that_names_what_the_table_lacks_is_refused() -> None:
    recipe = Recipe.of({"panel": {"molecules": ["hsa-miR-99999-5p", found_in_strong().panel[0]]}})
    with pytest.raises(RecipeError, match=r"lacks 1 of the 2 molecules .*hsa-miR-99999-5p"):
        fit(STRONG.cohort, recipe, judge=False)
    with pytest.raises(RecipeError, match="panel: molecules: a stands twice"):
        Recipe.of({"panel": {"molecules": ["a", "a"]}})


@pytest.mark.slow
def test_a_marker_that_differs_between_batches_is_flagged() -> None:
    cohort = STRONG.cohort
    X, y, batch = cohort.cargo.values.copy(), cohort.y, cohort.batches
    name = max(
        found_in_strong().frame().query("log2_fold_change > 0")["molecule"],
        key=lambda m: found_in_strong().frame().set_index("molecule").loc[m, "log2_fold_change"],
    )
    j = cohort.cargo.molecules.index(name)
    turned = (batch == "B2") & (y == "pain")
    X[turned, j] = np.round(X[turned, j] / 60)
    table = CargoTable(X, cohort.cargo.sample_ids, cohort.cargo.molecules, "mirna", "counts")
    found = discover(Cohort.from_layers({"mirna": table}, cohort.sheet), panel=False)
    row = found.everything().set_index("molecule").loc[name]
    assert row["direction_differs"]
    assert row["batches_agreeing"] in ("1/2", "0/2")
    agreeing = found_in_strong().everything().set_index("molecule").loc[name]
    assert (agreeing["batches_agreeing"], agreeing["direction_differs"]) == ("2/2", False)


@pytest.mark.slow
def test_repeats_and_covariates_are_in_the_design() -> None:
    assert found_in_strong().contrast.repeated
    assert 0 <= found_in_strong().measured.correlation < 1
    n = STRONG.cohort.n_samples
    cohort = sheeted(age=[str(30 + i % 40) for i in range(n)], sex=["f" if i % 3 else "m" for i in range(n)])
    contrast = Contrast.of(cohort, covariates=["age", "sex"])
    assert contrast.columns == ("intercept", "label = pain", "batch = B2", "age", "sex = m")
    found = discover(cohort, covariates=["age", "sex"], panel=False)
    assert len(set(found.markers) & set(found_in_strong().markers)) >= len(found_in_strong().markers) - 3


def test_subjects_measured_in_both_states_are_compared_with_themselves() -> None:
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(14), 2)
    y = np.tile([0, 1], 14)
    values = rng.normal(20, 1, 60) + rng.normal(0, 2.0, (14, 60))[person] + rng.normal(0, 0.3, (28, 60))
    values[:, :5] += 0.8 * y[:, None]
    ids = [f"s{i}" for i in range(28)]
    names = [f"P{10000 + j}" for j in range(60)]
    cargo = CargoTable.from_frame(pd.DataFrame(values, ids, names), kind="protein", unit="log2_intensity")
    frame = pd.DataFrame({"label": np.where(y, "pain", "control"), "subject": [f"p{i}" for i in person]}, ids)
    cohort = Cohort.from_layers({"protein": cargo}, SampleSheet(frame, "label", "subject"))
    found = discover(cohort, panel=False)
    assert set(names[:5]) <= set(found.markers)
    units = found.measured.units(found.contrast)
    assert len(np.unique(units.strata)) == 14


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["ct", "intensity"])
def test_a_molecule_found_in_one_state_only_is_a_marker_where_missing_means_too_little(unit: str) -> None:
    rng = np.random.default_rng(1)
    y = np.arange(40) % 2
    log = rng.normal(8, 0.6, (40, 80))
    log[(y == 0), 0] = -5.0  # below any limit in the reference
    values = 32 - log if unit == "ct" else np.exp2(log)
    values = np.where(log < 0, 40.0 if unit == "ct" else np.nan, values)
    ids, names = [f"s{i}" for i in range(40)], [f"hsa-miR-{100 + j}-5p" for j in range(80)]
    cargo = CargoTable.from_frame(pd.DataFrame(values, ids, names), kind="mirna", unit=unit)
    sheet = SampleSheet(pd.DataFrame({"label": np.where(y, "pain", "control")}, ids), "label")
    found = discover(Cohort.from_layers({"mirna": cargo}, sheet), panel=False)
    row = found.frame().set_index("molecule").loc[names[0]]
    assert (row["found_in_state"], row["found_in_reference"], row["direction"]) == (1.0, 0.0, "up")
    assert np.isnan(row["log2_fold_change"])
    assert row["p_detection"] < 1e-6
    assert names[0] in page("x", discovery_sections(found))


@pytest.mark.slow
def test_depth_that_goes_with_the_state_is_told() -> None:
    cohort = STRONG.cohort
    X = cohort.cargo.values.copy()
    X[cohort.y == "pain"] = np.round(X[cohort.y == "pain"] * 4)
    table = CargoTable(X, cohort.cargo.sample_ids, cohort.cargo.molecules, "mirna", "counts")
    found = discover(Cohort.from_layers({"mirna": table}, cohort.sheet), panel=False)
    assert found.measured.technical["total of a sample"] > 0.8
    assert "Beware: " in " ".join(found.in_words())
    assert "total of a sample alone" in " ".join(found.in_words())
    assert "total of a sample" not in " ".join(found_in_strong().in_words())


def test_shuffled_labels_leave_the_units_as_they_are() -> None:
    contrast = Contrast.of(STRONG.cohort)
    units = Measured.of(contrast).units(contrast)
    assert len(units.y) == len(np.unique(contrast.subjects))
    assert np.isfinite(units.Y).all()


@pytest.mark.parametrize(
    ("molecule", "mark"),
    [
        ("hsa-miR-451a", "haemolysis"),
        ("hsa-miR-486-5p", "haemolysis"),
        ("miR-16-5p", "haemolysis"),
        ("hsa-miR-148b-3p", "platelets"),
        ("hsa-miR-148a-3p", ""),
        ("hsa-miR-1-3p", ""),
        ("hsa-let-7b-5p", ""),
    ],
)
def test_mirna_of_blood_cells_are_marked(molecule: str, mark: str) -> None:
    assert blood_cells(molecule) == mark


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"state": "sciatica"}, InputError, "no state sciatica; it has control, pain"),
        ({"state": "pain", "reference": ["pain"]}, InputError, "both the state and its reference"),
        ({"covariates": ["age"]}, InputError, "no covariate column age; its columns are"),
        ({"covariates": ["batch"]}, InputError, "column batch is in the design already"),
        ({"covariates": ["holes"]}, InputError, r"covariate holes has no value in 2 of 72 samples \(SIM-0001"),
        ({"covariates": ["id"]}, InputError, "covariate id has 72 different texts"),
        ({"covariates": ["site"]}, DesignError, "column site = north is collinear with .*batch = B2"),
        ({"covariates": ["flat"]}, DesignError, "column flat never varies"),
        ({"covariates": ["copy"]}, DesignError, "column copy = yes is collinear with .*label = pain"),
    ],
)
def test_a_design_that_cannot_be_used_is_refused_by_column(
    how: dict[str, object], error: type[Exception], message: str
) -> None:
    cohort = STRONG.cohort
    made = sheeted(
        holes=["", *["1"] * 70, ""],
        id=[f"x{i}" for i in range(72)],
        site=np.where(cohort.batches == "B2", "north", "east"),
        flat=["5"] * 72,
        copy=np.where(cohort.y == "pain", "yes", "no"),
    )
    with pytest.raises(error, match=message):
        Contrast.of(made, **how)


def test_batches_that_are_the_states_are_refused() -> None:
    frame = STRONG.sheet.frame.assign(batch=STRONG.cohort.y)
    cohort = Cohort.from_layers(STRONG.layers, SampleSheet(frame, "label", "subject", "batch", "samples.csv"))
    with pytest.raises(DesignError, match=r"column batch = pain is collinear with .*label = pain.*of both states"):
        discover(cohort)


def test_too_few_and_too_many_states_are_refused() -> None:
    three = simulate(SimulationDesign(seed=2, n_samples=30, n_molecules=60, n_markers=2)).cohort
    with pytest.raises(InputError, match="say whose markers are sought with --state"):
        Contrast.of(three)
    few = STRONG.cohort.take(
        np.r_[np.flatnonzero(STRONG.cohort.y == "pain")[:3], np.flatnonzero(STRONG.cohort.y == "control")]
    )
    with pytest.raises(DesignError, match=r"pain has \d subjects; with fewer than 5"):
        Contrast.of(few)


@pytest.mark.slow
def test_the_command_writes_signature_tests_recipe_and_report(folder: Path) -> None:
    done = asked(folder, "--subject", "subject", "--batch", "batch", "--seed", 1, "--condition", "migraine")
    assert done.exit_code == 0, done.stderr
    found = folder / "found"
    assert sorted(path.name for path in found.iterdir()) == [
        "molecules.csv", "recipe.toml", "report-files", "report.html", "signature.csv",
    ]  # fmt: skip
    table = pd.read_csv(found / "signature.csv")
    assert tuple(table["molecule"]) == found_in_strong().markers
    np.testing.assert_allclose(table["log2_fold_change"], found_in_strong().frame()["log2_fold_change"], rtol=1e-6)
    assert "simulated" in done.stderr
    assert "share of false ones" in done.stdout
    assert found_in_strong().markers[0] in (found / "report.html").read_text()
    assert Recipe.read(found / "recipe.toml").panel.molecules == (
        *found_in_strong().panel,
        *found_in_strong().references,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--covariates", "age"], "no covariate column age"),
        (["--condition", "toothache"], "no condition 'toothache'"),
        (["--state", "sciatica"], "no state sciatica"),
        (["--add", "absent.csv"], "absent.csv: cannot be read"),
        (["--unit", "ct"], "cargo.csv"),
    ],
)
def test_the_command_refuses_in_one_line_and_writes_nothing(folder: Path, arguments: list[str], message: str) -> None:
    done = asked(folder, *arguments, out="refused")
    assert done.exit_code == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last
    assert not (folder / "refused").exists()
    assert not re.search("Traceback", done.stderr)


def test_the_command_checks_its_numbers(folder: Path) -> None:
    done = asked(folder, "--level", "0.9", out="refused")
    assert done.exit_code == 2
    assert "give a share above 0 and at most 0.5" in done.stderr
    again = asked(folder, "--no-panel", out=".")
    assert again.exit_code == 2
    assert "is there already" in again.stderr
