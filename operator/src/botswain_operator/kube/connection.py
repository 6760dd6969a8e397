"""How to reach the API server: what kopf reads from the service account or a kubeconfig, made into an aiohttp session."""

from __future__ import annotations

import base64
import ssl
import tempfile
from pathlib import Path

import aiohttp
import kopf

from botswain_operator.errors import SettingsError


def read_connection() -> kopf.ConnectionInfo:
    """The pod's service account, else KUBECONFIG, else ~/.kube/config. Read again when a token has been replaced.

    Raises:
        SettingsError: there is none of them.
    """
    settings = kopf.OperatorSettings()
    try:
        found = kopf.login_with_service_account(settings=settings) or kopf.login_with_kubeconfig(settings=settings)
    except (OSError, KeyError, TypeError, kopf.LoginError) as error:
        raise SettingsError(f"the kubeconfig can't be read: {type(error).__name__}: {error}") from error
    if found is None:
        raise SettingsError(
            "no cluster: no service account is mounted, and there is no kubeconfig (KUBECONFIG, ~/.kube/config)"
        )
    return found


def open_session(connection: kopf.ConnectionInfo, limit: int, *traces: aiohttp.TraceConfig) -> aiohttp.ClientSession:
    """A session with the connection's certificates; the token is added to each request, because it changes.

    Args:
        limit: connections at once; 0: any number.
    """
    connector = aiohttp.TCPConnector(limit=limit, ssl=_ssl_context(connection))
    return aiohttp.ClientSession(connector=connector, trust_env=connection.trust_env, trace_configs=list(traces))


def _ssl_context(connection: kopf.ConnectionInfo) -> ssl.SSLContext | bool:
    if not connection.server.startswith("https:"):
        return True
    if connection.insecure:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        data = connection.ca_data
        context = ssl.create_default_context(
            cafile=str(connection.ca_path) if connection.ca_path else None,
            cadata=_decoded(data).decode() if data else None,
        )
    certificate, key = connection.certificate_path, connection.private_key_path
    if connection.certificate_data and connection.private_key_data:
        # OpenSSL reads a client's certificate from files only.
        with tempfile.TemporaryDirectory() as folder:
            paths = Path(folder, "certificate"), Path(folder, "key")
            paths[0].write_bytes(_decoded(connection.certificate_data))
            paths[1].touch(mode=0o600)
            paths[1].write_bytes(_decoded(connection.private_key_data))
            context.load_cert_chain(*paths)
    elif certificate:
        context.load_cert_chain(str(certificate), str(key) if key else None)
    return context


def _decoded(data: str | bytes) -> bytes:
    """PEM as it is; anything else is base64 of it, as kubeconfigs have it."""
    raw = data.encode() if isinstance(data, str) else data
    return raw if raw.lstrip().startswith(b"-----") else base64.b64decode(raw)
