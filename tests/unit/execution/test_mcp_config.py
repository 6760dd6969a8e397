"""The file of MCP servers: what it may hold, and what is said of what it may not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botswain_execution.config import load_config, parse_config
from botswain_execution.errors import McpConfigError
from botswain_execution.settings import ExecutionSettings, shipped_config


def parse(entries: Any, **variables: str) -> Any:
    return parse_config(json.dumps({"mcpServers": entries}), variables, source="servers.json", folder=Path("/conf"))


def test_entry_of_other_hosts_works_as_it_is() -> None:
    """Command, args and env in the ecosystem's form give a server with our defaults; keys of other hosts are passed over."""
    config = parse(
        {"git": {"type": "stdio", "command": "uvx", "args": ["mcp-server-git"], "env": {"A": "b"}, "alwaysAllow": []}}
    )
    server = config.servers["git"]
    assert (server.command, server.args, server.env, server.cwd) == ("uvx", ("mcp-server-git",), {"A": "b"}, "/conf")
    assert (server.replicas, server.required, server.timeout_seconds) == (1, False, 30.0)
    assert config.warnings == ()


def test_references_are_expanded_everywhere() -> None:
    """`${NAME}`, `${env:NAME}` and `${NAME:-default}` stand for variables in any string."""
    entry = {
        "command": "${RUN}",
        "args": ["--to=${env:TO}", "${GONE:-else}"],
        "env": {"T": "${EMPTY:-d}", "E": "${EMPTY}"},
    }
    server = parse({"a": entry}, RUN="prog", TO="x y", EMPTY="").servers["a"]
    assert (server.command, server.args, server.env) == ("prog", ("--to=x y", "else"), {"T": "d", "E": ""})


def test_relative_cwd_is_relative_to_the_file() -> None:
    """A relative `cwd` counts from the file's folder, an absolute one as it is."""
    servers = parse({"a": {"command": "x", "cwd": ".."}, "b": {"command": "x", "cwd": "/srv"}}).servers
    assert (servers["a"].cwd, servers["b"].cwd) == ("/", "/srv")


def test_disabled_entries_are_not_read() -> None:
    """`disabled: true` leaves an entry out, whatever else it holds."""
    assert parse({"a": {"command": "${UNSET}", "disabled": True}}).servers == {}


def test_unknown_key_is_a_warning_with_the_nearest_known_one() -> None:
    """A misspelt key doesn't stop the start, and the warning says which was meant."""
    config = parse({"a": {"command": "x", "timeoutSecond": 5}})
    assert config.warnings == (
        "servers.json: mcpServers.a.timeoutSecond: unknown key, ignored; did you mean 'timeoutSeconds'?",
    )


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({}, "mcpServers.a.command: Field required"),
        ({"command": ""}, "mcpServers.a.command: String should have at least 1 character"),
        ({"command": "x", "args": "y"}, "mcpServers.a.args"),
        (
            {"command": "x", "replicas": 0},
            "mcpServers.a.replicas: Input should be greater than or equal to 1 (it is 0)",
        ),
        ({"command": "x", "replicas": "2"}, "mcpServers.a.replicas: Input should be a valid integer (it is '2')"),
        ({"command": "x", "limits": {"memoryMB": 1}}, "mcpServers.a.limits.memoryMB: Extra inputs are not permitted"),
        ({"command": "x", "env": {"TOKEN": "${NOT_SET}"}}, "mcpServers.a.env.TOKEN: ${NOT_SET} isn't set"),
        ({"url": "https://example.org/mcp"}, "mcpServers.a: only stdio servers"),
        ({"type": "http", "command": "x"}, "mcpServers.a: only stdio servers"),
        ("x", "mcpServers.a: expected an object"),
    ],
)
def test_errors_name_file_server_and_key(entry: Any, words: str) -> None:
    """Each mistake is told with the file, the server and the key."""
    with pytest.raises(McpConfigError) as error:
        parse({"a": entry})
    assert str(error.value).startswith("servers.json: mcpServers.a")
    assert words in str(error.value)


def test_all_mistakes_are_told_at_once_and_no_secret() -> None:
    """Every wrong entry gets its line; the value of an environment variable is not repeated."""
    with pytest.raises(McpConfigError) as error:
        parse({"a": {}, "b": {"command": "x", "env": {"TOKEN": 123456}}, "bad name": {"command": "x"}})
    assert len(str(error.value).splitlines()) == 3
    assert "123456" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ("[]", 'expected {"mcpServers"'),
        ('{"mcpServers": []}', 'expected {"mcpServers"'),
        ('{"mcpServers": {"a": {"command": "x"}, "a": {"command": "y"}}}', "the key 'a' stands there twice"),
    ],
)
def test_malformed_files_are_refused(text: str, words: str) -> None:
    """What isn't the expected JSON is told with the file's name."""
    with pytest.raises(McpConfigError, match=f"servers.json: .*{words}"):
        parse_config(text, {}, source="servers.json", folder=Path("/"))


def test_missing_file_names_the_setting() -> None:
    """The error names the variable that holds the path."""
    with pytest.raises(McpConfigError, match=r"MCP_SERVERS_CONFIG: can't read /no/such\.json: No such file"):
        load_config(Path("/no/such.json"), {})


def test_shipped_file_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped file needs no variable to be set; its scripts exist, and only the discord server gets the token."""
    for name in ("DISCORD_BOT_TOKEN", "FILESYSTEM_ROOT"):
        monkeypatch.delenv(name, raising=False)
    settings = ExecutionSettings(service_auth_secret="x" * 32, discord_bot_token="t0ken")  # type: ignore[arg-type]
    config = load_config(shipped_config(), settings.variables({}))
    assert list(config.servers) == ["discord", "filesystem", "fetch"]
    assert [name for name, server in config.servers.items() if "t0ken" in server.env.values()] == ["discord"]
    for server in config.servers.values():
        assert Path(str(server.cwd), server.args[0]).is_file()
    assert config.warnings == ()


def test_tools_that_deliver_cannot_need_approval() -> None:
    """The question itself goes through them; the error names them and repeats no secret."""
    entry = {
        "command": "x",
        "env": {"KEY": "s3cret"},
        "deliveringTools": ["send", "edit"],
        "approvalTools": ["send", "delete"],
    }
    with pytest.raises(McpConfigError) as error:
        parse({"a": entry})
    assert str(error.value) == (
        "servers.json: mcpServers.a: approvalTools names send, which deliveringTools names too: answers, and the "
        "question whether a call is approved, go through those"
    )
