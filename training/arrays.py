"""Array types, named after their elements and their shape.

N counts users or pictures, B those of a batch, T tokens or taste types, E experts or epochs, A attributes, D features,
K what is kept of them, C channels or cells, S the pixels of a side, HW the places of a feature map, V views.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

ImageSS3 = NDArray[np.uint8]
FloatsSS3 = NDArray[np.floating[Any]]
ImagesNSS3 = NDArray[np.uint8]
TokensNT = NDArray[np.int32]
BoolsN = NDArray[np.bool_]
BoolsN2 = NDArray[np.bool_]
BoolsNK = NDArray[np.bool_]
IntsN = NDArray[np.integer[Any]]
FloatsN = NDArray[np.floating[Any]]
IntsNK = NDArray[np.integer[Any]]
LabelsN = NDArray[np.int8]
LabelsNA = NDArray[np.int8]
FloatsC = NDArray[np.floating[Any]]
FloatsTC = NDArray[np.floating[Any]]
FloatsD = NDArray[np.floating[Any]]
FloatsDK = NDArray[np.floating[Any]]
FloatsEN = NDArray[np.floating[Any]]
FloatsND = NDArray[np.floating[Any]]
FloatsKD = NDArray[np.floating[Any]]
FloatsNK = NDArray[np.floating[Any]]
FloatsN1 = NDArray[np.floating[Any]]
FloatsN2 = NDArray[np.floating[Any]]
FloatsNTD = NDArray[np.floating[Any]]
FloatsNHW = NDArray[np.floating[Any]]
FloatsNHWC = NDArray[np.floating[Any]]
FloatsNVHWC = NDArray[np.floating[Any]]
# A model's inputs or outputs by name.
Arrays = dict[str, NDArray[Any]]

# Keras tensors have no common type across backends.
TensorBD = Any
TensorB1 = Any
TensorB2 = Any
TensorB = Any
TensorBK = Any
TensorK = Any
TensorKD = Any
TensorBT = Any
TensorBTD = Any
TensorBTE = Any
TensorBKD = Any
TensorBHWC = Any
TensorBSS3 = Any
# The shape of a tensor that is not built yet: a dimension may be unknown.
Shape = tuple[int | None, ...]
