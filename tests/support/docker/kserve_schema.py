"""A JSON schema of KServe's objects, derived from the field tables in KServe's own Python models.

The models are parsed instead of imported: an import needs KServe's whole environment and takes 15 seconds.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema
import kubernetes_validate
from kubernetes_validate.utils import schema_contents
from referencing import Registry, Resource

Schema = dict[str, Any]
# The environment of tests/compat, which contains the package.
MODELS: Final = Path(sys.prefix) / "compat"
KUBERNETES: Final = f"kubernetes-json-schema/v{kubernetes_validate.latest_version()}-local-strict/_definitions.json"
PLAIN: Final[dict[str, Schema]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    "object": {"type": "object"},
}
_MANY = re.compile(r"list\[(.+)\]|dict\(str, (.+)\)")


def models_folder() -> Path | None:
    """Return the folder of KServe's models, or None if they are not installed."""
    return next(MODELS.glob("lib/python3*/site-packages/kserve/models"), None)


def validate(manifest: Schema, model: str, folder: Path) -> None:
    """Validate a manifest against a model.

    Raises:
        jsonschema.ValidationError: It has an unknown field or a value of the wrong type.
    """
    definitions = schema_contents(KUBERNETES, kubernetes_validate.latest_version())
    known = {
        f"V1{name.rsplit('.', 1)[1]}": f"{definitions['$id']}#/$defs/{name}"
        for name in definitions["$defs"]
        if ".core.v1." in name or ".meta.v1." in name
    }
    schema = {"$defs": dict(_definitions(model, folder, known)), "$ref": f"#/$defs/{model}"}
    registry = Resource.from_contents(definitions) @ Registry()
    jsonschema.Draft202012Validator(schema, registry=registry).validate(manifest)


def _definitions(model: str, folder: Path, known: dict[str, str]) -> Iterator[tuple[str, Schema]]:
    """Yield the schemas of this model and of all models that its fields refer to."""
    waiting, seen = [model], {model}
    while waiting:
        name = waiting.pop()
        fields = _fields(folder / f"{_file_name(name)}.py")
        yield (
            name,
            {
                "type": "object",
                "additionalProperties": False,
                "properties": {field: _schema(kind, known) for field, kind in fields.items()},
            },
        )
        parts = {_element(kind) for kind in fields.values()} - seen
        new = [part for part in parts if (folder / f"{_file_name(part)}.py").exists()]
        waiting += new
        seen |= set(new)


def _fields(file: Path) -> dict[str, str]:
    """Return the types by field name, as YAML spells it."""
    tables: dict[str, dict[str, str]] = {}
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Dict):
            tables[node.targets[0].id] = ast.literal_eval(node.value)
    return {field: tables["openapi_types"][name] for name, field in tables["attribute_map"].items()}


def _schema(kind: str, known: dict[str, str]) -> Schema:
    if kind in PLAIN:
        return PLAIN[kind]
    if many := _MANY.fullmatch(kind):
        if many[1]:
            return {"type": "array", "items": _schema(many[1], known)}
        return {"type": "object", "additionalProperties": _schema(many[2], known)}
    return {"$ref": known.get(kind, f"#/$defs/{kind}")}


def _element(kind: str) -> str:
    many = _MANY.fullmatch(kind)
    return _element(many[1] or many[2]) if many else kind


def _file_name(model: str) -> str:
    """V1beta1ModelSpec → v1beta1_model_spec."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", model).lower()
