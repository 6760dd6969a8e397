"""What the operator and people rely on in an API server.

The same tests run on the emulator and on real clusters: what holds here and not there would be a fault of the emulator.

The bots made here are paused, so that an operator that watches the cluster runs nothing for them.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from botswain_operator import names
from botswain_operator.drift import covers, in_sync
from botswain_operator.observed import Observed, Token
from botswain_operator.resources import Defaults, build_resources
from botswain_operator.spec import read_bot


def bot(name: str = "harbour", **spec: Any) -> dict[str, Any]:
    full = {"tokenSecretRef": {"name": "token"}, "paused": True, **spec}
    return {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": {"name": name}, "spec": full}


async def test_defaults_are_filled_in(api: Any) -> None:
    """A bot that says little is stored with every default."""
    assert (await api.apply(bot())).returncode == 0
    spec = (await api.get("dbot", "harbour"))["spec"]
    assert spec["sharding"] == {"shards": "auto", "replicas": 1}
    assert spec["agent"]["model"] == "scripted"
    assert spec["tokenSecretRef"]["key"] == "token"
    assert spec["pods"]["terminationGracePeriodSeconds"] == 40


BAD: list[tuple[dict[str, Any], str]] = [
    ({"sharding": {"shards": 2, "replicas": 3}}, "sharding.replicas is more than sharding.shards"),
    ({"sharding": {"shards": "many"}}, "sharding.shards is auto or a number from 1 to 16000"),
    ({"agent": {"model": "gpt"}}, "agent.model is scripted, openai:<model> or ollama:<model>"),
    ({"agent": {"model": "ollama:llama"}}, "an ollama model needs agent.baseUrl"),
    ({"orchestrator": {"replicas": 2}}, "orchestrator.replicas above 1 needs PostgreSQL"),
    (
        {"database": {"sqlite": {}, "urlSecretRef": {"name": "x"}}},
        "give database.sqlite or database.urlSecretRef, not both",
    ),
    ({"applicationId": "abc"}, "applicationId is the number shown as Application ID"),
    ({"intents": ["all"]}, 'Unsupported value: "all"'),
    ({"shard": 3}, 'unknown field "spec.shard"'),
]


async def test_bad_bot_prints_the_reason_in_words(api: Any) -> None:
    """`kubectl apply` of a bad bot fails with a sentence that says what is wrong."""
    for spec, words in BAD:
        done = await api.apply(bot(**spec))
        assert done.returncode != 0, spec
        assert words in done.stderr


async def test_name_that_no_service_can_have_is_refused(api: Any) -> None:
    """The bot's name has to do for Services."""
    done = await api.apply(bot("a.bot"))
    assert "begins with a letter and holds lower-case letters, digits and hyphens only" in done.stderr


async def test_scale_subresource_sets_replicas(api: Any) -> None:
    """`kubectl scale` changes `sharding.replicas`, within the bounds that the spec sets."""
    await api.apply(bot(sharding={"shards": 4}))
    await api.ok("scale", "dbot/harbour", "--replicas=3")
    found = await api.get("dbot", "harbour")
    assert found["spec"]["sharding"]["replicas"] == 3
    done = await api.run("scale", "dbot/harbour", "--replicas=9")
    assert "sharding.replicas is more than sharding.shards" in done.stderr


async def test_generation_counts_specs_alone(api: Any) -> None:
    """A change of the spec makes a new generation, one of labels doesn't, and a status can't be written with the spec."""
    await api.apply(bot())
    first = (await api.get("dbot", "harbour"))["metadata"]["generation"]
    await api.ok("label", "dbot/harbour", "team=a")
    assert (await api.get("dbot", "harbour"))["metadata"]["generation"] == first
    await api.ok(
        "patch",
        "dbot/harbour",
        "--type=merge",
        "--patch",
        json.dumps({"spec": {"intents": ["guilds"]}, "status": {"replicas": 7}}),
    )
    found = await api.get("dbot", "harbour")
    assert found["metadata"]["generation"] == first + 1
    assert (found.get("status") or {}).get("replicas") != 7


async def test_columns_are_printed(api: Any) -> None:
    """`kubectl get dbot` has a column for what one wants to know first."""
    await api.apply(bot())
    header = (await api.ok("get", "dbot")).splitlines()[0].split()
    assert header == ["NAME", "READY", "REASON", "SHARDS", "REPLICAS", "TOKEN", "BOT", "MODEL", "AGE"]


def config(data: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data}


async def test_server_side_apply_guards_fields(api: Any) -> None:
    """Another manager's field is a conflict that names it; force takes it; what is left out of an apply is removed."""
    await api.apply(config({"a": "1", "b": "1"}), "--server-side", "--field-manager=first")
    done = await api.apply(config({"a": "2"}), "--server-side", "--field-manager=second")
    assert done.returncode != 0
    assert 'conflict with "first"' in done.stderr
    assert ".data.a" in done.stderr
    await api.apply(config({"a": "2"}), "--server-side", "--field-manager=second", "--force-conflicts")
    assert (await api.get("configmap", "settings"))["data"] == {"a": "2", "b": "1"}
    done = await api.apply(config({}), "--server-side", "--field-manager=first")
    assert done.returncode == 0, done.stderr
    assert (await api.get("configmap", "settings"))["data"] == {"a": "2"}


async def test_apply_that_changes_nothing_makes_no_new_version(api: Any) -> None:
    """Applying the same again leaves the resource version as it was."""
    for _ in range(2):
        assert (await api.apply(config({"a": "1"}), "--server-side", "--field-manager=first")).returncode == 0
    before = (await api.get("configmap", "settings"))["metadata"]["resourceVersion"]
    await api.apply(config({"a": "1"}), "--server-side", "--field-manager=first")
    assert (await api.get("configmap", "settings"))["metadata"]["resourceVersion"] == before


async def test_strategy_can_change_its_kind(api: Any) -> None:
    """A Deployment that is applied as rolling and then as Recreate, and back, keeps nothing of the other's fields."""
    body: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "idle"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "idle"}},
            "template": {
                "metadata": {"labels": {"app": "idle"}},
                "spec": {"containers": [{"name": "idle", "image": "idle:1"}]},
            },
        },
    }
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    for strategy in (rolling, {"type": "Recreate"}, rolling):
        body["spec"]["strategy"] = strategy
        done = await api.apply(body, "--server-side", f"--field-manager={names.FIELD_MANAGER}")
        assert done.returncode == 0, done.stderr
        assert (await api.get("deployment", "idle"))["spec"]["strategy"] == strategy


async def test_empty_value_of_a_variable_is_left_out(api: Any) -> None:
    """What is applied as an empty text is stored as nothing, and no drift."""
    container = {"name": "idle", "image": "idle:1", "env": [{"name": "EMPTY", "value": ""}]}
    spec = {
        "replicas": 0,
        "selector": {"matchLabels": {"app": "idle"}},
        "template": {"metadata": {"labels": {"app": "idle"}}, "spec": {"containers": [container]}},
    }
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "idle"}, "spec": spec}
    await api.apply(body, "--server-side", f"--field-manager={names.FIELD_MANAGER}")
    live = await api.get("deployment", "idle")
    assert live["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "EMPTY"}]
    assert covers(body["spec"], live["spec"])


async def test_replicas_can_change_hands(api: Any) -> None:
    """A number of replicas that another manager applies too stays when the first leaves it out, and falls to 1 otherwise."""
    spec: dict[str, Any] = {
        "replicas": 3,
        "paused": True,
        "selector": {"matchLabels": {"app": "idle"}},
        "template": {
            "metadata": {"labels": {"app": "idle"}},
            "spec": {"containers": [{"name": "idle", "image": "idle:1"}]},
        },
    }
    body: dict[str, Any] = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "idle"}, "spec": spec}
    handed = {**body, "spec": {"replicas": 3}}
    without = {**body, "spec": {key: value for key, value in spec.items() if key != "replicas"}}
    for steps, expected in (((body, handed, without), 3), ((body, without), 1)):
        for step, manager in zip(steps, ("first", "second" if len(steps) == 3 else "first", "first"), strict=False):
            done = await api.apply(step, "--server-side", f"--field-manager={manager}")
            assert done.returncode == 0, done.stderr
        assert (await api.get("deployment", "idle"))["spec"]["replicas"] == expected
        await api.ok("delete", "deployment", "idle")


async def test_long_list_is_one_moment_of_the_cluster(api: Any) -> None:
    """Pages of a list all show the objects as they were at the first, under its resource version."""
    for name in "abc":
        await api.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"list": "me"}}})
    where = f"/api/v1/namespaces/{api.namespace}/configmaps?labelSelector=list%3Dme&limit=2"
    first = json.loads(await api.ok("get", "--raw", where))
    await api.ok("delete", "configmap", "c")
    second = json.loads(await api.ok("get", "--raw", f"{where}&continue={first['metadata']['continue']}"))
    assert [item["metadata"]["name"] for item in first["items"] + second["items"]] == ["a", "b", "c"]
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]
    assert not second["metadata"].get("continue")


REFUSED: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    (
        "Service",
        {"spec": {"ports": [{"port": 80}], "clusterIP": "None", "selector": {"app": "a"}}},
        {"spec": {"clusterIP": "10.96.0.77"}},
        "spec.clusterIP",
    ),
    (
        "PersistentVolumeClaim",
        {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}},
        {"spec": {"accessModes": ["ReadWriteMany"]}},
        "spec is immutable after creation",
    ),
    (
        "Deployment",
        {
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {"app": "a"}},
                "template": {
                    "metadata": {"labels": {"app": "a"}},
                    "spec": {"containers": [{"name": "a", "image": "a:1"}]},
                },
            }
        },
        {"spec": {"template": {"metadata": {"labels": {"app": "b"}}}}},
        "`selector` does not match template `labels`",
    ),
]


@pytest.mark.parametrize(("kind", "body", "patch", "words"), REFUSED, ids=[kind for kind, *_ in REFUSED])
async def test_what_can_not_change_is_refused(
    api: Any, kind: str, body: dict[str, Any], patch: dict[str, Any], words: str
) -> None:
    """Immutable fields are refused by name."""
    version = "apps/v1" if kind == "Deployment" else "v1"
    done = await api.apply({"apiVersion": version, "kind": kind, "metadata": {"name": "fixed"}, **body})
    assert done.returncode == 0, done.stderr
    done = await api.run("patch", kind.lower(), "fixed", "--type=merge", f"--patch={json.dumps(patch)}")
    assert done.returncode != 0
    assert words in done.stderr


async def test_owned_objects_go_with_their_bot(api: Any) -> None:
    """Garbage collection removes what a deleted bot owned."""
    await api.apply(bot())
    uid = (await api.get("dbot", "harbour"))["metadata"]["uid"]
    owner = {"apiVersion": names.API_VERSION, "kind": names.KIND, "name": "harbour", "uid": uid}
    owned = config({})
    owned["metadata"]["ownerReferences"] = [owner]
    assert (await api.apply(owned)).returncode == 0
    await api.ok("delete", "dbot", "harbour", "--wait=false")
    await api.gone("configmap", "settings")


MANIFEST_SPECS: dict[str, dict[str, Any]] = {
    "least": {},
    "full": {
        "sharding": {"shards": 4, "replicas": 2},
        "agent": {"model": "openai:x", "systemPrompt": "Be kind.", "tools": {"channels": "any"}},
        "database": {"sqlite": {"size": "1Gi"}},
        "execution": {"replicas": 2},
        "scheduling": {
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "tolerations": [{"key": "x", "operator": "Exists"}],
        },
        "pods": {"env": [{"name": "EXTRA", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
        "networkPolicy": {"extraEgress": [{"ports": [{"port": 9000, "protocol": "TCP"}]}]},
    },
}


@pytest.mark.parametrize("spec", MANIFEST_SPECS)
async def test_manifests_are_taken_and_read_back_in_sync(api: Any, spec: str) -> None:
    """The API server takes each of the operator's manifests without a warning, and what it stores is no drift."""
    body = {
        "metadata": {"namespace": api.namespace, "name": "lonely", "uid": "none"},
        "spec": {"tokenSecretRef": {"name": "t"}, "paused": True},
    }
    body["spec"] |= MANIFEST_SPECS[spec]
    seen = Observed(token=Token("valid", hash="a", user_id="1"), last_shards=1, fresh_secret="x")
    for manifest in build_resources(read_bot(body), seen, Defaults()).manifests:
        del manifest["metadata"]["ownerReferences"]  # their owner is not there, and garbage collection would take them
        done = await api.apply(manifest, "--server-side", f"--field-manager={names.FIELD_MANAGER}")
        assert done.returncode == 0, done.stderr
        assert "Warning" not in done.stderr
        live = await api.get(manifest["kind"], manifest["metadata"]["name"])
        assert in_sync(manifest, live), f"{manifest['kind']}: {json.dumps(live)}"
