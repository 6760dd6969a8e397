"""The CustomResourceDefinition: its rules in words that a person understands, and that the operator reads what it defines."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from botswain_operator.spec import INTENT_NAMES, Spec, read_bot
from kube_emulator.schemas import default, unknown_fields, validate
from operator_world.programs import CRD_FILE
from pydantic import BaseModel

SCHEMA = yaml.safe_load(CRD_FILE.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
SPEC = SCHEMA["properties"]["spec"]


def bounded(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Fields that a rule reads and that have no bound: the API server refuses rules whose cost it can't estimate low enough."""
    rules = "x-kubernetes-validations" in schema
    if rules and schema.get("type") == "string" and "maxLength" not in schema:
        yield path
    for name, inner in (schema.get("properties") or {}).items():
        yield from bounded(inner, f"{path}.{name}")
    items, extra = schema.get("items"), schema.get("additionalProperties")
    for inner, bound in ((items, "maxItems"), (extra, "maxProperties")):
        if isinstance(inner, dict):
            if bound not in schema and "x-kubernetes-validations" in json.dumps(inner):
                yield f"{path} without {bound}"
            yield from bounded(inner, f"{path}[]")


def test_rules_have_bounds() -> None:
    """Whatever a rule looks at is bounded in length and number."""
    assert list(bounded(SPEC)) == []


def problems(name: str = "harbour", **spec: Any) -> list[str]:
    """What the API server says about a bot."""
    body = {"metadata": {"name": name}, "spec": {"tokenSecretRef": {"name": "token"}, **spec}}
    body = default(SCHEMA, body)
    return [f"{field}: {message}" for field, _, message in validate(SCHEMA, body)]


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"sharding": {"shards": 8, "replicas": 8}},
        {"sharding": {"shards": "auto", "replicas": 20}},
        {"sharding": {"shards": 10, "shardsPerReplica": 3}},
        {"agent": {"model": "ollama:llama", "baseUrl": "http://ollama:11434"}},
        {"agent": {"model": "openai:gpt", "apiKeySecretRef": {"name": "model"}}},
        {"agent": {"model": "openai:gpt", "baseUrl": "http://vllm:8000/v1"}},
        {"database": {"urlSecretRef": {"name": "db"}}, "orchestrator": {"replicas": 3}},
        {"applicationId": "1191168914227200001"},
    ],
)
def test_good_bots_pass(spec: dict[str, Any]) -> None:
    """Nothing is said about a bot that is all right."""
    assert problems(**spec) == []


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            {"sharding": {"shards": 2, "replicas": 3}},
            "sharding.replicas is more than sharding.shards: a replica without a shard",
        ),
        (
            {"agent": {"tools": {"approval": {"tools": ["discord_send_message"]}}}},
            "agent.tools.approval.tools can't name discord_send_message or discord_edit_message",
        ),
        (
            {"agent": {"tools": {"approval": {"tools": ["pay"], "approvers": ["ada"]}}}},
            "agent.tools.approval.approvers holds user ids, 15 to 20 digits in quotes",
        ),
        ({"agent": {"tools": {"approval": {}}}}, "spec.agent.tools.approval.tools: Required value"),
        ({"sharding": {"shards": "many"}}, "sharding.shards is auto or a number from 1 to 16000"),
        ({"sharding": {"shards": "4"}}, "sharding.shards is auto or a number from 1 to 16000, without quotes"),
        (
            {"sharding": {"shardsPerReplica": 2, "replicas": 2}},
            "give sharding.replicas or sharding.shardsPerReplica, not both",
        ),
        ({"agent": {"model": "gpt-4"}}, "agent.model is scripted, openai:<model> or ollama:<model>"),
        ({"agent": {"model": "ollama:llama"}}, "an ollama model needs agent.baseUrl"),
        ({"agent": {"model": "openai:gpt"}}, "an openai model needs agent.apiKeySecretRef"),
        ({"agent": {"baseUrl": "ollama:11434"}}, "agent.baseUrl is a URL such as"),
        ({"discord": {"apiUrl": "discord.com"}}, "discord.apiUrl is a URL such as"),
        (
            {"database": {"sqlite": {}, "urlSecretRef": {"name": "x"}}},
            "give database.sqlite or database.urlSecretRef, not both",
        ),
        ({"orchestrator": {"replicas": 2}}, "orchestrator.replicas above 1 needs PostgreSQL"),
        ({"orchestrator": {"autoscaling": {"maxReplicas": 2}}}, "orchestrator.autoscaling needs PostgreSQL"),
        ({"applicationId": "my-bot"}, "applicationId is the number shown as Application ID"),
        ({"intents": ["everything"]}, 'Unsupported value: "everything": supported values: "guilds"'),
        ({"tokenSecretRef": {}}, "spec.tokenSecretRef.name: Required value"),
        ({"database": {"sqlite": {"size": "big"}}}, "spec.database.sqlite.size in body should match"),
    ],
)
def test_bad_bots_are_refused_in_words(spec: dict[str, Any], words: str) -> None:
    """Each mistake has a message that says what is wrong and what would be right."""
    assert words in "\n".join(problems(**spec))


@pytest.mark.parametrize(
    ("name", "words"), [("1bot", "begins with a letter"), ("a.b", "begins with a letter"), ("a" * 41, "at most 40")]
)
def test_names_that_services_cannot_have_are_refused(name: str, words: str) -> None:
    """Services and labels are made from a bot's name."""
    assert words in "\n".join(problems(name))


def test_one_mistake_is_told_once() -> None:
    """No shards at all are not also fewer than there are replicas."""
    (only,) = problems(sharding={"shards": 0})
    assert "sharding.shards is auto or a number from 1 to 16000" in only


def test_unknown_fields_are_found() -> None:
    """A misspelt field is told by its path, which is what strict validation refuses."""
    body = {"spec": {"tokenSecretRef": {"name": "x"}, "sharding": {"shard": 2}}}
    assert list(unknown_fields(SCHEMA, body)) == ["spec.sharding.shard"]


def _fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, inner in (schema.get("properties") or {}).items():
        yield f"{path}.{name}", inner
        yield from _fields(inner, f"{path}.{name}")


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if isinstance(annotation, types.UnionType):
        return next((model for part in typing.get_args(annotation) if (model := _model_of(part))), None)
    return None


def _read(model: type[BaseModel], path: str = "") -> Iterator[str]:
    for field in model.model_fields.values():
        assert field.alias
        yield f"{path}.{field.alias}"
        if inner := _model_of(field.annotation):
            yield from _read(inner, f"{path}.{field.alias}")


def test_operator_reads_exactly_what_the_schema_defines() -> None:
    """No field is defined that nothing reads, and none is read that can't be set."""
    assert set(_read(Spec)) == {path for path, _ in _fields(SPEC)}


def test_defaults_are_the_same_on_both_sides() -> None:
    """A bot without a field reads the same whether or not the API server has filled it in."""
    least = {"tokenSecretRef": {"name": "token"}}
    metadata = {"namespace": "bots", "name": "harbour"}
    filled = default(SPEC, least)
    assert read_bot({"metadata": metadata, "spec": filled}).spec == read_bot({"metadata": metadata, "spec": least}).spec
    for optional in ({"database": {"sqlite": {}}}, {"orchestrator": {"autoscaling": {"maxReplicas": 2}}}):
        spec = {**least, **optional}
        assert (
            read_bot({"metadata": metadata, "spec": default(SPEC, spec)}).spec
            == read_bot({"metadata": metadata, "spec": spec}).spec
        )


def test_every_intent_has_a_name_in_discord_py() -> None:
    """The intents of the schema are those that discord-service can ask for."""
    from discord import Intents

    assert set(SPEC["properties"]["intents"]["items"]["enum"]) == set(INTENT_NAMES)
    assert set(INTENT_NAMES.values()) <= set(Intents.VALID_FLAGS)


def test_fields_are_described_and_bounded() -> None:
    """Every field a person may write is described for `kubectl explain`, and every string and list has a bound."""
    for path, schema in _fields(SPEC):
        assert schema.get("description"), path
        if schema.get("type") == "array":
            assert "maxItems" in schema, path
        if schema.get("type") == "string" and "enum" not in schema and ".env" not in path:
            assert "maxLength" in schema, path
