"""List the sections of a config whose engines serve models, each with the models' shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from actors.config import EngineConfig
from cluster.capacity.bundles import POLICY, REWARD_MODEL, SECOND_POLICY, GroupNeed
from cluster.capacity.groups import engine_group, longest_sequence
from cluster.capacity.memory.estimate import ModelShape, held_sequences

MOST_SEQUENCES = 256  # at once in one engine
# Of GPUs: a policy writes every token in a pass of its own, and a reward model reads a step in one.
POLICY_WEIGHT, REWARD_MODEL_WEIGHT = 3, 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRole:
    """One section of a config that describes engines.

    Attributes:
        section: "policy.engine".
        roles: of the models that engines of the section serve, each by ``engine.replicas`` engines.
        engine: the section, with auto where a value is to be chosen.
        shapes: of these models, as far as they are known.
    """

    section: str
    roles: tuple[str, ...]
    engine: EngineConfig
    shapes: tuple[ModelShape, ...]

    @property
    def weight(self) -> int:
        """Share of the GPUs that the section's models together should get."""
        return REWARD_MODEL_WEIGHT if REWARD_MODEL in self.roles else POLICY_WEIGHT * len(self.roles)

    @property
    def context(self) -> int:
        """Tokens of the longest sequence."""
        return longest_sequence(self.engine, self.shapes)

    def held(self, engine: EngineConfig, card: float) -> int:
        """Return how many sequences an engine holds at once, of its largest model; negative where weights do not fit."""
        counts = [held_sequences(shape, engine, card, context=self.context) for shape in self.shapes]
        return min(counts, default=MOST_SEQUENCES)

    def groups(self, engine: EngineConfig) -> Iterator[GroupNeed]:
        """Yield what the engines of each of the section's models take."""
        for role in self.roles:
            yield engine_group(role, engine, max(self.shapes, key=lambda shape: shape.parameters, default=None))


def engine_sections(
    policy: EngineConfig,
    reward_model: EngineConfig,
    further: Mapping[str, tuple[str, EngineConfig]],
    shapes: Mapping[str, ModelShape],
    served: Sequence[str],
) -> list[EngineRole]:
    """Return the sections whose engines serve models in the roles ``served``, the policy's first.

    ``further``: section and engines of the policies beside the first, by role.
    """
    sections = [
        EngineRole(section="policy.engine", roles=(), engine=policy, shapes=()),
        *(
            EngineRole(section=section, roles=(role,), engine=engine, shapes=())
            for role, (section, engine) in further.items()
        ),
        EngineRole(section="reward_model.engine", roles=(REWARD_MODEL,), engine=reward_model, shapes=()),
    ]
    sections[0] = replace(sections[0], roles=(POLICY, SECOND_POLICY))
    known = {**({REWARD_MODEL: shapes[POLICY]} if POLICY in shapes else {}), **shapes}
    listed = []
    for section in sections:
        roles = tuple(role for role in section.roles if role in served)
        if roles:
            of_roles = tuple(known[role] for role in roles if role in known)
            listed.append(replace(section, roles=roles, shapes=of_roles))
    return listed
