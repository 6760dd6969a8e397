"""What the API server refuses in a CustomResourceDefinition before anything can be made of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kube_emulator import schemas
from kube_emulator.errors import Problem

Schema = Mapping[str, Any]

_SCALARS = ("string", "integer", "number", "boolean")
# The estimate takes what `string()` makes for as long as can be, and a text is put together at the cost of its length.
_CONCATENATED = re.compile(r"\+\s*string\(|string\([^()]*\)\s*\+")
_TOO_COSTLY = (
    "Forbidden: estimated {} cost exceeds budget by factor of more than 100x (try simplifying the rule, or adding maxItems, "
    "maxProperties, and maxLength where arrays, maps, and strings are declared)"
)


def problems(definition: Mapping[str, Any]) -> list[Problem]:
    """Every problem of the schemas of a definition's versions."""
    found = []
    for version in definition["spec"]["versions"]:
        schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
        found += _schema(schema, "spec.validation.openAPIV3Schema")
    return found


def _schema(schema: Schema, path: str) -> Iterator[Problem]:
    yield from _structure(schema, path)
    yield from _rules(schema, path)
    if "default" in schema:
        yield from _default(schema, f"{path}.default")
    for name, inner in (schema.get("properties") or {}).items():
        yield from _schema(inner, f"{path}.properties[{name}]")
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from _schema(schema[name], f"{path}.{name}")


def _structure(schema: Schema, path: str) -> Iterator[Problem]:
    int_or_string, keeps = (schema.get(f"x-kubernetes-{name}") for name in ("int-or-string", "preserve-unknown-fields"))
    if not schema.get("type") and not int_or_string and not keeps:
        yield f"{path}.type", "FieldValueRequired", "Required value: must not be empty for specified object fields"
    if schema.get("type") and int_or_string:
        yield f"{path}.type", "FieldValueForbidden", "Forbidden: must be empty with x-kubernetes-int-or-string"
    if schema.get("type") == "array" and "items" not in schema:
        yield f"{path}.items", "FieldValueRequired", "Required value: must be specified"
    if schema.get("properties") and schema.get("additionalProperties"):
        message = "Forbidden: additionalProperties and properties are mutual exclusive"
        yield f"{path}.additionalProperties", "FieldValueForbidden", message
    if int_or_string and keeps:
        message = "Invalid value: true: must be false if x-kubernetes-int-or-string is true"
        yield f"{path}.x-kubernetes-preserve-unknown-fields", "FieldValueInvalid", message
    items = schema.get("items") or {}
    if schema.get("x-kubernetes-list-type") == "set" and items.get("type") not in _SCALARS:
        yield f"{path}.items", "FieldValueInvalid", "Invalid value: items of a set must be scalars or atomic"
    for key in schema.get("x-kubernetes-list-map-keys") or []:
        if key not in (items.get("required") or []) and "default" not in (items.get("properties") or {}).get(key, {}):
            message = (
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            )
            yield f"{path}.items.properties[{key}].default", "FieldValueRequired", f"Required value: {message}"


def _rules(schema: Schema, path: str) -> Iterator[Problem]:
    for position, rule in enumerate(schema.get("x-kubernetes-validations") or []):
        for name in ("rule", "messageExpression"):
            if _CONCATENATED.search(rule.get(name) or ""):
                yield (
                    f"{path}.x-kubernetes-validations[{position}].{name}",
                    "FieldValueForbidden",
                    _TOO_COSTLY.format(name),
                )


def _default(schema: Schema, path: str) -> Iterator[Problem]:
    """A default has to be right as it is written: the defaults of the fields in it aren't filled in for this."""
    value = schema["default"]
    if schemas.prune(schema, value) != value:
        yield path, "FieldValueInvalid", "Invalid value: must not have unknown fields"
    for field, reason, message in schemas.validate(schema, value):
        yield path if field == "<nil>" else f"{path}.{field}", reason, message
