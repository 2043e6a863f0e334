"""The request to an autoscaler lasts as long as the run."""

from __future__ import annotations

import json

import pytest
from ray._private.ray_constants import AUTOSCALER_RESOURCE_REQUEST_CHANNEL
from ray.experimental.internal_kv import _internal_kv_get

from cluster.host.autoscaling import hold_resources

pytestmark = pytest.mark.slow


def requested() -> list[dict[str, float]]:
    """Return what Ray's autoscaler is asked for."""
    found: list[dict[str, float]] = json.loads(_internal_kv_get(AUTOSCALER_RESOURCE_REQUEST_CHANNEL))
    return found


def test_request_is_held_and_ends_with_the_run(local_ray: None) -> None:
    bundles = [{"CPU": 1.0, "GPU": 4.0}, {}, {"CPU": 8.0}]
    with pytest.raises(KeyError), hold_resources(bundles):
        assert requested() == [{"CPU": 1.0, "GPU": 4.0}, {"CPU": 8.0}]
        raise KeyError
    assert requested() == []
