"""Names and places that follow from a service's class: its default URL, its pid and log files, its MCP paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from botswain_services.errors import SettingsError
from botswain_services.settings import FrameworkSettings, load_settings
from botswain_services.urls import Url, parse_url

FALLBACK_URL = "http://localhost:8000/"
_OWN_PORTS = {"Gateway": "http://localhost:8080/"}


def default_url(class_name: str) -> Url:
    """The class's own URL of DEFAULT_SERVICE_URLS, else that of `Service` there, else http://localhost:8000/.

    Raises:
        SettingsError: DEFAULT_SERVICE_URLS holds something else than URLs.
    """
    known = {name.lower(): url for name, url in load_settings(FrameworkSettings).default_service_urls.items()}
    own = known.get(class_name.lower(), _OWN_PORTS.get(class_name))
    text = own or known.get("service") or FALLBACK_URL
    try:
        url = parse_url(text)
    except ValueError as error:
        raise SettingsError(f"DEFAULT_SERVICE_URLS: {error}") from None
    return url if url.port is not None else url._replace(port=443 if url.scheme == "https" else 80)


def build_url(class_name: str, url: Any | None, host: str | None, port: int | None) -> Url:
    """`url` when given; else `host` and `port`, completed from the default; else the default. It ends with a slash."""
    if url is not None:
        parsed = parse_url(url)
        return parsed if (parsed.path or "").endswith("/") else parsed._replace(path=f"{parsed.path}/")
    default = default_url(class_name)
    if host is None and port is None:
        return default
    return Url("http", None, host or default.host, default.port if port is None else port, "/")


def mcp_paths() -> tuple[str, str]:
    """(where the MCP server is mounted, its endpoint below that), each with a leading slash."""
    settings = load_settings(FrameworkSettings)
    return "/" + settings.mcp_mount_path.strip("/"), "/" + settings.mcp_http_app_path.strip("/")


def pid_file(class_name: str, server_id: UUID) -> str:
    """Where a launched service keeps its process id. The name holds the class and the server id."""
    return str(_state_dir("pids") / f"{class_name}_{server_id}_pid.txt")


def log_file(class_name: str) -> str:
    """Where launched services of a class log to."""
    return str(_state_dir("logs") / f"{class_name}_logs.txt")


def server_id_of(path: str | None) -> UUID:
    """The server id that a pid file's name holds; a new one without a pid file, or where the name holds none."""
    if path is not None:
        try:
            return UUID(Path(path).name.split("_")[-2])
        except (IndexError, ValueError):
            pass
    return uuid4()


def _state_dir(part: str) -> Path:
    return load_settings(FrameworkSettings).service_state_dir.expanduser() / part


def mcp_url(base: Any) -> str:
    """URL of the MCP endpoint of the service at `base`."""
    mount, app = mcp_paths()
    return f"{str(base).rstrip('/')}{mount}{app}"
