"""The emulator refuses a CustomResourceDefinition that an API server would refuse; the chart's it takes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from kube_emulator.definitions import problems
from operator_world.programs import CRD_FILE


def said(schema: dict[str, Any]) -> str:
    """What is said of a definition with this field."""
    root = {"type": "object", "properties": {"field": schema}}
    found = problems({"spec": {"versions": [{"schema": {"openAPIV3Schema": root}}]}})
    return "\n".join(f"{path}: {message}" for path, _, message in found)


NUMBERS = {"least": {"type": "integer", "default": 1}, "most": {"type": "integer", "default": 2}}
RULE = {"rule": "self.least <= self.most", "message": "least is more than most"}


def test_the_charts_definition_is_taken() -> None:
    """Nothing is said about the definition of DiscordBots."""
    assert problems(yaml.safe_load(CRD_FILE.read_text())) == []


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (
            {"type": "object", "default": {}, "properties": NUMBERS, "x-kubernetes-validations": [RULE]},
            'properties[field].default: Invalid value: "object": no such key: least evaluating rule',
        ),
        (
            {"type": "object", "default": {}, "required": ["least"], "properties": NUMBERS},
            "default.least: Required value",
        ),
        ({"type": "object", "default": {"lest": 1}, "properties": NUMBERS}, "must not have unknown fields"),
        (
            {
                "type": "object",
                "properties": NUMBERS,
                "x-kubernetes-validations": [{**RULE, "messageExpression": "'least is ' + string(self.least)"}],
            },
            "validations[0].messageExpression: Forbidden: estimated messageExpression cost exceeds budget",
        ),
        ({"description": "Anything."}, "properties[field].type: Required value"),
        ({"type": "array"}, "properties[field].items: Required value"),
        ({"type": "string", "x-kubernetes-int-or-string": True}, "properties[field].type: Forbidden"),
        (
            {"type": "object", "properties": NUMBERS, "additionalProperties": {"type": "string"}},
            "additionalProperties and properties are mutual exclusive",
        ),
        (
            {
                "type": "array",
                "items": {"type": "object", "properties": {"name": {"type": "string"}}},
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
            "properties[name].default: Required value: this property is in x-kubernetes-list-map-keys",
        ),
    ],
)
def test_what_a_server_refuses_is_refused(schema: dict[str, Any], words: str) -> None:
    """Each with the path and the server's words."""
    assert words in said(schema)


def test_a_full_default_passes_its_rules() -> None:
    """A default that says all that a rule reads is right."""
    schema = {
        "type": "object",
        "default": {"least": 1, "most": 2},
        "properties": NUMBERS,
        "x-kubernetes-validations": [RULE],
    }
    assert said(schema) == ""
