"""Models by name. A provider's library is imported only when its model is chosen: each takes seconds."""

from __future__ import annotations

from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr

from botswain_orchestrator.agent.names import parse_model_name

OLLAMA_URL = "http://127.0.0.1:11434"


def make_model(name: str, *, base_url: str | None, api_key: SecretStr | None, timeout: float) -> BaseChatModel:
    """The chat model of that name.

    Args:
        name: `scripted`, `openai:<model>` or `ollama:<model>`.
        base_url: the model's server; None: the provider's own.
        api_key: the server's key.
        timeout: longest wait for one answer, in seconds.

    Raises:
        ValueError: not a known name.
    """
    provider, model = parse_model_name(name)
    if provider == "scripted":
        from botswain_orchestrator.agent.scripted.model import ScriptedModel

        return ScriptedModel()
    if provider == "ollama":
        return _ollama(model, base_url or OLLAMA_URL, api_key, timeout)
    return _openai(model, base_url, api_key, timeout)


def _openai(model: str, base_url: str | None, api_key: SecretStr | None, timeout: float) -> BaseChatModel:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        model=model,
        base_url=base_url,
        api_key=api_key or SecretStr("none"),  # the library insists on one
        timeout=timeout,
        max_retries=2,
        use_responses_api=False,  # servers other than OpenAI's know chat completions only
        stream_usage=False,
    )


def _ollama(model: str, base_url: str, api_key: SecretStr | None, timeout: float) -> BaseChatModel:
    from langchain_ollama import ChatOllama

    headers = {"Authorization": f"Bearer {api_key.get_secret_value()}"} if api_key is not None else {}
    return ChatOllama(model=model, base_url=base_url, client_kwargs={"timeout": timeout, "headers": headers})
