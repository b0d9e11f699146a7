"""Triton's Python backend around `picturegallery`. A bad request fails alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

# Relative on purpose: Triton appends to sys.path, so an absolute import could find an installed copy first.
from .metrics import Metrics
from .picturegallery import prerank
from .picturegallery.binding import check_encoder
from .picturegallery.errors import InvalidInput
from .picturegallery.files import read_gallery
from .picturegallery.ranking_inputs import PROBABILITIES, RankingReader
from .picturegallery.search import build_search
from .picturegallery.similar import SimilarPictures


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        model, version = Path(args["model_repository"]), int(args["model_version"])
        folder = model / str(version)
        gallery = read_gallery(folder)
        check_encoder(gallery.encoder_digest, model, version)
        # By dimension, as the search reads them, so that both share one copy.
        vectors = np.asfortranarray(gallery.vectors, np.float32)
        self._similar = SimilarPictures(gallery, build_search(vectors))
        weights = prerank.PreRank.load(folder / prerank.FILE, vectors.shape[1])
        self._ranking = RankingReader(gallery, vectors, weights)
        self._metrics = Metrics()

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        inputs = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
        unknown: Counter[str] = Counter()
        try:
            # Only the ensembles of the role rank send probabilities.
            is_ranking = PROBABILITIES in inputs
            outputs = self._ranking.answer(inputs, unknown) if is_ranking else self._similar.answer(inputs)
        except InvalidInput as exc:
            self._metrics.refused(exc)
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(exc), pb_utils.TritonError.INVALID_ARG))
        finally:
            self._metrics.unknown(unknown)
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in outputs.items()])
