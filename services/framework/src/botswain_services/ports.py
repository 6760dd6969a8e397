"""Who holds a port: for the error that says so."""

from __future__ import annotations


def describe_owner(port: int) -> str:
    """`by process 123 (python3)`, or nothing where the owner can't be seen.

    The command line is left out: it may hold what isn't for logs.
    """
    import psutil

    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return ""
    pids = {c.pid for c in connections if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port and c.pid}
    names = []
    for pid in sorted(pids):
        try:
            names.append(f"{pid} ({psutil.Process(pid).name()})")
        except psutil.Error:
            continue
    return f"by process {', '.join(names)}" if names else ""
