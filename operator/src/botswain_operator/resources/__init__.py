"""The manifests of everything a bot runs on, made by a pure function from its spec and what was observed."""

from botswain_operator.resources.build import Plan, build_resources
from botswain_operator.resources.defaults import Defaults

__all__ = ["Defaults", "Plan", "build_resources"]
