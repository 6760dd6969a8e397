"""What applies to a bot that doesn't say otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from botswain_operator import names
from botswain_operator.spec import Bot, ResourceNeeds, Spec


@dataclass(frozen=True, slots=True)
class Defaults:
    """The operator's settings as far as manifests depend on them."""

    image_registry: str = ""
    image_tag: str = "latest"
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    discord_api_url: str = "https://discord.com/api/v10"
    operator_namespace: str = "default"

    def image(self, spec: Spec, part: str) -> str:
        """The image of one part: the bot's own reference, or name and tag at the bot's or the operator's registry."""
        whole: str | None = getattr(spec.images, part)
        if whole:
            return whole
        registry = spec.images.registry if spec.images.registry is not None else self.image_registry
        name = f"{names.IMAGES[part]}:{spec.images.tag or self.image_tag}"
        return f"{registry.rstrip('/')}/{name}" if registry else f"botswain/{name}"


# Memory is what a process was measured to hold when idle, rounded up, and a limit with room for its load. CPU has no limit: a
# throttled process misses heartbeats, and Discord ends its session.
_NEEDS: dict[str, ResourceNeeds] = {
    names.DISCORD: ResourceNeeds(requests={"cpu": "50m", "memory": "128Mi"}, limits={"memory": "512Mi"}),
    names.ORCHESTRATOR: ResourceNeeds(requests={"cpu": "100m", "memory": "192Mi"}, limits={"memory": "768Mi"}),
    names.EXECUTION: ResourceNeeds(requests={"cpu": "100m", "memory": "384Mi"}, limits={"memory": "1Gi"}),
}


def needs(bot: Bot, part: str) -> dict[str, dict[str, str | int]]:
    """`resources` of a part's container."""
    own: ResourceNeeds | None = getattr(bot.spec.resources, part)
    default = _NEEDS[part]
    requests = own.requests if own and own.requests is not None else default.requests
    limits = own.limits if own and own.limits is not None else default.limits
    return {key: dict(value) for key, value in (("requests", requests), ("limits", limits)) if value}
