"""Arguments and results between protobuf and MCP."""

from __future__ import annotations

import base64

import mcp_types
import pytest
from botswain_execution import conversion
from botswain_proto.v1 import execution_pb2
from hypothesis import given
from hypothesis import strategies as st

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.text()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_json_survives_the_struct(values: dict[str, object]) -> None:
    """JSON values come out of a Struct as they went in."""
    assert conversion.from_struct(conversion.to_struct(values)) == values


def test_whole_numbers_come_out_as_integers() -> None:
    """5 stays 5, also deep inside, because typed servers refuse 5.0 for an integer; fractions and huge numbers stay floats."""
    values = conversion.from_struct(conversion.to_struct({"a": 5, "b": [{"c": 2.0}], "d": 1.5, "e": 1e300}))
    assert [type(value) for value in (values["a"], values["b"][0]["c"], values["d"], values["e"])] == [
        int,
        int,
        float,
        float,
    ]


def test_every_kind_of_content_is_carried() -> None:
    """Text, images, audio, links and embedded resources each have their form."""
    data = base64.b64encode(b"\x89PNG").decode()
    result = mcp_types.CallToolResult(
        content=[
            mcp_types.TextContent(text="t"),
            mcp_types.ImageContent(data=data, mime_type="image/png"),
            mcp_types.AudioContent(data="***", mime_type="audio/wav"),
            mcp_types.ResourceLink(uri="file:///a", name="a", description="d", mime_type="text/plain"),
            mcp_types.EmbeddedResource(resource=mcp_types.TextResourceContents(uri="file:///b", text="body")),
            mcp_types.EmbeddedResource(resource=mcp_types.BlobResourceContents(uri="file:///c", blob=data)),
        ],
        structured_content={"n": 1},
    )
    response = conversion.to_response(result, server="s", seconds=0.25)
    text, image, audio, link, resource, blob = response.content
    assert text.text == "t"
    assert (image.binary.media_type, image.binary.data) == ("image/png", b"\x89PNG")
    assert audio.text == "(audio/wav that isn't valid base64, left out)"
    assert (link.resource.uri, link.resource.text) == ("file:///a", "a – d")
    assert (resource.resource.media_type, resource.resource.text) == ("text/plain", "body")
    assert blob.binary.media_type == "application/octet-stream"
    assert response.structured_content["n"] == 1
    assert response.duration.ToMilliseconds() == 250


def test_structured_content_that_is_no_object_is_wrapped() -> None:
    """A list stands under `result`."""
    result = mcp_types.CallToolResult(content=[], structured_content=[1, 2])
    assert list(conversion.to_response(result, server="s", seconds=0).structured_content["result"]) == [1, 2]


@pytest.mark.parametrize(
    ("hints", "expected"),
    [
        (None, {"destructive": True, "open_world": True}),
        (mcp_types.ToolAnnotations(read_only_hint=True), {"read_only": True, "open_world": True}),
        (
            mcp_types.ToolAnnotations(destructive_hint=False, idempotent_hint=True, open_world_hint=False),
            {"idempotent": True},
        ),
    ],
)
def test_annotations_have_the_protocols_defaults(
    hints: mcp_types.ToolAnnotations | None, expected: dict[str, bool]
) -> None:
    """What a server doesn't say is taken as MCP says: not read-only, destructive, open world."""
    assert conversion._annotations(hints) == execution_pb2.ToolAnnotations(**expected)
