"""Call an ensemble with stubs of the Open Inference Protocol's own proto, and print the outputs as JSON.

The package `open-inference-grpc` contains the compiled proto; protoc generates the stubs from it.
"""

import importlib
import json
import struct
import subprocess
import sys
import tempfile
from base64 import b64decode
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from open_inference.grpc.protocol import DESCRIPTOR


def generate_stubs(folder: Path) -> tuple[Any, Any]:
    """Write the modules of messages and services to the folder, and import them."""
    file, descriptors = FileDescriptorProto(), folder / "descriptors"
    DESCRIPTOR.CopyToProto(file)
    descriptors.write_bytes(FileDescriptorSet(file=[file]).SerializeToString())
    options = [f"--descriptor_set_in={descriptors}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *options, file.name], check=True)
    sys.path.insert(0, str(folder))
    name = file.name.removesuffix(".proto")
    return importlib.import_module(f"{name}_pb2"), importlib.import_module(f"{name}_pb2_grpc")


def build_request(messages: Any, model: str, avatar: str, nickname: str) -> Any:
    inputs = [
        {"name": name, "datatype": "BYTES", "shape": [1, 1], "contents": {"bytes_contents": [value]}}
        for name, value in {"AVATAR": b64decode(avatar), "NICKNAME": nickname.encode()}.items()
    ]
    return messages.ModelInferRequest(model_name=model, inputs=inputs)


def read_outputs(response: Any) -> dict[str, list[float]]:
    pairs = zip(response.outputs, response.raw_output_contents, strict=True)
    return {output.name: list(struct.unpack(f"<{len(raw) // 4}f", raw)) for output, raw in pairs}


def main(grpc_url: str, model: str, users: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder, grpc.insecure_channel(grpc_url) as channel:
        messages, services = generate_stubs(Path(folder))
        service = services.GRPCInferenceServiceStub(channel)
        metadata = service.ModelMetadata(messages.ModelMetadataRequest(name=model))
        requests = [build_request(messages, model, *user) for user in users]
        report = {
            "live": service.ServerLive(messages.ServerLiveRequest()).live,
            "ready": service.ServerReady(messages.ServerReadyRequest()).ready,
            "model_ready": service.ModelReady(messages.ModelReadyRequest(name=model)).ready,
            "server": service.ServerMetadata(messages.ServerMetadataRequest()).name,
            "inputs": [[tensor.name, tensor.datatype, list(tensor.shape)] for tensor in metadata.inputs],
            "outputs": [read_outputs(service.ModelInfer(request)) for request in requests],
        }
    print(json.dumps(report))


main(**json.load(sys.stdin))
