"""The ensembles' contract on MLServer: the same preprocessing and the same network."""

import os

import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.errors import InferenceError
from mlserver.types import InferenceRequest, InferenceResponse, RequestInput

from genderprep import prepare_image, prepare_text
from genderprep.tensors import AVATAR, IMAGE, NICKNAME, PRESENT, TOKENS


class GenderModel(MLModel):
    async def load(self) -> bool:
        self._session = onnxruntime.InferenceSession(os.environ["ONNX_FILE"], providers=["CPUExecutionProvider"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        inputs = {tensor.name: single_value(tensor) for tensor in payload.inputs}
        try:
            image, has_avatar = prepare_image(inputs[AVATAR])
            tokens, has_nickname = prepare_text(inputs[NICKNAME])
        except ValueError as exc:
            raise InferenceError(str(exc)) from exc
        feed = {IMAGE: image[None], TOKENS: tokens[None], PRESENT: np.array([[has_avatar, has_nickname]])}
        names = [output.name for output in payload.outputs or self._session.get_outputs()]
        tensors = zip(names, self._session.run(names, feed), strict=True)
        return InferenceResponse(
            model_name=self.name,
            model_version=self.version,
            outputs=[NumpyCodec.encode_output(name, array) for name, array in tensors],
        )


def single_value(tensor: RequestInput) -> bytes:
    """The only element of a BYTES tensor."""
    (value,) = tensor.data.root
    return bytes(value)
