"""The same model as a runtime of MLServer: a tensor in the panel's order in, probabilities out."""

from __future__ import annotations

import os

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from exoclassify.data.cargo import CargoTable
from exoclassify.model.bundle import ModelBundle


class Peer(MLModel):  # type: ignore[misc] # MLServer is not installed where types are checked
    """Loads the model, answers for tensors."""

    async def load(self) -> bool:
        """Load the model."""
        self.bundle = ModelBundle.load(os.environ["PEER_MODEL"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer."""
        panel = self.bundle.panel
        X = np.asarray(NumpyCodec.decode_input(payload.inputs[0]), dtype=np.float64)
        ids = tuple(f"s{i}" for i in range(len(X)))
        table = CargoTable(X, ids, panel.molecules, panel.kind, panel.unit)
        found = self.bundle.predict(table)
        outputs = [NumpyCodec.encode_output("probabilities", found.probabilities)]
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=outputs)
