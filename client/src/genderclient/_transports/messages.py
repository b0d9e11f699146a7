"""The messages of the v2 protocol's gRPC service that the SDK uses.

Generated code works with two major versions of protobuf. These classes are made when they are imported, by the protobuf
that is installed. Fields that are not listed are skipped.

Source: grpc_service.proto and model_config.proto of Triton and the Open Inference Protocol.
"""

from typing import Any, Final

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

SERVICE: Final = "/inference.GRPCInferenceService"
_PACKAGE: Final = "inference"
_ANY_NUMBER: Final = "*"

# Number and type of each field; `*` marks repeated ones.
_FIELDS: Final[dict[str, dict[str, tuple[int, str]]]] = {
    "Contents": {
        "bool_contents": (1, "bool*"),
        "int_contents": (2, "int32*"),
        "int64_contents": (3, "int64*"),
        "uint_contents": (4, "uint32*"),
        "uint64_contents": (5, "uint64*"),
        "fp32_contents": (6, "float*"),
        "fp64_contents": (7, "double*"),
        "bytes_contents": (8, "bytes*"),
    },
    "Tensor": {"name": (1, "string"), "datatype": (2, "string"), "shape": (3, "int64*"), "contents": (5, "Contents")},
    "ModelInferRequest": {
        "model_name": (1, "string"),
        "model_version": (2, "string"),
        "id": (3, "string"),
        "inputs": (5, "Tensor*"),
        "raw_input_contents": (7, "bytes*"),
    },
    "ModelInferResponse": {
        "model_name": (1, "string"),
        "model_version": (2, "string"),
        "outputs": (5, "Tensor*"),
        "raw_output_contents": (6, "bytes*"),
    },
    "RepositoryIndexRequest": {},
    "RepositoryIndexResponse": {"models": (1, "ModelIndex*")},
    "ModelIndex": {"name": (1, "string"), "version": (2, "string"), "state": (3, "string"), "reason": (4, "string")},
    "ModelMetadataRequest": {"name": (1, "string")},
    "ModelMetadataResponse": {},
    "ModelConfigRequest": {"name": (1, "string")},
    "ModelConfigResponse": {"config": (1, "ModelConfig")},
    "ModelConfig": {"name": (1, "string"), "parameters": (14, "Parameter*")},
    "Parameter": {"key": (1, "string"), "value": (2, "ParameterValue")},
    "ParameterValue": {"string_value": (1, "string")},
}


def _make_classes() -> dict[str, Any]:
    file = FileDescriptorProto(name="genderclient.proto", package=_PACKAGE, syntax="proto3")
    for message, fields in _FIELDS.items():
        described = file.message_type.add(name=message)
        for name, (number, kind) in fields.items():
            described.field.append(_field(name, number, kind.removesuffix(_ANY_NUMBER), kind.endswith(_ANY_NUMBER)))
    # A pool of its own: the default one may hold Triton's messages.
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {name: GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _FIELDS}


def _field(name: str, number: int, kind: str, is_repeated: bool) -> FieldDescriptorProto:
    label = FieldDescriptorProto.LABEL_REPEATED if is_repeated else FieldDescriptorProto.LABEL_OPTIONAL
    field = FieldDescriptorProto(name=name, number=number, label=label)
    if kind in _FIELDS:
        field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    else:
        field.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
    return field


_CLASSES: Final = _make_classes()
ModelInferRequest: Final = _CLASSES["ModelInferRequest"]
ModelInferResponse: Final = _CLASSES["ModelInferResponse"]
RepositoryIndexRequest: Final = _CLASSES["RepositoryIndexRequest"]
RepositoryIndexResponse: Final = _CLASSES["RepositoryIndexResponse"]
ModelMetadataRequest: Final = _CLASSES["ModelMetadataRequest"]
ModelMetadataResponse: Final = _CLASSES["ModelMetadataResponse"]
ModelConfigRequest: Final = _CLASSES["ModelConfigRequest"]
ModelConfigResponse: Final = _CLASSES["ModelConfigResponse"]
