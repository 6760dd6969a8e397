"""A tool's answer as the model reads it."""

from __future__ import annotations

from botswain_orchestrator.agent.catalog import ToolSet
from botswain_orchestrator.agent.tools import result_of
from botswain_proto.v1 import execution_pb2


def test_texts_are_joined() -> None:
    """A line each."""
    texts = [execution_pb2.ToolContent(text="one"), execution_pb2.ToolContent(text="two")]
    assert result_of(execution_pb2.CallToolResponse(content=texts)).text == "one\ntwo"


def test_what_is_not_text_is_described() -> None:
    """A picture by its type and size, a resource by its text or its address."""
    content = [
        execution_pb2.ToolContent(binary=execution_pb2.BinaryContent(media_type="image/png", data=b"12345")),
        execution_pb2.ToolContent(resource=execution_pb2.ResourceContent(uri="file:///a", text="words")),
        execution_pb2.ToolContent(resource=execution_pb2.ResourceContent(uri="file:///b")),
    ]
    result = result_of(execution_pb2.CallToolResponse(content=content))
    assert result.text == "[image/png, 5 bytes]\nwords\n[resource file:///b]"


def test_a_structured_result_stands_in_for_missing_text() -> None:
    """The model reads it as JSON."""
    response = execution_pb2.CallToolResponse()
    response.structured_content.update({"message_id": "7"})
    result = result_of(response)
    assert result.text == '{"message_id": "7"}'
    assert result.structured == {"message_id": "7"}


def test_an_error_always_says_something() -> None:
    """An empty error would tell the model nothing."""
    result = result_of(execution_pb2.CallToolResponse(is_error=True))
    assert result.is_error
    assert result.text


def test_whole_numbers_in_schemas_stay_whole() -> None:
    """A Struct holds doubles; a model should see `"maximum": 10`."""
    tool = execution_pb2.Tool(name="t", title="A tool")
    tool.input_schema.update({"properties": {"n": {"maximum": 10, "multipleOf": 0.5, "enum": [1, "x"]}}})
    spec = ToolSet({"t": tool}).specs[0]["function"]
    assert repr(spec["parameters"]["properties"]["n"]["maximum"]) == "10"
    assert spec["parameters"]["properties"]["n"]["multipleOf"] == 0.5
    assert repr(spec["parameters"]["properties"]["n"]["enum"]) == "[1, 'x']"
    assert spec["description"] == "A tool"


def test_a_tool_without_a_schema_takes_an_object() -> None:
    """Providers ask for a schema."""
    assert ToolSet({"t": execution_pb2.Tool(name="t")}).specs[0]["function"]["parameters"]["type"] == "object"
