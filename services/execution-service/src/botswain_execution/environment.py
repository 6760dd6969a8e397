"""What a server process finds in its environment: what its entry lists, and the few variables without which programs don't run.

Nothing else of this process's environment is handed on, so a server that others wrote never sees DISCORD_BOT_TOKEN unless its
entry names it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")
PASSED_ON_PREFIXES = ("LC_", "SSL_CERT_")
_DEFAULTS = {"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}


def server_environment(own: Mapping[str, str], entry: Mapping[str, str]) -> dict[str, str]:
    """The environment of a server process.

    Args:
        own: this process's environment.
        entry: the `env` of the server's entry; wins.
    """
    passed = {key: value for key, value in own.items() if key in PASSED_ON or key.startswith(PASSED_ON_PREFIXES)}
    return {**_DEFAULTS, **passed, **entry}
