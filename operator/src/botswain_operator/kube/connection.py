"""How to reach the API server: what kopf reads from the service account or a kubeconfig, made into an aiohttp session."""

from __future__ import annotations

import dataclasses
import ssl

import aiohttp
import kopf

from botswain_operator.errors import SettingsError


class Connection(kopf.ConnectionInfo):
    """kopf's, for clusters whose certificates are as plain as Kubernetes allows."""

    def as_ssl_context(self) -> ssl.SSLContext:
        """Chain, dates and name are looked at.

        Python from 3.13 on also asks for extensions that the certificates of many clusters don't have, EKS's among them; no other
        client of Kubernetes does.
        """
        context = super().as_ssl_context()
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context


def read_connection() -> Connection:
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
    return Connection(**{field.name: getattr(found, field.name) for field in dataclasses.fields(found)})


def open_session(connection: Connection, limit: int, *traces: aiohttp.TraceConfig) -> aiohttp.ClientSession:
    """A session with the connection's certificates; the token is added to each request, because it changes.

    Args:
        limit: connections at once; 0: any number.
    """
    context = connection.as_ssl_context() if connection.server.startswith("https:") else True
    connector = aiohttp.TCPConnector(limit=limit, ssl=context)
    return aiohttp.ClientSession(connector=connector, trust_env=connection.trust_env, trace_configs=list(traces))
