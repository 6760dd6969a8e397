"""One HTTP door to many services: their APIs, docs, websockets and MCP endpoints below `/<name>/`."""

from botswain_services.gateway.gateway import Gateway
from botswain_services.gateway.proxy_connection_manager import ProxyConnectionManager
from botswain_services.gateway.types import AppConfig, GatewaySettings, RegisterAppTaskSchema

__all__ = ["AppConfig", "Gateway", "GatewaySettings", "ProxyConnectionManager", "RegisterAppTaskSchema"]
