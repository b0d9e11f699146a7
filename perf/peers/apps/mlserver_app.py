"""MLServer: a custom runtime behind the Open Inference Protocol; the environment sets workers and ports."""

import numpy as np
from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse

from genderprep.tensors import AVATAR, NICKNAME, PROBABILITIES
from perf.load.predictor import Predictor


class Gender(MLModel):
    async def load(self) -> bool:
        self._predictor = Predictor.from_environment()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        inputs = {tensor.name: tensor for tensor in payload.inputs}
        (avatar,) = Base64Codec.decode_input(inputs[AVATAR])
        (nickname,) = StringCodec.decode_input(inputs[NICKNAME])
        row = [*self._predictor.predict(avatar, nickname).values()]
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output(PROBABILITIES, np.array([row]))]
        )
