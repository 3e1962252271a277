"""Files of several layers joined into one, by sample id, so that they are scored like any other file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from exoclassify.data.cargo import CargoTable
from exoclassify.data.covariates import COVARIATES, covariate_table
from exoclassify.data.layers import LayerFile, check_once
from exoclassify.data.samples import SampleSheet
from exoclassify.errors import FileError, InputError, ModelError
from exoclassify.model.layered_panel import LayeredPanel
from exoclassify.model.panel import Panel
from exoclassify.scoring.planning import MOST_BYTES

__all__ = ["joined_layers", "layer_tables"]


def _covariates(file: LayerFile, panel: Panel) -> CargoTable:
    sheet = SampleSheet.read(Path(file.cargo), sample_id=file.reading.id_column or "sample_id")
    return covariate_table(sheet.frame, panel.molecules, sheet.source)


def layer_tables(
    panel: Panel, files: Sequence[LayerFile], sample_ids: Sequence[str] | None = None
) -> dict[str, CargoTable]:
    """Read the files of layers as a model reads them.

    Parameters
    ----------
    files : sequence of LayerFile
        One a layer; a layer may be left out, and each may lack samples. Kind and unit are the model's where none are stated.
    sample_ids : sequence of str, optional
        As in `CargoTable.read`; without them samples are told from the panel's molecules.
    """
    if not isinstance(panel, LayeredPanel):
        raise ModelError(f"this model reads one table ({panel.measured_in}); give it with --cargo")
    panel.check_names([file.name for file in files])
    check_once(files)
    tables = {}
    for file in files:
        if not Path(file.cargo).is_file():
            raise FileError(f"{file.cargo}: there is no such file; --layer {file.name} names the table of one layer")
        own = panel.layers[file.name]
        stated = file.stated(own.kind, own.unit, own.not_detected)
        own.check_stated(stated.kind, stated.unit, f"{Path(file.cargo).name}, layer {file.name}")
        covariates = file.name == COVARIATES
        tables[file.name] = _covariates(file, own) if covariates else stated.read(sample_ids, own.canonical)
    return tables


@contextmanager
def joined_layers(panel: Panel, files: Sequence[LayerFile]) -> Iterator[Path]:
    """Write the panel's columns of all layers as one table with names ``layer:molecule``, and remove it afterwards."""
    size = sum(Path(file.cargo).stat().st_size for file in files if Path(file.cargo).is_file())
    if size > MOST_BYTES:
        raise InputError(
            f"the layers hold {size / 2**30:.1f} GB, too much to be joined here; write one Parquet table with columns "
            f"{files[0].name}:MOLECULE and give it with --cargo: that is read as a stream"
        )
    tables = layer_tables(panel, files)
    assert isinstance(panel, LayeredPanel)
    ids, X = panel.rows(tables)
    with TemporaryDirectory(prefix="exoclassify-") as folder:
        path = Path(folder) / "layers.parquet"
        columns = [
            pa.array(ids, pa.string()),
            *(pa.array(column, from_pandas=True) for column in np.asfortranarray(X).T),
        ]
        pq.write_table(pa.table(columns, names=["sample_id", *panel.molecules]), path)
        yield path
