"""The distribution's exceptions.

ExecutionError
├── McpConfigError           the file of MCP servers is wrong; names file, server and key (a SettingsError: exit code 2)
├── UnknownToolError         no server offers a tool of that name
├── ServerUnavailableError   the server that has the tool isn't running, with the reason
│   └── ServerBusyError      it runs, and has as many calls in flight as it may
├── ServerStartError         a server process could not be started or did not complete the handshake
└── CallFailedError          a call was made, and no answer came: the model reads the message as the tool's error
"""

from botswain_services.errors import SettingsError


class ExecutionError(Exception):
    """Root of everything this package raises on its own."""


class McpConfigError(ExecutionError, SettingsError):
    """The file of MCP servers is missing or wrong. One line a problem: file, server, key, what to do."""


class UnknownToolError(ExecutionError):
    """No server offers a tool of that name."""


class ServerUnavailableError(ExecutionError):
    """The server that has the tool can't take a call now."""


class ServerBusyError(ServerUnavailableError):
    """All processes of the server have as many calls in flight as they may."""


class ServerStartError(ExecutionError):
    """A server process could not be started, or did not complete the handshake. The message says why."""


class CallFailedError(ExecutionError):
    """A call was made and no usable answer came: deadline, crash, protocol error. The message is for the model.

    `transient`: the same call may succeed in a moment.
    """

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient
