"""Names of models, as the setting MODEL takes them. Apart from `models`, so that checking a name loads no library."""

from __future__ import annotations

from typing import NamedTuple

KNOWN_FORMS = {
    "scripted": "the embedded stand-in: deterministic, no network",
    "openai:<model>": "OpenAI's chat completions, e.g. openai:gpt-5-mini; MODEL_BASE_URL for another server that speaks them",
    "ollama:<model>": "an Ollama server, e.g. ollama:llama3.2:3b; MODEL_BASE_URL when it isn't http://127.0.0.1:11434",
}


class ModelName(NamedTuple):
    """A provider and, except for `scripted`, its name of the model."""

    provider: str
    model: str


def parse_model_name(value: str) -> ModelName:
    """Split `openai:gpt-5-mini` into its parts.

    Raises:
        ValueError: not a known form; the message lists those.
    """
    provider, _, model = value.partition(":")
    if value == "scripted" or (provider in ("openai", "ollama") and model.strip()):
        return ModelName(provider, model.strip())
    forms = "; ".join(f"{form} ({about})" for form, about in KNOWN_FORMS.items())
    raise ValueError(f"{value!r} is not a model that is known. Known forms: {forms}")
