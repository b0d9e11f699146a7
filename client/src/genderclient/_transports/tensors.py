"""Our tensors to tritonclient's and back; its two protocols have classes of the same shape."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from genderclient._transports.base import FloatTensor, InferenceRequest, InferenceResponse, Status, TransportError


def arguments(request: InferenceRequest, protocol: Any) -> dict[str, Any]:
    """`inputs` as `protocol` (the module `tritonclient.grpc` or `tritonclient.http`) wants them."""
    return {"inputs": [_input(tensor.name, tensor.value, protocol) for tensor in request.inputs]}


def response(result: Any, *, model: str, version: str, names: Iterable[str]) -> InferenceResponse:
    """The answer in tritonclient's `result`, which holds the outputs `names`."""
    return InferenceResponse(model=model, version=version, outputs=tuple(_output(result, name) for name in names))


def _input(name: str, value: bytes, protocol: Any) -> Any:
    tensor = protocol.InferInput(name, [1, 1], "BYTES")
    # dtype S would drop trailing NUL bytes, which images have.
    tensor.set_data_from_numpy(np.array([[value]], dtype=np.object_))
    return tensor


def _output(result: Any, name: str) -> FloatTensor:
    try:
        array = result.as_numpy(name).astype(np.float32)
    except (TypeError, ValueError) as exc:
        raise TransportError(Status.GARBLED, f"output {name} holds no FP32 numbers of its own shape") from exc
    return FloatTensor(name, array.shape, tuple(array.ravel().tolist()))
