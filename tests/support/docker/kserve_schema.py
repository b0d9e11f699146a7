"""A JSON schema of KServe's objects, derived from the field tables in KServe's own Python models.

The models are parsed instead of imported: an import needs KServe's whole environment and takes 15 seconds.
"""

import ast
import re
import sys
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
PLAIN: Final = {"str": "string", "int": "integer", "bool": "boolean", "object": "object"}
_MANY = re.compile(r"list\[(.+)\]|dict\(str, (.+)\)")


def models_folder() -> Path | None:
    """Return the folder of KServe's models, or None if they are not installed."""
    return next(MODELS.glob("lib/python3*/site-packages/kserve/models"), None)


def validate(manifest: Schema, model: str, folder: Path) -> None:
    """Validate a manifest against a model.

    Raises:
        jsonschema.ValidationError: It has an unknown field or a value of the wrong type.
    """
    kubernetes = schema_contents(KUBERNETES, kubernetes_validate.latest_version())
    references = {
        f"V1{name.rsplit('.', 1)[1]}": f"{kubernetes['$id']}#/$defs/{name}"
        for name in kubernetes["$defs"]
        if ".core.v1." in name or ".meta.v1." in name
    }
    definitions = {
        name: {
            "type": "object",
            "additionalProperties": False,
            "properties": {field: _schema(kind, references) for field, kind in fields.items()},
        }
        for name, fields in map(_fields, folder.glob("v1*.py"))
    }
    schema = {"$defs": definitions, "$ref": f"#/$defs/{model}"}
    registry = Resource.from_contents(kubernetes) @ Registry()
    jsonschema.Draft202012Validator(schema, registry=registry).validate(manifest)


def _fields(file: Path) -> tuple[str, dict[str, str]]:
    """Return the name of the model in a file, and the types of its fields by their names in YAML."""
    (model,) = (node for node in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(node, ast.ClassDef))
    tables: dict[str, dict[str, str]] = {}
    for node in model.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Dict):
            tables[node.targets[0].id] = ast.literal_eval(node.value)
    return model.name, {field: tables["openapi_types"][name] for name, field in tables["attribute_map"].items()}


def _schema(kind: str, references: dict[str, str]) -> Schema:
    if kind in PLAIN:
        return {"type": PLAIN[kind]}
    if many := _MANY.fullmatch(kind):
        if many[1]:
            return {"type": "array", "items": _schema(many[1], references)}
        return {"type": "object", "additionalProperties": _schema(many[2], references)}
    return {"$ref": references.get(kind, f"#/$defs/{kind}")}
