"""The way to the API server."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from botswain_operator.kube.client import KubeClient
from botswain_operator.kube.connection import read_connection
from botswain_operator.kube.kinds import DEPLOYMENT
from kube_emulator.server import serving


async def test_certificate_of_a_plain_authority_is_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From 3.13 on Python asks for extensions that the certificates of many clusters don't have, EKS's among them."""
    plain = ssl.create_default_context

    def strict(*arguments: Any, **more: Any) -> ssl.SSLContext:
        context = plain(*arguments, **more)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    async with serving() as emulator:
        (tmp_path / "kubeconfig").write_text(emulator.kubeconfig())
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        monkeypatch.setattr(ssl, "create_default_context", strict)
        connection = read_connection()
        async with KubeClient(connection) as client:
            assert (await client.list_page(DEPLOYMENT, None, {}))["items"] == []
        for_kopf = connection.as_ssl_context()
        assert not for_kopf.verify_flags & ssl.VERIFY_X509_STRICT
        assert (for_kopf.verify_mode, for_kopf.check_hostname) == (ssl.CERT_REQUIRED, True)
