"""deploy/kuberay: the fields of KubeRay's resources, the rules that its operator adds to them, and what must agree."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ray._private.label_utils import validate_node_labels

from cluster.cli import parse_arguments
from tests.deploy.kuberay_schema import SCHEMAS
from tests.deploy.manifests import ROLE_LABEL, ROLES, ROOT, kuberay_objects, locked_version

OBJECTS = kuberay_objects()
CLUSTER = OBJECTS["RayCluster", "raystar"]["spec"]
JOB = OBJECTS["RayJob", "raystar-gsm8k-qwen"]["spec"]
CUSTOM = [document for (kind, _), document in OBJECTS.items() if kind in SCHEMAS]


def groups(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the head's group and the workers' by name."""
    return {"head": spec["headGroupSpec"], **{group["groupName"]: group for group in spec["workerGroupSpecs"]}}


def containers(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for group in groups(spec).values():
        yield from group["template"]["spec"]["containers"]


@pytest.mark.parametrize("document", CUSTOM, ids=lambda document: str(document["kind"]))
def test_resources_have_only_fields_that_kuberay_has(document: dict[str, Any]) -> None:
    schema = SCHEMAS[document["kind"]]
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert list(validator.iter_errors(document)) == []


@pytest.mark.parametrize(
    "path", [("authOption",), ("headGroupSpec", "rayStartParam"), ("workerGroupSpecs", 0, "minReplica")], ids=str
)
def test_a_misspelt_field_is_refused(path: tuple[Any, ...]) -> None:
    document = deepcopy(OBJECTS["RayCluster", "raystar"])
    place = document["spec"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = {}
    with pytest.raises(jsonschema.ValidationError, match=str(path[-1])):
        jsonschema.validate(document, SCHEMAS["RayCluster"])


def test_a_job_has_the_cluster_of_raycluster_without_redis() -> None:
    assert JOB["rayClusterSpec"] == {key: value for key, value in CLUSTER.items() if key != "gcsFaultToleranceOptions"}


def test_ray_is_the_one_of_the_lock_and_asks_for_a_token() -> None:
    assert CLUSTER["rayVersion"] == locked_version("ray") == locked_version("ray", "cpu.lock")
    assert CLUSTER["authOptions"] == {"mode": "token"}


def test_groups_are_labelled_with_their_roles() -> None:
    assert {name: group["labels"] for name, group in groups(CLUSTER).items()} == {
        role: {ROLE_LABEL: role} for role in ROLES
    }
    for group in groups(CLUSTER).values():
        validate_node_labels(group["labels"])
        assert "labels" not in group["rayStartParams"]  # the operator refuses them there


def test_groups_hold_the_rules_of_the_operator() -> None:
    assert CLUSTER["autoscalerOptions"]["version"] == "v2"
    for group in groups(CLUSTER).values():
        pod = group["template"]["spec"]
        assert pod["restartPolicy"] == "Never"  # asked for by the second autoscaler
        assert pod["containers"][0]["name"].startswith("ray-")  # the first container is Ray's
    for group in CLUSTER["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", group["groupName"])
    (name,) = [name for kind, name in OBJECTS if kind == "RayJob"]
    assert re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", name)
    assert len(name) <= 47
    assert JOB["ttlSecondsAfterFinished"] == 0 or JOB["shutdownAfterJobFinishes"]


def test_gpu_group_alone_asks_for_gpus_and_the_head_for_none() -> None:
    asked = {
        name: group["template"]["spec"]["containers"][0]["resources"]["limits"].get("nvidia.com/gpu")
        for name, group in groups(CLUSTER).items()
    }
    assert asked == {"head": None, "gpu": "8", "executor": None}
    assert CLUSTER["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"


def test_pods_run_without_privileges_under_the_default_profile() -> None:
    for group in groups(CLUSTER).values():
        context = group["template"]["spec"]["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers(CLUSTER):
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_pods_of_model_written_code_have_no_kubernetes_token() -> None:
    assert {
        name: group["template"]["spec"]["automountServiceAccountToken"] for name, group in groups(CLUSTER).items()
    } == {
        "head": True,  # its autoscaler asks for pods
        "gpu": False,
        "executor": False,
    }


def test_all_pods_mount_the_shared_claim() -> None:
    claim = OBJECTS["PersistentVolumeClaim", "raystar-shared"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for group in groups(CLUSTER).values():
        pod = group["template"]["spec"]
        (volume,) = pod["volumes"]
        assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        assert [mount["name"] for mount in pod["containers"][0]["volumeMounts"]] == [volume["name"]]


def test_redis_of_the_cluster_is_the_one_of_the_manifest() -> None:
    options = CLUSTER["gcsFaultToleranceOptions"]
    service, workload = OBJECTS["Service", "raystar-redis"], OBJECTS["StatefulSet", "raystar-redis"]
    assert options["redisAddress"] == f"{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"
    assert service["spec"]["selector"] == workload["spec"]["template"]["metadata"]["labels"]
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    assert container["env"][0]["valueFrom"] == options["redisPassword"]["valueFrom"]


def test_no_secret_stands_in_a_manifest() -> None:
    assert not [name for kind, name in OBJECTS if kind == "Secret"]
    for container in containers(CLUSTER):
        for variable in container["env"]:
            is_secret = any(word in variable["name"] for word in ("TOKEN", "PASSWORD", "KEY"))
            assert ("valueFrom" in variable) == is_secret


def test_entrypoint_of_the_job_is_a_command_of_ours() -> None:
    program, *words = shlex.split(JOB["entrypoint"])
    assert (program, words[0], words[1]) == ("env", "--chdir=/raystar", "raystar")
    arguments = parse_arguments(words[2:])
    assert (ROOT / arguments.config).is_file()
    assert Path(arguments.run_dir).is_relative_to("/shared")
    (gpu,) = [group for group in CLUSTER["workerGroupSpecs"] if group["groupName"] == "gpu"]
    cards = int(gpu["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"])
    assert arguments.overrides == [f"--ray.max_gpus={gpu['maxReplicas'] * cards}"]
