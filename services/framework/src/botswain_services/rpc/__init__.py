"""gRPC between services: a server with authentication, tracing and logs on every call, and a channel that carries them."""

from botswain_services.rpc.client import Peer, Target, connect, parse_target
from botswain_services.rpc.server import RpcServer, caller, remaining

__all__ = ["Peer", "RpcServer", "Target", "caller", "connect", "parse_target", "remaining"]
