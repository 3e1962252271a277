"""What version 0.1 answered, asked of it once; run with its sources on PYTHONPATH: the package reads first_format.csv only.

`one_batch` is a small model of one batch saved by it, `pain-state-demo` the models of this repository.
"""

import sys
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from cohorts import FAST  # noqa: E402  (found in the folder above)
from exoclassify.data.cargo import CargoTable  # noqa: E402
from exoclassify.lifecycle.fit import fit  # noqa: E402
from exoclassify.model.bundle import ModelBundle  # noqa: E402
from exoclassify.simulation.design import SimulationDesign  # noqa: E402
from exoclassify.simulation.simulate import simulate  # noqa: E402
from golden_numbers import turned_profiles  # noqa: E402

ASKED = {
    "new batch": {},
    "same batch": {"same_batch": True},
    "new batch with 5 % neuropathic": {"prevalence": {"neuropathic": 0.05}},
    "same batch with 5 % neuropathic": {"same_batch": True, "prevalence": {"neuropathic": 0.05}},
}


def main() -> None:
    design = SimulationDesign(seed=3, n_samples=60, n_molecules=40, n_batches=1, effect=2.0)
    fit(simulate(design).cohort, FAST, judge=False, name="one-batch").save(HERE / "one_batch", force=True)
    demo = HERE.parent.parent / "models" / "pain-state-demo"
    answers = []
    for folder in (demo / "1.0.0", demo / "2.0.0", HERE / "one_batch"):
        bundle = ModelBundle.load(folder, verify=True)
        golden = pd.read_csv(folder / "golden.csv", index_col="sample_id")[list(bundle.panel.molecules)]
        table = CargoTable.from_frame(turned_profiles(golden), kind="mirna", unit="counts")
        for asked, arguments in ASKED.items():
            found = bundle.predict(table, **arguments).to_frame()
            found.insert(0, "asked", asked)
            answers.append(found)
    pd.concat(answers).to_csv(HERE / "first_format.csv", index=False)


main()
