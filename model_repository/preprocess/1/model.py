"""Triton's Python backend around `genderprep`. A bad request fails alone; the other requests of a batch succeed."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

# Relative on purpose: Triton appends to sys.path, so an absolute import could find an installed copy first.
from .counters import Counters, Event, missing, refused
from .genderprep import InvalidInput, prep_digest, prepare_image, prepare_text
from .genderprep.binding import check_binding
from .genderprep.tensors import AVATAR, IMAGE, NICKNAME, PICTURE, PRESENT, TITLE, TOKENS
from .request_log import RequestLog

Rows = NDArray[np.object_]  # [B] of bytes


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        # Pillow warns about every damaged tag, so one avatar could write megabytes to the log.
        warnings.filterwarnings("ignore", module="PIL")
        config = json.loads(args["model_config"])
        check_binding(config["parameters"], Path(args["model_repository"]), int(args["model_version"]))
        self._counters = Counters(prep_digest(), args["model_version"])
        self._log = RequestLog(args["model_name"])

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        events: Counter[Event] = Counter()
        responses = [_answer(request, events, self._log) for request in requests]
        self._counters.add(events)
        return responses


def _answer(request: Any, events: Counter[Event], log: RequestLog) -> Any:
    inputs = {tensor.name(): tensor.as_numpy()[:, 0] for tensor in request.inputs()}
    misses: list[Event] = []
    try:
        images, image_present = _prepare(inputs, AVATAR, PICTURE, prepare_image, misses)
        tokens, text_present = _prepare(inputs, NICKNAME, TITLE, prepare_text, misses)
    except InvalidInput as exc:
        events[refused(exc)] += 1
        log.write("warning", request.request_id(), tensor=exc.tensor, reason=exc.fault)
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(exc), pb_utils.TritonError.INVALID_ARG))
    events.update(misses)
    present = np.stack([image_present, text_present], axis=1)
    tensors = {IMAGE: images, TOKENS: tokens, PRESENT: present}
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in tensors.items()])


def _prepare(
    inputs: Mapping[str, Rows],
    of_user: str,
    of_picture: str,
    prepare: Callable[[bytes], tuple[NDArray[Any], bool]],
    misses: list[Event],
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Prepare the input of a user or of a picture row by row; append the missing rows of users to `misses`.

    If the request has neither, every row is missing, and none is counted.
    """
    name = of_user if of_user in inputs else of_picture
    rows = inputs.get(name, [b""] * max(map(len, inputs.values())))
    prepared = []
    for index, row in enumerate(rows):
        try:
            prepared.append(prepare(row))
        except InvalidInput as exc:
            exc.tensor = name
            if len(rows) > 1:
                exc.args = (f"{exc.args[0]} (row {index} of {len(rows)})",)
            raise
    arrays, present = zip(*prepared, strict=True)
    if name == of_user:
        misses += [missing(name, row) for row, is_there in zip(rows, present, strict=True) if not is_there]
    # Nearly every request has one row, which needs no copy.
    return arrays[0][np.newaxis] if len(arrays) == 1 else np.stack(arrays), np.array(present)
