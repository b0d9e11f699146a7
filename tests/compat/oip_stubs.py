"""Stubs of the Open Inference Protocol's own proto: asks an ensemble for each user, and prints the outputs as JSON.

The proto comes compiled, inside the client that its working group generated from it; protoc makes the stubs anew.
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


def generate(folder: Path) -> tuple[Any, Any]:
    """The modules of messages and of services, written to the folder."""
    file, descriptors = FileDescriptorProto(), folder / "descriptors"
    DESCRIPTOR.CopyToProto(file)
    descriptors.write_bytes(FileDescriptorSet(file=[file]).SerializeToString())
    options = [f"--descriptor_set_in={descriptors}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *options, file.name], check=True)
    sys.path.insert(0, str(folder))
    name = file.name.removesuffix(".proto")
    return importlib.import_module(f"{name}_pb2"), importlib.import_module(f"{name}_pb2_grpc")


def request(messages: Any, model: str, avatar: str, nickname: str) -> Any:
    inputs = [
        {"name": name, "datatype": "BYTES", "shape": [1, 1], "contents": {"bytes_contents": [value]}}
        for name, value in {"AVATAR": b64decode(avatar), "NICKNAME": nickname.encode()}.items()
    ]
    return messages.ModelInferRequest(model_name=model, inputs=inputs)


def outputs(response: Any) -> dict[str, list[float]]:
    pairs = zip(response.outputs, response.raw_output_contents, strict=True)
    return {output.name: list(struct.unpack(f"<{len(raw) // 4}f", raw)) for output, raw in pairs}


def ask(messages: Any, service: Any, model: str, users: list[list[str]]) -> dict[str, Any]:
    metadata = service.ModelMetadata(messages.ModelMetadataRequest(name=model))
    return {
        "live": service.ServerLive(messages.ServerLiveRequest()).live,
        "ready": service.ServerReady(messages.ServerReadyRequest()).ready,
        "model_ready": service.ModelReady(messages.ModelReadyRequest(name=model)).ready,
        "server": service.ServerMetadata(messages.ServerMetadataRequest()).name,
        "inputs": [[tensor.name, tensor.datatype, list(tensor.shape)] for tensor in metadata.inputs],
        "answers": [outputs(service.ModelInfer(request(messages, model, *user))) for user in users],
    }


def main(grpc_url: str, **question: Any) -> None:
    with tempfile.TemporaryDirectory() as folder, grpc.insecure_channel(grpc_url) as channel:
        messages, services = generate(Path(folder))
        print(json.dumps(ask(messages, services.GRPCInferenceServiceStub(channel), **question)))


main(**json.load(sys.stdin))
