"""Between protobuf and what `mcp` gives: arguments, results, tools. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

import mcp_types
from botswain_proto.v1 import execution_pb2
from google.protobuf import struct_pb2

from botswain_execution.catalog import CatalogTool
from botswain_execution.policy import CallContext
from botswain_execution.runtime import ServerState
from botswain_execution.servers.calls import TRANSIENT

_WHOLE = 2.0**53
"""Beyond this a double no longer tells neighbouring integers apart."""


def from_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """JSON values. Whole numbers become int: protobuf has doubles only, and typed servers refuse `5.0` for an integer."""
    return {key: _from_value(value) for key, value in struct.fields.items()}


def _from_value(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) <= _WHOLE else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "struct_value":
        return from_struct(value.struct_value)
    if kind == "list_value":
        return [_from_value(item) for item in value.list_value.values]
    return None


def to_struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    """A protobuf Struct of JSON values."""
    struct = struct_pb2.Struct()
    struct.update(values)
    return struct


def to_context(message: execution_pb2.CallContext) -> CallContext:
    """The context of a call; channels given as empty strings count as not given."""
    return CallContext(
        bot_id=message.bot_id,
        correlation_id=message.correlation_id,
        event_id=message.event_id,
        run_id=message.run_id,
        channel_ids=frozenset(filter(None, message.channel_ids)),
        approved=message.approved,
    )


def to_tool(tool: CatalogTool) -> execution_pb2.Tool:
    """A tool as ListTools tells of it."""
    spec = tool.tool
    message = execution_pb2.Tool(
        name=tool.name,
        server=tool.server,
        title=spec.title or (spec.annotations.title if spec.annotations else None) or "",
        description=spec.description or "",
        input_schema=to_struct(spec.input_schema),
        annotations=_annotations(spec.annotations),
        delivers=tool.delivers,
    )
    if spec.output_schema is not None:
        message.output_schema.update(spec.output_schema)
    return message


def _annotations(hints: mcp_types.ToolAnnotations | None) -> execution_pb2.ToolAnnotations:
    """MCP's defaults: not read-only, destructive, not idempotent, open world; a tool that only reads destroys nothing."""
    hints = hints or mcp_types.ToolAnnotations()
    read_only = bool(hints.read_only_hint)
    return execution_pb2.ToolAnnotations(
        read_only=read_only,
        destructive=not read_only and hints.destructive_hint is not False,
        idempotent=bool(hints.idempotent_hint),
        open_world=hints.open_world_hint is not False,
    )


def to_status(state: ServerState) -> execution_pb2.ServerStatus:
    """A server's state as ListTools tells of it."""
    return execution_pb2.ServerStatus(name=state.name, available=state.available, reason=state.reason)


def to_content(blocks: Iterable[mcp_types.ContentBlock]) -> list[execution_pb2.ToolContent]:
    """The content of a result."""
    return [_content(block) for block in blocks]


def _content(block: mcp_types.ContentBlock) -> execution_pb2.ToolContent:
    if isinstance(block, mcp_types.TextContent):
        return execution_pb2.ToolContent(text=block.text)
    if isinstance(block, mcp_types.ImageContent | mcp_types.AudioContent):
        return _binary(block.mime_type, block.data)
    if isinstance(block, mcp_types.ResourceLink):
        text = " – ".join(filter(None, (block.title or block.name, block.description)))
        return execution_pb2.ToolContent(
            resource=execution_pb2.ResourceContent(uri=str(block.uri), media_type=block.mime_type or "", text=text)
        )
    resource = block.resource
    if isinstance(resource, mcp_types.TextResourceContents):
        return execution_pb2.ToolContent(
            resource=execution_pb2.ResourceContent(
                uri=str(resource.uri), media_type=resource.mime_type or "text/plain", text=resource.text
            )
        )
    return _binary(resource.mime_type or "application/octet-stream", resource.blob)


def _binary(media_type: str, data: str) -> execution_pb2.ToolContent:
    try:
        raw = base64.b64decode(data, validate=True)
    except binascii.Error:
        return execution_pb2.ToolContent(text=f"({media_type} that isn't valid base64, left out)")
    return execution_pb2.ToolContent(binary=execution_pb2.BinaryContent(media_type=media_type, data=raw))


def to_response(result: mcp_types.CallToolResult, *, server: str, seconds: float) -> execution_pb2.CallToolResponse:
    """A result of a server. Structured content that isn't an object is given as `{"result": …}`."""
    response = execution_pb2.CallToolResponse(
        content=to_content(result.content), is_error=result.is_error, server=server
    )
    structured = result.structured_content
    if structured is not None:
        response.structured_content.update(structured if isinstance(structured, dict) else {"result": structured})
    response.transient = result.is_error and (result.meta or {}).get(TRANSIENT) is True
    response.duration.FromNanoseconds(int(seconds * 1e9))
    return response


def to_error(
    text: str, *, server: str, seconds: float = 0.0, transient: bool = False
) -> execution_pb2.CallToolResponse:
    """What went wrong, as the tool's own error, so that the model reads it."""
    response = execution_pb2.CallToolResponse(
        content=[execution_pb2.ToolContent(text=text)], is_error=True, server=server, transient=transient
    )
    response.duration.FromNanoseconds(int(seconds * 1e9))
    return response
