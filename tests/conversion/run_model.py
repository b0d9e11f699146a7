"""Run an ONNX model on stored inputs and store its outputs: `python run_model.py MODEL INPUTS.npz OUTPUTS.npz`.

Runs in an environment that has only ONNX Runtime and NumPy.
"""

import sys

import numpy as np
import onnxruntime

model, inputs, outputs = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
names = [output.name for output in session.get_outputs()]
with np.load(inputs) as rows:
    values = session.run(names, dict(rows))
np.savez(outputs, **dict(zip(names, values, strict=True)))
