"""Triton's Python backend around `genderprep`: one error for each bad request, none for its neighbours."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

# Relative on purpose: Triton appends to sys.path, so an absolute import could pick a stale installed copy.
from .genderprep import InvalidInput, prepare_image, prepare_text
from .genderprep.binding import check_binding
from .genderprep.contract import AVATAR, IMAGE, NICKNAME, PRESENT, TOKENS


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        check_binding(config["parameters"], Path(args["model_repository"]), int(args["model_version"]))

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        return [_answer(request) for request in requests]


def _answer(request: Any) -> Any:
    try:
        images, avatar_present = _prepare(request, AVATAR, prepare_image)
        tokens, nickname_present = _prepare(request, NICKNAME, prepare_text)
    except InvalidInput as exc:
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(exc), pb_utils.TritonError.INVALID_ARG))
    present = np.stack([avatar_present, nickname_present], axis=1)
    tensors = {IMAGE: images, TOKENS: tokens, PRESENT: present}
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in tensors.items()])


def _prepare(
    request: Any, name: str, prepare: Callable[[bytes], tuple[NDArray[Any], bool]]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """One input of a request, BYTES [batch, 1], prepared row by row."""
    rows = pb_utils.get_input_tensor_by_name(request, name).as_numpy()[:, 0]
    prepared = []
    for index, row in enumerate(rows):
        try:
            prepared.append(prepare(row))
        except InvalidInput as exc:
            raise InvalidInput(f"{exc} (row {index} of {len(rows)})" if len(rows) > 1 else str(exc)) from exc
    arrays, present = zip(*prepared, strict=True)
    # Nearly every request has one row: no copy then.
    return arrays[0][np.newaxis] if len(arrays) == 1 else np.stack(arrays), np.array(present)
