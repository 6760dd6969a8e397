"""What can be set about a simulator: one plain class, filled by the command line, environment variables, or a test."""

from dataclasses import dataclass

from botswain_simulator.errors import SettingsError

RATE_LIMIT_PROFILES = ("discord", "relaxed", "off")


@dataclass(frozen=True, slots=True)
class Settings:
    """Defaults are Discord's own figures wherever it publishes any. Durations are in seconds."""

    host: str = "127.0.0.1"
    port: int = 8090
    public_url: str | None = None
    """The address that file links carry, when bots reach the simulator by another one than host and port."""
    tls_cert: str | None = None
    """A PEM file with certificate and, unless `tls_key` names another, key; for clients that only speak TLS."""
    tls_key: str | None = None
    rate_limits: str = "discord"
    max_concurrency: int = 1
    session_start_limit: int = 1000
    exhausted_budget_resets_token: bool = True
    identify_interval: float = 5.0
    session_retention: float = 180.0
    """How long a session can be resumed after its connection is gone. Discord says "a few minutes" at most."""
    replay_limit: int = 20_000
    """Events kept for a session; a RESUME from before them is refused with op 9."""
    heartbeat_interval: float = 41.25
    messages_per_channel: int = 50_000
    nonce_window: float = 300.0
    """How long `enforce_nonce` remembers. Discord says "the past few minutes" (resources/message, "Create Message")."""

    def __post_init__(self) -> None:
        if self.rate_limits not in RATE_LIMIT_PROFILES:
            raise SettingsError(f"rate limits: {self.rate_limits!r} is not one of {', '.join(RATE_LIMIT_PROFILES)}")
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"port: {self.port} is not between 0 and 65535 (0 picks a free one)")
        for name in (
            "max_concurrency",
            "session_start_limit",
            "replay_limit",
            "heartbeat_interval",
            "messages_per_channel",
        ):
            if getattr(self, name) <= 0:
                raise SettingsError(f"{name.replace('_', ' ')}: {getattr(self, name)} must be above 0")
        for name in ("session_retention", "identify_interval", "nonce_window"):
            if getattr(self, name) < 0:
                raise SettingsError(f"{name.replace('_', ' ')}: {getattr(self, name)} must not be negative")
