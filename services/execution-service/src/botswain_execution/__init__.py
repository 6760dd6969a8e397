"""MCP host: warm pools of stdio servers behind one gRPC door.

Nothing is imported here, so that the servers under `mcp_servers/`, which share this package's `servers`, start fast.
"""
