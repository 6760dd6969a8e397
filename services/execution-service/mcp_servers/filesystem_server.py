"""MCP server for the files of one folder, FILESYSTEM_ROOT; it is made when it doesn't exist. FILESYSTEM_READ_ONLY=true leaves
`write_file` out. Runs under execution-service, over stdio."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

from botswain_execution.servers.calls import log_libraries
from botswain_execution.servers.folders import LARGEST_READ, Folder, FolderError
from botswain_execution.servers.stdio import serve
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field

READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
FilePath = Annotated[str, Field(description="Path below the shared folder, such as notes/today.md.")]


def make_server(folder: Folder, *, read_only: bool) -> MCPServer[None]:
    """The server's tools over `folder`."""
    server: MCPServer[None] = MCPServer("filesystem", version="0.1.0", log_level="WARNING")

    @server.tool(annotations=READS, structured_output=False)
    async def read_file(
        path: FilePath,
        offset: Annotated[int, Field(description="Byte to start at, for the rest of a long file.", ge=0)] = 0,
    ) -> str:
        """Read a text file."""
        try:
            text, size = await asyncio.to_thread(folder.read, path, offset=offset)
        except FolderError as error:
            raise ToolError(str(error)) from None
        end = offset + LARGEST_READ
        return f"{text}\n[{size - end} more bytes; read on with offset={end}]" if size > end else text

    @server.tool(annotations=READS, structured_output=False)
    async def list_directory(path: Annotated[str, Field(description="Folder below the shared folder.")] = ".") -> str:
        """List what a folder holds, a name a line; folders end with a slash."""
        try:
            names, more = await asyncio.to_thread(folder.entries, path)
        except FolderError as error:
            raise ToolError(str(error)) from None
        return "\n".join([*names, "[…]"] if more else names) or "[empty]"

    @server.tool(annotations=READS, structured_output=False)
    async def search_files(
        pattern: Annotated[str, Field(description="File name or path with wildcards, such as *.md.")] = "*",
        text: Annotated[str, Field(description="Text that a line must hold; empty: search names only.")] = "",
        path: Annotated[str, Field(description="Folder to search below.")] = ".",
    ) -> str:
        """Find files by name, or lines by text."""
        try:
            hits, more = await asyncio.to_thread(folder.search, pattern, text, path)
        except FolderError as error:
            raise ToolError(str(error)) from None
        lines = [hit.path if hit.line is None else f"{hit.path}:{hit.line}: {hit.text}" for hit in hits]
        return "\n".join([*lines, "[there is more]"] if more else lines) or "[nothing found]"

    if not read_only:

        @server.tool(annotations=ToolAnnotations(idempotent_hint=True, open_world_hint=False), structured_output=False)
        async def write_file(path: FilePath, content: Annotated[str, Field(description="The whole text.")]) -> str:
            """Write a text file whole. A file of that name is replaced."""
            try:
                size = await asyncio.to_thread(folder.write, path, content)
            except FolderError as error:
                raise ToolError(str(error)) from None
            return f"Wrote {size} bytes to {path}."

    return server


def main() -> None:
    """Serve FILESYSTEM_ROOT over stdio."""
    given = os.environ.get("FILESYSTEM_ROOT", "")
    if not given:
        sys.exit("FILESYSTEM_ROOT is not set: name the folder whose files may be used")
    try:
        root = Path(given)
        root.mkdir(parents=True, exist_ok=True)
        folder = Folder(root)
    except OSError as error:
        sys.exit(f"FILESYSTEM_ROOT: {given!r} can't be used: {error.strerror}")
    log_libraries()
    read_only = os.environ.get("FILESYSTEM_READ_ONLY", "").lower() in ("1", "true", "yes")
    serve(make_server(folder, read_only=read_only))


if __name__ == "__main__":
    main()
