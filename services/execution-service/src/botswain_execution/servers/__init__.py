"""What the servers under `mcp_servers/` are made of. They run in processes of their own, so nothing here imports the rest of the
package or the framework: what a server imports is its start-up time and its memory."""
