"""The orchestrator's settings: environment variables, checked at start."""

from __future__ import annotations

from typing import Annotated, Any, Self

from botswain_services import ServiceSettings, SettingsError
from botswain_services.rpc import parse_target
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from botswain_orchestrator.agent.names import parse_model_name
from botswain_orchestrator.ledger.engines import parse_database_url
from botswain_orchestrator.ownership import LEASE
from botswain_orchestrator.policies import TurnPolicy

SYSTEM_PROMPT = (
    "You are a helpful assistant in a Discord channel. Answer briefly and kindly, in the user's language; Discord's "
    "Markdown works. What you write as plain text is sent to the channel for you. Use the tools when the answer needs "
    "them: to react, to edit, to send several messages, to read a file or a page. After you sent the answer with a "
    "tool, end with an empty message."
)


class OrchestratorSettings(ServiceSettings):
    """What orchestrator-service reads."""

    bind_host: str = Field(default="127.0.0.1", description="Address to listen on.")
    http_port: int = Field(default=8000, ge=0, le=65535, description="Port of the HTTP API and the probes.")
    grpc_port: int = Field(default=50051, ge=0, le=65535, description="Port of the gRPC API.")
    database_url: str = Field(
        default="sqlite:///data/botswain.db",
        repr=False,
        description="The ledger: sqlite:///relative/path.db, sqlite:////absolute/path.db (folders are made) or "
        "postgresql://user:password@host:port/database, which several orchestrators can share.",
    )
    lease_seconds: float = Field(
        default=LEASE,
        ge=1,
        le=300,
        description="Where several orchestrators share the database: seconds after which one that isn't heard from is dead, "
        "and the others answer its conversations.",
    )
    replica_name: str | None = Field(
        default=None,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="This orchestrator's own name among those that share the database, e.g. its pod's: when it has crashed, the "
        "next process of that name goes on at once. None: a new one each start.",
    )
    execution_service_url: str = Field(
        default="grpc://execution-service:50052",
        description="execution-service: grpc://host:port or grpcs://host:port; several IP addresses, separated by commas, "
        "are replicas.",
    )
    model: str = Field(default="scripted", description="Who answers: scripted, openai:<model> or ollama:<model>.")
    model_base_url: str | None = Field(
        default=None, description="The model's server, e.g. http://127.0.0.1:8080/v1; none: the provider's own."
    )
    model_api_key: SecretStr | None = Field(default=None, description="Key for the model's server.")
    model_timeout_seconds: float = Field(
        default=60.0, gt=0, le=3600, description="Longest wait for one answer of the model, in seconds."
    )
    system_prompt: str = Field(default=SYSTEM_PROMPT, max_length=100_000, description="What the model is told first.")
    history_limit: int = Field(
        default=40,
        ge=2,
        le=10_000,
        description="Messages of a conversation that the agent remembers, tool messages included.",
    )
    max_steps: int = Field(default=8, ge=1, le=100, description="Most rounds of tool calls in one turn.")
    turn_timeout_seconds: float = Field(
        default=110.0, gt=0, le=3600, description="Longest time of one turn, in seconds."
    )
    turn_policy: TurnPolicy = Field(
        default="enqueue",
        description="What a message does while its conversation is busy: enqueue, coalesce, interrupt or reject.",
    )
    turn_attempts: int = Field(
        default=5, ge=1, le=100, description="Turns an event gets before it becomes a dead letter."
    )
    turn_retry_seconds: float = Field(
        default=1.0,
        gt=0,
        le=3600,
        description="Pause after the first turn that failed, in seconds; it doubles, up to a minute.",
    )
    retention_days: float = Field(
        default=30.0,
        ge=0,
        le=36_500,
        description="Days that answered events are kept, with what was done for them; 0: for good.",
    )
    approver_ids: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Users who may approve calls of tools that need it, by Discord's ids, separated by commas; none: the user "
        "for whom the call is to be made.",
    )
    approval_timeout_seconds: float = Field(
        default=3600.0, gt=0, le=604_800, description="For how long a call can be approved, in seconds."
    )
    workers: int = Field(default=32, ge=1, le=10_000, description="Turns that run at the same time.")

    @field_validator("approver_ids", mode="before")
    @classmethod
    def _split_approver_ids(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("approver_ids")
    @classmethod
    def _check_approver_ids(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        wrong = next((one for one in ids if not (one.isascii() and one.isdigit() and len(one) <= 20)), None)
        if wrong is not None:
            raise ValueError(f"{wrong!r} is not a user id such as 1441700000000000000")
        return ids

    @field_validator("database_url")
    @classmethod
    def _known_engine(cls, value: str) -> str:
        parse_database_url(value)
        return value

    @field_validator("execution_service_url")
    @classmethod
    def _grpc_url(cls, value: str) -> str:
        try:
            parse_target(value, variable="EXECUTION_SERVICE_URL")
        except SettingsError as error:
            raise ValueError(str(error).partition(": ")[2]) from None
        return value

    @field_validator("model")
    @classmethod
    def _known_model(cls, value: str) -> str:
        parse_model_name(value)
        return value

    @model_validator(mode="after")
    def _openai_needs_a_key(self) -> Self:
        if self.model.startswith("openai:") and self.model_api_key is None and self.model_base_url is None:
            raise ValueError(
                "MODEL_API_KEY is required for openai:<model>, unless MODEL_BASE_URL names a server of your own"
            )
        return self
