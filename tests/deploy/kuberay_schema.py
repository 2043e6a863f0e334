"""The fields of KubeRay's RayCluster and RayJob (API ray.io/v1, KubeRay 1.7) that our manifests use, as JSON schemas.

Written from KubeRay's API reference; closed, so that a field that is misspelt, or that nobody has looked up, is refused.
Pod templates are core objects, which kubernetes-validate checks. The whole CRDs, a megabyte each, are not kept here:
``KUBERAY_CRDS`` names a directory of them for test_kuberay_crds.py.
"""

from __future__ import annotations

from typing import Any

TEXT, BOOL, COUNT = {"type": "string"}, {"type": "boolean"}, {"type": "integer", "minimum": 0}
TEXTS = {"type": "object", "additionalProperties": TEXT}
POD_TEMPLATE = {"type": "object", "required": ["spec"]}


def record(required: tuple[str, ...] = (), /, **fields: Any) -> dict[str, Any]:
    """Return the schema of an object with these fields and no other."""
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": fields}


SECRET_KEY = record(("name", "key"), name=TEXT, key=TEXT, optional=BOOL)
CREDENTIAL = record(valueFrom=record(("secretKeyRef",), secretKeyRef=SECRET_KEY))
HEAD_GROUP = record(("template",), rayStartParams=TEXTS, labels=TEXTS, template=POD_TEMPLATE)
WORKER_GROUP = record(
    ("groupName", "minReplicas", "maxReplicas", "template"),
    groupName=TEXT,
    replicas=COUNT,
    minReplicas=COUNT,
    maxReplicas=COUNT,
    rayStartParams=TEXTS,
    labels=TEXTS,
    template=POD_TEMPLATE,
)
CLUSTER_SPEC = record(
    ("rayVersion", "headGroupSpec"),
    rayVersion=TEXT,
    authOptions=record(mode={"enum": ["disabled", "token"]}),
    gcsFaultToleranceOptions=record(
        redisAddress=TEXT, redisPassword=CREDENTIAL, externalStorageNamespace=TEXT, backend={"enum": ["redis"]}
    ),
    enableInTreeAutoscaling=BOOL,
    autoscalerOptions=record(
        version={"enum": ["v1", "v2"]}, idleTimeoutSeconds=COUNT, securityContext={"type": "object"}
    ),
    headGroupSpec=HEAD_GROUP,
    workerGroupSpecs={"type": "array", "items": WORKER_GROUP},
)
JOB_SPEC = record(
    ("entrypoint", "rayClusterSpec"),
    entrypoint=TEXT,
    submissionMode={"enum": ["K8sJobMode", "HTTPMode", "SidecarMode", "InteractiveMode"]},
    backoffLimit=COUNT,
    shutdownAfterJobFinishes=BOOL,
    ttlSecondsAfterFinished=COUNT,
    preRunningDeadlineSeconds={"type": "integer", "minimum": 1},
    activeDeadlineSeconds={"type": "integer", "minimum": 1},
    rayClusterSpec=CLUSTER_SPEC,
)
METADATA = record(("name",), name=TEXT, labels=TEXTS, annotations=TEXTS)


def custom_resource(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a resource of KubeRay."""
    required = ("apiVersion", "kind", "metadata", "spec")
    return record(required, apiVersion={"const": "ray.io/v1"}, kind={"const": kind}, metadata=METADATA, spec=spec)


SCHEMAS = {"RayCluster": custom_resource("RayCluster", CLUSTER_SPEC), "RayJob": custom_resource("RayJob", JOB_SPEC)}
