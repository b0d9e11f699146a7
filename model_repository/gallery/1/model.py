"""Triton's Python backend around `picturegallery`. A bad request fails alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

# Relative on purpose: Triton appends to sys.path, so an absolute import could find an installed copy first.
from .picturegallery.binding import check_encoder
from .picturegallery.errors import InvalidInput
from .picturegallery.files import read_gallery
from .picturegallery.search import ExactSearch
from .picturegallery.similar import SimilarPictures


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        model, version = Path(args["model_repository"]), int(args["model_version"])
        gallery = read_gallery(model / str(version))
        check_encoder(gallery.encoder_digest, model, version)
        self._similar = SimilarPictures(gallery, ExactSearch(gallery.vectors))

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        inputs = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
        try:
            outputs = self._similar.answer(inputs)
        except InvalidInput as exc:
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(exc), pb_utils.TritonError.INVALID_ARG))
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in outputs.items()])
