"""Tokens, keys and database URLs: wrong, missing, rotated."""

from __future__ import annotations

from typing import Literal

from kube_emulator.store import Body
from operator_world.discord import TOKEN
from operator_world.world import World

OTHER = "MTE5MTE2ODkxNDIyNzIwMDAwMQ.other.rotated"


def secret_hash(world: World, name: str) -> str:
    """The annotation by which a Deployment's pods roll with their Secrets."""
    annotations = world.deployment(name)["spec"]["template"]["metadata"]["annotations"]
    return str(annotations.get("botswain.dev/token-hash")) + str(annotations["botswain.dev/secrets-hash"])


async def test_wrong_token_starts_nothing(world: World) -> None:
    """A token that Discord refuses is told as such; no discord-service pod is made to try it over and over."""
    world.secret("token", token="wrong")
    world.bot()
    await world.until(world.is_("TokenValid", "False", "Refused"), "the token is told to be refused")
    await world.quiet()
    assert world.replicas() == {}
    assert world.condition("Ready")["reason"] == "Refused"
    assert "developer portal" in world.condition("Ready")["message"]
    world.secret("token", token=TOKEN)
    await world.until(world.is_("Ready", "True"), "the right token starts it")


async def test_token_that_stops_being_valid_stops_its_replicas(world: World) -> None:
    """Replicas that run with a refused token are scaled to zero: each try would be one more refusal at Discord."""
    world.bot(sharding={"shards": 2, "replicas": 2})
    await world.until(world.is_("Progressing", "False", "Complete"), "the rollout is complete")
    world.discord.valid.clear()
    await world.restart()
    await world.until(world.is_("TokenValid", "False", "Refused"), "the token is told to be refused")
    await world.until(
        lambda: {world.deployment(name)["spec"]["replicas"] for name in world.replicas()} == {0},
        "the replicas are stopped",
    )
    await world.until(
        lambda: any(event.startswith("Refused: TokenValid") for event in world.events()), "an event tells it"
    )


async def test_rotation_to_a_wrong_token_leaves_the_running_replicas_alone(world: World) -> None:
    """The old token may still be good: what runs with it goes on."""
    world.bot(sharding={"shards": 2, "replicas": 2})
    await world.until(world.is_("Progressing", "False", "Complete"), "the rollout is complete")
    before = {
        name: secret_hash(world, name) for name in ("harbour-discord-0", "harbour-discord-1", "harbour-execution")
    }
    world.secret("token", token="mistyped")
    await world.until(world.is_("TokenValid", "False", "Refused"), "the new token is told to be refused")
    await world.quiet()
    assert {name: secret_hash(world, name) for name in before} == before
    assert {world.deployment(name)["spec"]["replicas"] for name in before} == {1}
    assert world.condition("Ready")["status"] == "True"


async def test_rotated_token_rolls_everything_that_holds_it(world: World) -> None:
    """discord-service and execution take the new token; the orchestrator, which has none, stays."""
    world.bot(sharding={"shards": 2, "replicas": 2})
    await world.until(world.is_("Progressing", "False", "Complete"), "the rollout is complete")
    holders = ("harbour-discord-0", "harbour-discord-1", "harbour-execution")
    before = {name: secret_hash(world, name) for name in (*holders, "harbour-orchestrator")}
    world.discord.valid.add(OTHER)
    world.secret("token", token=OTHER)
    await world.until(lambda: all(secret_hash(world, name) != before[name] for name in holders), "all holders roll")
    assert secret_hash(world, "harbour-orchestrator") == before["harbour-orchestrator"]
    await world.until(world.is_("Progressing", "False", "Complete"), "the rollout is complete")


async def test_missing_secret_is_named_and_waited_for(world: World) -> None:
    """A Secret or key that isn't there is told by name, with the keys there are; it starts when it comes."""
    world.bot(tokenSecretRef={"name": "token", "key": "discord"})
    await world.until(world.is_("Ready", "False", "SecretMissing"), "the missing key is told")
    assert (
        "key 'discord' of the Secret 'token' is missing or not text (keys there: token)"
        in world.condition("Ready")["message"]
    )
    world.change(tokenSecretRef={"name": "late", "key": "token"})
    await world.until(lambda: "no Secret 'late'" in world.condition("Ready")["message"], "the missing Secret is told")
    world.secret("late", token=TOKEN)
    await world.until(world.is_("Ready", "True"), "it starts when the Secret comes")


async def test_model_key_and_database_url_roll_the_orchestrator(world: World) -> None:
    """A changed key or URL rolls the orchestrator; PostgreSQL needs no volume and rolls without a gap."""
    world.secret("model", **{"api-key": "one"})
    world.secret("database", url="postgresql://bot:pw@db.example.com:6432/bots")
    world.bot(
        agent={"model": "openai:gpt-x", "apiKeySecretRef": {"name": "model"}},
        database={"urlSecretRef": {"name": "database"}},
    )
    await world.until(world.is_("Ready", "True"), "the bot is ready")
    assert world.names("", "persistentvolumeclaims") == []
    orchestrator = world.deployment("harbour-orchestrator")
    assert orchestrator["spec"]["strategy"]["type"] == "RollingUpdate"
    policy = world.find("networking.k8s.io", "networkpolicies", "harbour-orchestrator")
    assert policy is not None
    assert 6432 in [port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]]
    for secret, value in (
        ("model", {"api-key": "two"}),
        ("database", {"url": "postgresql://bot:pw2@db.example.com:6432/bots"}),
    ):
        before = secret_hash(world, "harbour-orchestrator")
        world.secret(secret, **value)
        await world.until(lambda: secret_hash(world, "harbour-orchestrator") != before, f"a new {secret} rolls it")  # noqa: B023


async def test_url_of_another_database_is_told(world: World) -> None:
    """Several orchestrators on a file would each have their own: a URL that is no PostgreSQL's is named as such."""
    world.secret("database", url="sqlite:////data/secret-name.db")
    world.bot(database={"urlSecretRef": {"name": "database"}}, orchestrator={"replicas": 2})
    await world.until(world.is_("DatabaseReachable", "False", "SecretMissing"), "the URL is told to be wrong")
    told = world.condition("DatabaseReachable")["message"]
    assert "key 'url' of the Secret 'database' is not a postgresql:// URL" in told
    assert "secret-name" not in str(world.status())
    world.secret("database", url="postgresql://bot:pw@db.example.com/bots")
    await world.until(world.is_("Ready", "True"), "the bot is ready")
    budget = world.find("policy", "poddisruptionbudgets", "harbour-orchestrator")
    assert budget is not None
    assert budget["spec"]["maxUnavailable"] == 1


async def test_autoscaler_takes_over_the_replicas_there_are(world: World) -> None:
    """A Deployment that is left to an autoscaler keeps its number until that changes it, and nobody changes it back."""
    world.secret("database", url="postgresql://bot:pw@db.example.com/bots")
    world.bot(database={"urlSecretRef": {"name": "database"}}, orchestrator={"replicas": 3})
    await world.until(world.is_("Progressing", "False", "Complete"), "the bot is complete")
    seen = set()

    def look(body: Body) -> Literal["ready"]:
        if body["metadata"]["name"] == "harbour-orchestrator":
            seen.add(body["spec"]["replicas"])
        return "ready"

    world.emulator.workloads.fate = look
    world.change(orchestrator={"autoscaling": {"minReplicas": 2, "maxReplicas": 5}})
    await world.until(
        lambda: world.find("autoscaling", "horizontalpodautoscalers", "harbour-orchestrator") is not None, "it is there"
    )
    await world.until(world.is_("Progressing", "False", "Complete"), "the bot is complete")
    world.patch("apps", "deployments", "harbour-orchestrator", {"spec": {"replicas": 4}})
    world.change(agent={"systemPrompt": "Be kind."})
    await world.until(world.is_("Progressing", "False", "Complete"), "the bot is complete")
    await world.quiet()
    assert world.deployment("harbour-orchestrator")["spec"]["replicas"] == 4
    assert seen == {3, 4}
    world.change(orchestrator={"autoscaling": None, "replicas": 2})
    await world.until(lambda: world.deployment("harbour-orchestrator")["spec"]["replicas"] == 2, "it is scaled by hand")


async def test_secrets_are_in_no_log_status_or_event(world: World) -> None:
    """Neither the token nor the generated secret shows anywhere but in Secrets."""
    world.bot()
    await world.until(world.is_("Ready", "True"), "the bot is ready")
    world.discord.valid.clear()
    world.secret("token", token="another-wrong-token-value")
    await world.until(world.is_("TokenValid", "False", "Refused"), "the token is told to be refused")
    told = f"{world.operator.log}{world.status()}{world.events()}{world.deployment('harbour-discord-0')}"
    assert TOKEN not in told
    assert "another-wrong-token-value" not in told


async def test_slow_discord_holds_up_no_other_bot(world: World) -> None:
    """While Discord doesn't answer about one bot, another's changes are made."""
    world.bot("first")
    await world.until(world.is_("Ready", "True", bot="first"), "the first bot is ready")
    world.discord.answers.clear()
    for number in range(20):
        world.bot(f"waiting-{number}")
    world.change("first", execution={"replicas": 2})
    await world.until(
        lambda: world.deployment("first-execution")["spec"]["replicas"] == 2, "the first bot's change is made"
    )
    world.discord.answers.set()
    await world.until(world.is_("Ready", "True", bot="waiting-19"), "the others come up then")
