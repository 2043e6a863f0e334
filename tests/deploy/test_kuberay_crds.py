"""deploy/kuberay checked by KubeRay's own CRDs, which lie in its repository under ray-operator/config/crd/bases.

They are not kept here: name a directory of them in KUBERAY_CRDS.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.deploy.manifests import kuberay_objects

CRDS = os.environ.get("KUBERAY_CRDS")
pytestmark = pytest.mark.skipif(not CRDS, reason="KUBERAY_CRDS names no directory with KubeRay's CRDs")
OBJECTS = [document for (kind, _), document in kuberay_objects().items() if kind.startswith("Ray")]


def closed(schema: Any) -> Any:
    """Return a schema of a CRD that refuses unknown fields, which Kubernetes drops without a word."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: closed(value) for key, value in schema.items()}
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and not is_open:
        result["additionalProperties"] = False
    return result


@pytest.mark.parametrize("document", OBJECTS, ids=lambda document: str(document["kind"]))
def test_resource_fits_the_crd_of_kuberay(document: dict[str, Any]) -> None:
    path = Path(str(CRDS)) / f"ray.io_{document['kind'].lower()}s.yaml"
    versions = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["spec"]["versions"]
    (schema,) = [version["schema"]["openAPIV3Schema"] for version in versions if version["name"] == "v1"]
    schema["properties"]["metadata"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    validator = jsonschema.Draft202012Validator(closed(schema))
    assert [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(document)] == []
