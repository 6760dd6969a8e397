"""The operator's settings."""

from __future__ import annotations

import pytest
from botswain_operator.errors import SettingsError
from botswain_operator.settings import load_settings


def test_lists_are_separated_by_commas() -> None:
    """Namespaces and pull secrets are lists in one variable."""
    settings = load_settings({"WATCH_NAMESPACES": "a, b,", "IMAGE_PULL_SECRETS": "x"})
    assert (settings.watch_namespaces, settings.image_pull_secrets) == (("a", "b"), ("x",))


def test_wrong_value_names_its_variable() -> None:
    """The error says which variable is wrong, and what it is."""
    with pytest.raises(SettingsError, match=r"HTTP_PORT: .*it is '99999'"):
        load_settings({"HTTP_PORT": "99999"})
