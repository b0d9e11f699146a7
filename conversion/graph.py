"""A small builder of ONNX graphs."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

# NVIDIA's Triton containers since 24.10 load these.
OPSET: Final = 17
IR_VERSION: Final = 8
# The operators that ONNX Runtime adds to the standard, `Attention` for example.
CONTRIB: Final = "com.microsoft"

# The name of a tensor in a graph.
Tensor = str


class Graph:
    """Nodes and constants under construction. Every node has one output, which is named like the node."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[Tensor, NDArray[Any]] = {}
        # The number of steps to which tokens are cut, int32 [1].
        self.steps: Tensor | None = None

    @classmethod
    def of(cls, model: onnx.ModelProto) -> "Graph":
        """Return a copy of a model's graph."""
        graph = cls()
        for node in model.graph.node:
            graph.nodes.append(onnx.NodeProto())
            graph.nodes[-1].CopyFrom(node)
        graph.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        return graph

    def source(self, tensor: Tensor) -> onnx.NodeProto:
        """Return the node that computes a tensor."""
        return next(node for node in self.nodes if tensor in node.output)

    def readers(self) -> Mapping[Tensor, list[onnx.NodeProto]]:
        """Return the nodes that read each tensor."""
        readers = defaultdict(list)
        for node in self.nodes:
            for name in node.input:
                readers[name].append(node)
        return readers

    def leading_to(self, outputs: list[Tensor]) -> list[onnx.NodeProto]:
        """Return the nodes that these tensors depend on, in order."""
        needed, kept = set(outputs), []
        for node in reversed(self.nodes):
            if needed & set(node.output):
                needed |= set(node.input)
                kept.append(node)
        return kept[::-1]

    def add(
        self, op_type: str, *inputs: Tensor | NDArray[Any], name: str, domain: str = "", **attributes: Any
    ) -> Tensor:
        """Append a node and return its output. An array becomes a constant; "" leaves out an optional input."""
        names = [each if isinstance(each, str) else self._constant(name, i, each) for i, each in enumerate(inputs)]
        self.nodes.append(helper.make_node(op_type, names, [name], name, domain=domain, **attributes))
        return name

    def split(self, tensor: Tensor, parts: int, name: str) -> list[Tensor]:
        """Split the second dimension into equal parts."""
        outputs = [f"{name}/{i}" for i in range(parts)]
        self.nodes.append(helper.make_node("Split", [tensor], outputs, name, axis=1))
        return outputs

    def top_k(self, tensor: Tensor, k: int, name: str) -> tuple[Tensor, Tensor]:
        """Return the k largest values along the last dimension, largest first, and their positions."""
        outputs = name, f"{name}/positions"
        count = self._constant(name, 1, np.array([k], np.int64))
        self.nodes.append(helper.make_node("TopK", [tensor, count], outputs, name, axis=-1))
        return outputs

    def as_float(self, tensor: Tensor, name: str) -> Tensor:
        """Cast to float32."""
        return self.add("Cast", tensor, name=name, to=onnx.TensorProto.FLOAT)

    def rename(self, tensor: Tensor, name: Tensor) -> None:
        """Rename a tensor in all nodes."""
        for node in self.nodes:
            for names in (node.input, node.output):
                names[:] = [name if each == tensor else each for each in names]

    def model(self, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
        """Return the checked model."""
        used = {name for node in self.nodes for name in node.input}
        constants = [
            numpy_helper.from_array(np.asarray(a, order="C"), k) for k, a in self.constants.items() if k in used
        ]
        graph = helper.make_graph(self.nodes, "gender", inputs, outputs, constants)
        domains = {"": OPSET} | {node.domain: 1 for node in self.nodes if node.domain}
        opsets = [helper.make_opsetid(domain, version) for domain, version in domains.items()]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="conversion")
        onnx.checker.check_model(model)
        return model

    def _constant(self, node: str, position: int, value: NDArray[Any]) -> Tensor:
        self.constants[f"{node}/constant_{position}"] = value
        return f"{node}/constant_{position}"
