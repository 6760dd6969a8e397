"""The steps of a rollout, by examples and by walking whole rollouts in every order that pods may become ready."""

from __future__ import annotations

from dataclasses import replace

from botswain_operator.observed import Observed, Replica, Token
from botswain_operator.resources import Plan, build_resources
from hypothesis import given
from hypothesis import strategies as st
from operator_world.examples import TOKEN, bot, facts, observed, replicas_of, workload


def states(plan: Plan) -> dict[int, str]:
    return {step.number: step.state for step in plan.rollout.steps}


def test_first_replica_starts_alone_while_limits_are_unknown() -> None:
    """Without Discord's figures new replicas start one at a time."""
    plan = build_resources(bot(sharding={"shards": 3, "replicas": 3}), observed(gateway=None))
    assert states(plan) == {0: "Starting", 1: "Waiting", 2: "Waiting"}


def test_serving_replica_waits_for_the_one_that_starts() -> None:
    """An image change touches no serving replica while another is starting."""
    spec = {"sharding": {"shards": 2, "replicas": 2}}
    running = _all_ready(spec)
    changed = build_resources(bot(**spec, images={"tag": "2"}), observed(replicas=running))
    assert states(changed) == {0: "Starting", 1: "Outdated"}
    half = {**running, **replicas_of(changed, ready=False)}
    assert states(build_resources(bot(**spec, images={"tag": "2"}), observed(replicas=half))) == {
        0: "Starting",
        1: "Outdated",
    }


def test_running_replica_waits_for_the_new_orchestrator() -> None:
    """A change of everything replaces the orchestrator first, without which no replica gets ready; stopped ones don't wait."""
    changed, running = bot(images={"tag": "2"}), _all_ready({})
    before = workload("harbour-orchestrator")
    plan = build_resources(changed, observed(replicas=running, orchestrator=before))
    assert states(plan) == {0: "Outdated"}
    assert plan.rollout.waiting == "the new orchestrator to be ready"
    manifest = next(
        body for body in plan.manifests if body["metadata"]["name"] == before.name and body["kind"] == "Deployment"
    )
    new = replace(before, annotations=manifest["metadata"]["annotations"])
    for orchestrator, state in (
        (replace(new, ready=0), "Outdated"),
        (replace(new, generation=2), "Outdated"),
        (new, "Starting"),
    ):
        assert states(build_resources(changed, observed(replicas=running, orchestrator=orchestrator))) == {0: state}
    stopped = {0: replace(running[0], workload=replace(running[0].workload, wanted=0))}
    assert states(build_resources(changed, observed(replicas=stopped, orchestrator=before))) == {0: "Starting"}


def test_token_that_is_being_checked_changes_nothing() -> None:
    """While Discord is asked about a new token, replicas stay as they are, and none is deleted."""
    spec = {"sharding": {"shards": 2, "replicas": 2}}
    running = _all_ready(spec)
    plan = build_resources(bot(**spec), observed(replicas=running, token=Token("pending", hash="bbbb")))
    assert replicas_of(plan) == {}
    assert {"harbour-discord-0", "harbour-discord-1"} <= plan.kept


def test_old_set_goes_only_when_the_new_one_is_complete() -> None:
    """Deployments of another shard set are kept until all of the wanted set are ready."""
    running = _all_ready({"sharding": {"shards": 1}})
    wanted = bot(sharding={"shards": 2})
    first = build_resources(wanted, observed(replicas=running))
    assert first.kept == {"harbour-discord-0"}
    done = build_resources(wanted, observed(replicas={**running, **replicas_of(first)}))
    assert done.rollout.retire == (0,)
    assert done.kept == frozenset()


def test_overtaken_reshard_leaves_nothing_behind() -> None:
    """When the spec changes again in the middle of a re-shard, the half-made set goes at once and the serving one stays."""
    serving = _all_ready({"sharding": {"shards": 1}})
    half = replicas_of(build_resources(bot(sharding={"shards": 2}), observed(replicas=serving)), ready=False)
    plan = build_resources(bot(sharding={"shards": 3}), observed(replicas={**serving, **half}))
    assert plan.rollout.retire == (1,)
    assert plan.kept == {"harbour-discord-0"}
    assert states(plan) == {2: "Starting", 0: "Retiring"}


def test_reserve_is_never_spent() -> None:
    """A replica whose shards would eat into the last tenth of the budget waits."""
    plan = build_resources(bot(sharding={"shards": 5}), observed(gateway=facts(identify_remaining=104)))
    assert states(plan) == {0: "Waiting"}
    assert "needs 5 IDENTIFYs; 104 of 1000 are left" in plan.rollout.budget_short


@given(
    before=st.tuples(st.integers(1, 6), st.integers(1, 3)),
    after=st.tuples(st.integers(1, 6), st.integers(1, 3)),
    concurrency=st.integers(1, 3),
    order=st.randoms(use_true_random=False),
)
def test_any_rollout_ends_and_never_leaves_a_shard_unserved(
    before: tuple[int, int], after: tuple[int, int], concurrency: int, order: object
) -> None:
    """From any set to any other, with a new image at once: all shards stay served, at most `max_concurrency` replicas start at a
    time, and it ends with the wanted set alone."""
    old = {"sharding": {"shards": max(before), "replicas": min(before)}}
    wanted = bot(sharding={"shards": max(after), "replicas": min(after)}, images={"tag": "2"})
    seen: dict[int, Replica] = _all_ready(old)
    for _ in range(100):
        world = observed(replicas=seen, gateway=facts(max_concurrency=concurrency))
        plan = build_resources(wanted, world)
        applied = replicas_of(plan, ready=False)
        for number, replica in applied.items():
            if number not in seen or seen[number].template_hash != replica.template_hash:
                # The old pod serves on beside the new one where there is one: nothing is unserved, but it isn't complete.
                serving = number in seen and seen[number].workload.ready
                seen[number] = replace(
                    replica, workload=replace(replica.workload, ready=1 if serving else 0, current=2)
                )
        for number in plan.rollout.retire:
            del seen[number]
        assert _served(world), "all shards of one set are served"
        starting = [number for number, replica in seen.items() if not replica.workload.complete]
        assert len(starting) <= concurrency
        if not starting:
            break
        chosen = order.choice(sorted(starting))  # type: ignore[attr-defined] # a Random that hypothesis controls
        seen[chosen] = replace(seen[chosen], workload=replace(seen[chosen].workload, ready=1, current=1, updated=1))
    assert {replica.set_key for replica in seen.values()} == {f"{max(after)}x{min(after)}"}
    assert build_resources(wanted, observed(replicas=seen)).rollout.complete


def _all_ready(spec: dict[str, object]) -> dict[int, Replica]:
    """The replicas of a bot that has come up."""
    seen: dict[int, Replica] = {}
    for _ in range(20):
        plan = build_resources(bot(**spec), observed(replicas=seen))
        seen |= replicas_of(plan)
        if plan.rollout.complete:
            break
    return seen


def _served(world: Observed) -> bool:
    by_count: dict[int, set[int]] = {}
    for replica in world.replicas.values():
        if replica.workload.ready:
            by_count.setdefault(replica.shard_count, set()).update(replica.shard_ids)
    return any(len(ids) == count for count, ids in by_count.items())


def test_refused_token_stops_only_those_that_hold_it() -> None:
    """A replica that runs with the refused token is scaled to zero; one with another token is left alone."""
    spec = {"sharding": {"shards": 2, "replicas": 2}}
    running = _all_ready(spec)
    refused = replace(TOKEN, state="invalid")
    plan = build_resources(bot(**spec), observed(replicas=running, token=refused))
    assert {
        manifest["spec"]["replicas"]
        for manifest in plan.manifests
        if "-discord-" in manifest["metadata"]["name"] and manifest["kind"] == "Deployment"
    } == {0}
    other = build_resources(bot(**spec), observed(replicas=running, token=replace(refused, hash="cccc")))
    assert replicas_of(other) == {}
    assert len(other.kept) == 2
