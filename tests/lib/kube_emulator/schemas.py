"""Structural schemas of CustomResourceDefinitions: pruning, defaulting, validation, and rules in CEL.

Messages are worded as the API server words them, since people read them.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import cel
from kube_emulator.errors import Problem

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def prune(schema: Mapping[str, Any], value: Any) -> Any:
    """The value without fields that the schema doesn't know."""
    if isinstance(value, dict):
        properties, extra = schema.get("properties") or {}, schema.get("additionalProperties")
        if schema.get("x-kubernetes-preserve-unknown-fields"):
            return {key: prune(properties[key], item) if key in properties else item for key, item in value.items()}
        if isinstance(extra, dict):
            return {key: prune(extra, item) for key, item in value.items()}
        return {key: prune(properties[key], item) for key, item in value.items() if key in properties}
    if isinstance(value, list) and "items" in schema:
        return [prune(schema["items"], item) for item in value]
    return value


def unknown_fields(schema: Mapping[str, Any], value: Any, path: str = "") -> Iterator[str]:
    """Paths of the fields that `prune` would drop."""
    if isinstance(value, dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        properties, extra = schema.get("properties") or {}, schema.get("additionalProperties")
        for key, item in value.items():
            inner = properties.get(key) or (extra if isinstance(extra, dict) else None)
            if inner is None and (key not in properties):
                yield f"{path}.{key}".lstrip(".")
            elif inner is not None:
                yield from unknown_fields(inner, item, f"{path}.{key}")
    elif isinstance(value, list) and "items" in schema:
        for position, item in enumerate(value):
            yield from unknown_fields(schema["items"], item, f"{path}[{position}]")


def default(schema: Mapping[str, Any], value: Any) -> Any:
    """The value with the schema's defaults, outer ones first: a default is itself defaulted."""
    if isinstance(value, dict):
        filled = dict(value)
        for key, inner in (schema.get("properties") or {}).items():
            if key not in filled and "default" in inner:
                filled[key] = copy.deepcopy(inner["default"])
            if key in filled:
                filled[key] = default(inner, filled[key])
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict):
            filled = {key: default(extra, item) for key, item in filled.items()}
        return filled
    if isinstance(value, list) and "items" in schema:
        return [default(schema["items"], item) for item in value]
    return value


def validate(schema: Mapping[str, Any], value: Any, old: Any = None) -> list[Problem]:
    """Every problem. Rules are looked at where the shape is right and something has changed, as the API server does it (the
    latter is its validation ratcheting, on since 1.30)."""
    problems = list(_shape(schema, value, ""))
    return problems or list(_rules(schema, value, old, ""))


def _shape(schema: Mapping[str, Any], value: Any, path: str) -> Iterator[Problem]:
    where = path.lstrip(".") or "<nil>"
    if value is None and schema.get("nullable"):
        return
    if schema.get("x-kubernetes-int-or-string"):
        if not isinstance(value, int | str) or isinstance(value, bool):
            yield (
                where,
                "FieldValueTypeInvalid",
                f'Invalid value: "{_name(value)}": {where} must be of type integer or string',
            )
        elif isinstance(value, str):
            yield from _string(schema, value, where)
        return
    wanted = schema.get("type")
    if wanted and (not isinstance(value, _TYPES[wanted]) or (isinstance(value, bool) and wanted != "boolean")):
        message = f'Invalid value: "{_name(value)}": {where} in body must be of type {wanted}: "{_name(value)}"'
        yield where, "FieldValueTypeInvalid", message
        return
    if "enum" in schema and value not in schema["enum"]:
        known = ", ".join(f'"{item}"' for item in schema["enum"])
        yield where, "FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {known}'
    if isinstance(value, str):
        yield from _string(schema, value, where)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(schema, value, where)
    elif isinstance(value, list):
        yield from _array(schema, value, path, where)
    elif isinstance(value, dict):
        yield from _object(schema, value, path)


def _string(schema: Mapping[str, Any], value: str, where: str) -> Iterator[Problem]:
    if len(value) < schema.get("minLength", 0):
        yield (
            where,
            "FieldValueInvalid",
            f'Invalid value: "{value}": {where} in body should be at least {schema["minLength"]} chars long',
        )
    if len(value) > schema.get("maxLength", len(value)):
        yield where, "FieldValueTooLong", f"Too long: may not be more than {schema['maxLength']} bytes"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield (
            where,
            "FieldValueInvalid",
            f"Invalid value: \"{value}\": {where} in body should match '{schema['pattern']}'",
        )


def _number(schema: Mapping[str, Any], value: float, where: str) -> Iterator[Problem]:
    if value < schema.get("minimum", value):
        minimum = schema["minimum"]
        yield (
            where,
            "FieldValueInvalid",
            f"Invalid value: {value}: {where} in body should be greater than or equal to {minimum}",
        )
    if value > schema.get("maximum", value):
        yield (
            where,
            "FieldValueInvalid",
            f"Invalid value: {value}: {where} in body should be less than or equal to {schema['maximum']}",
        )


def _array(schema: Mapping[str, Any], value: list[Any], path: str, where: str) -> Iterator[Problem]:
    if len(value) > schema.get("maxItems", len(value)):
        yield where, "FieldValueTooMany", f"Too many: {len(value)}: must have at most {schema['maxItems']} items"
    if len(value) < schema.get("minItems", 0):
        yield (
            where,
            "FieldValueInvalid",
            f"Invalid value: {len(value)}: {where} in body should have at least {schema['minItems']} items",
        )
    if schema.get("x-kubernetes-list-type") == "set":
        for position, item in enumerate(value):
            if item in value[:position]:
                yield f"{where}[{position}]", "FieldValueDuplicate", f'Duplicate value: "{item}"'
    for position, item in enumerate(value):
        yield from _shape(schema.get("items") or {}, item, f"{path}[{position}]")


def _object(schema: Mapping[str, Any], value: Mapping[str, Any], path: str) -> Iterator[Problem]:
    for key in schema.get("required") or []:
        if key not in value:
            yield f"{path}.{key}".lstrip("."), "FieldValueRequired", "Required value"
    if len(value) > schema.get("maxProperties", len(value)):
        yield (
            path.lstrip("."),
            "FieldValueTooMany",
            f"Too many: {len(value)}: must have at most {schema['maxProperties']} items",
        )
    properties, extra = schema.get("properties") or {}, schema.get("additionalProperties")
    for key, item in value.items():
        inner = properties.get(key) or (extra if isinstance(extra, dict) else None)
        if inner is not None:
            yield from _shape(inner, item, f"{path}.{key}")


@lru_cache(maxsize=512)
def _program(rule: str) -> cel.Program:
    return cel.compile(rule)


@lru_cache(maxsize=512)
def _members(rule: str) -> frozenset[str] | None:
    """The members of `self` that a rule names; None if it uses `self` as a whole."""
    if re.search(r"\bself\b(?!\.)", rule):
        return None
    return frozenset(re.findall(r"\bself\.(\w+)", rule))


def _seen_by(rule: str, value: Any) -> Any:
    """What a rule sees of a value: the members it names, since to hand over the rest is most of what a rule takes."""
    members = _members(rule) if isinstance(value, dict) else None
    return value if members is None else {key: item for key, item in value.items() if key in members}


def _rules(schema: Mapping[str, Any], value: Any, old: Any, path: str) -> Iterator[Problem]:
    where = path.lstrip(".") or "<nil>"
    if old is not None and old == value:
        return
    for rule in schema.get("x-kubernetes-validations") or []:
        if "oldSelf" in rule["rule"] and old is None:
            continue
        context = {"self": _seen_by(rule["rule"], value), **({"oldSelf": old} if old is not None else {})}
        try:
            held = _program(rule["rule"]).execute(context)
        except (RuntimeError, ValueError, TypeError, KeyError) as error:
            why = f"no such key: {error.args[0]}" if isinstance(error, KeyError) else error
            said = f"{why} evaluating rule: {rule.get('message') or rule['rule']}"
            yield where, "FieldValueInvalid", f'Invalid value: "{_name(value)}": {said}'
            continue
        if held is not True:
            expression = rule.get("messageExpression")
            message = (
                _program(expression).execute({**context, "self": value})
                if expression
                else rule.get("message", f"failed rule: {rule['rule']}")
            )
            shown = (
                f'"{_name(value)}"'
                if isinstance(value, dict | list | str) and not isinstance(value, str)
                else f'"{value}"'
            )
            yield where, "FieldValueInvalid", f"Invalid value: {shown}: {message}"
    if isinstance(value, dict):
        properties, extra = schema.get("properties") or {}, schema.get("additionalProperties")
        for key, item in value.items():
            inner = properties.get(key) or (extra if isinstance(extra, dict) else None)
            if inner is not None:
                yield from _rules(inner, item, old.get(key) if isinstance(old, dict) else None, f"{path}.{key}")
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _rules(schema.get("items") or {}, item, None, f"{path}[{position}]")


def _name(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    for name, types in _TYPES.items():
        if isinstance(value, types):
            return name
    return "null"
