"""Models of the first format answer as version 0.1 did, whatever has become of calibration since."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from exoclassify.data.cargo import CargoTable
from exoclassify.errors import DesignError
from exoclassify.lifecycle.recalibrate import LocalSamples, recalibrate
from exoclassify.model.bundle import ModelBundle
from exoclassify.model.prediction import Use
from golden_numbers import FOLDER, first_format, turned_profiles

DEMO = Path(__file__).parents[1] / "models" / "pain-state-demo"
MODELS = {"1.0.0": DEMO / "1.0.0", "2.0.0": DEMO / "2.0.0", "one batch": FOLDER / "one_batch"}
RARE = {"neuropathic": 0.05}
ASKED = {
    "new batch": Use(),
    "same batch": Use(same_batch=True),
    "new batch with 5 % neuropathic": Use(prevalence=RARE),
    "same batch with 5 % neuropathic": Use(prevalence=RARE, same_batch=True),
}


def samples_of(bundle: ModelBundle) -> CargoTable:
    golden = pd.DataFrame(bundle.golden, columns=list(bundle.panel.molecules))
    golden.index = [f"golden-{i + 1:02d}" for i in range(len(golden))]
    return CargoTable.from_frame(turned_profiles(golden), kind="mirna", unit="counts")


@pytest.mark.slow
@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("folder", MODELS.values(), ids=MODELS)
def test_a_model_of_the_first_format_answers_as_it_did(folder: Path, asked: str) -> None:
    bundle = ModelBundle.load(folder, verify=True)
    answers = first_format()
    mine = (answers["model"] == bundle.name) & (answers["version"] == bundle.version)
    wanted = answers[mine & (answers["asked"] == asked)].reset_index(drop=True)
    found = bundle.predict(samples_of(bundle), ASKED[asked]).to_frame()
    assert len(wanted) == 12
    for column in ("sample_id", "call", "prediction_set", "flags"):
        assert list(found[column]) == list(wanted[column]), column
    numbers = [f"p_{state}" for state in bundle.states] + ["novelty_p", "coverage"]
    np.testing.assert_allclose(found[numbers], wanted[numbers].astype(float), rtol=0, atol=1e-6)


def test_a_named_batch_of_an_old_model_is_answered_as_some_batch_of_its_training() -> None:
    bundle = ModelBundle.load(MODELS["one batch"])
    table = samples_of(bundle)
    named, some = bundle.predict(table, Use(batch="B1")), bundle.predict(table, Use(same_batch=True))
    assert (named.probabilities == some.probabilities).all()
    assert named.places == ("batch B1",) * 12
    other = bundle.predict(table, Use(batch="B7"))
    assert (other.probabilities == bundle.predict(table).probabilities).all()
    assert set(other.places) == {"unknown batch"}


def test_an_old_model_kept_nothing_from_which_a_site_could_be_learned() -> None:
    bundle = ModelBundle.load(MODELS["one batch"])
    local = LocalSamples(samples_of(bundle), mix={"control": 0.4, "neuropathic": 0.3})
    with pytest.raises(DesignError, match=r"one-batch 1\.0\.0 was saved by version 0\.1, .* train it again"):
        recalibrate(bundle, local, site="clinic-b")
