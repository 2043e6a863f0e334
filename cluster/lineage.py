"""The models a run works with at one moment, and how they follow from the decisions of finished rounds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from search.data import ModelRef

POLICY, PPM, SECOND = "policy", "ppm", "second"
ASK_A_SECOND = ("rstar", "sphere")  # strategies


@dataclass(frozen=True, slots=True)
class Models:
    """The promoted models: ``base`` never changes, ``policy`` searches, ``ppm`` scores once there is one."""

    base: ModelRef
    policy: ModelRef
    ppm: ModelRef | None = None

    def promote(self, model: ModelRef) -> Models:
        """The same with ``model`` in its role."""
        return replace(self, ppm=model) if model.role == PPM else replace(self, policy=model)


def second(models: Models, wanted: str | None, strategy: str) -> ModelRef | None:
    """The second policy of a search: "policy", "base" or a directory; None for a strategy that asks none."""
    if wanted is None or strategy not in ASK_A_SECOND:
        return None
    path = {"policy": models.policy.path, "base": models.base.path}.get(wanted, wanted)
    return models.policy if path == models.policy.path else model_ref(SECOND, path, 0)


def model_ref(role: str, path: object, round_number: int) -> ModelRef:
    """A model made in a round; its weight version is the round, since a round makes one model a role."""
    return ModelRef(role=role, path=str(path), round=round_number, version=round_number)
