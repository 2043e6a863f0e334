"""Say what each stage of a command needs at once: ``needs(config, work)``.

Engines, executors and search workers of a stage run on into the next ones until they are stopped, before a training unless
``placement.keep_engines``. So a stage needs what it starts itself and what still runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cluster.capacity.bundles import POLICY, REWARD_MODEL, SECOND_POLICY, TRAINING, GroupNeed, StageNeed
from cluster.capacity.groups import (
    engine_group,
    executor_group,
    training_group,
    uses_gpus,
    worker_group,
)
from cluster.capacity.memory.estimate import ModelShape, shape_of_recipe
from cluster.config.run_config import RunConfig
from search.config import SearchConfig
from search.protocols import policy_role
from search.strategies.registry import entry_of, revise
from train.config import TrainConfig
from train.rules.base import RuleInput

BASE = "base"  # in second_policy and policies: the policy that the run begins with
# By role of the model that is served, and that a training starts from (TRAINING; default: the policy's). A role whose
# model's shape is not known is left out.
Shapes = Mapping[str, ModelShape]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a command line has a command do, as far as its needs depend on it.

    Attributes:
        command: name of the command; empty for one that starts no actors.
        names_policy: an option names the policy, so that the built-in one is not made.
        names_reward_model: an option names a reward model, whose engines are started.
        trains: role of the model that ``raystar train`` trains.
        draws: a command that scores steps draws samples first; False where they are stored.
    """

    command: str = ""
    names_policy: bool = False
    names_reward_model: bool = False
    trains: str = POLICY
    draws: bool = True


def needs(config: RunConfig, work: Work, shapes: Shapes | None = None) -> tuple[StageNeed, ...]:
    """Return what the stages of a command need, in their order; none of a command that starts no actors."""
    stages = _Stages(config, shapes or {}, serves_reward_model=work.names_reward_model)
    if work.command == "evolve":
        stages.evolve()
    elif work.command in ("search", "solve"):
        stages.base_policy(work)
        stages.serve("search", [config.search], scored=True)
    elif work.command == "evaluate":
        stages.base_policy(work)
        stages.evaluate(0)
    elif work.command == "compare":
        stages.base_policy(work)
        contenders = [entry.search(config.evaluation.search) for entry in config.compare.strategies.values()]
        stages.serve("compare", contenders, scored=any(entry_of(search).reads_scores for search in contenders))
    elif work.command in ("eval-reward-model", "select"):
        stages.score_steps(work)
    elif work.command == "train":
        stages.base_policy(work)
        objective = config.method.objective(work.trains == POLICY)
        stages.train(f"train_{work.trains}", [(getattr(config.train, work.trains), objective)])
    return tuple(stages.listed)


@dataclass(slots=True)
class _Stages:
    """Lists stages with what runs in each. ``running``: the groups that are not stopped yet, by role."""

    config: RunConfig
    shapes: Shapes
    serves_reward_model: bool = False
    base_is_policy: bool = True
    serves_others: bool = False
    running: dict[str, GroupNeed] = field(default_factory=dict)
    listed: list[StageNeed] = field(default_factory=list)

    def base_policy(self, work: Work | None = None) -> None:
        """List the training of the built-in base policy, where the command makes one."""
        policy = self.config.policy
        is_named = policy.path is not None or policy.endpoint is not None or (work is not None and work.names_policy)
        if not is_named:
            shape = shape_of_recipe(policy.recipe.size)
            group = training_group(policy.recipe.train, shape, "sft", on_gpus=uses_gpus(self.config))
            self.listed.append(StageNeed("r0/base", (group,)))

    def serve(self, stage: str, searches: Iterable[SearchConfig], *, scored: bool, policy: bool = True) -> None:
        """List a stage that runs searches. ``scored``: a reward model scores, if there is one."""
        config = self.config
        if policy:
            self._start_policies(searches)
            self._add(executor_group(config.executor), worker_group(config))
        if scored and self.serves_reward_model:
            # A reward model that a round trains has the shape of the policy.
            shape = self.shapes.get(REWARD_MODEL) or self.shapes.get(POLICY)
            self._add(engine_group(REWARD_MODEL, config.reward_model.engine, shape))
        self._count_policies()
        self.listed.append(StageNeed(stage, tuple(self.running.values())))

    def train(self, stage: str, trainings: Iterable[tuple[TrainConfig, str]]) -> None:
        """List a stage that trains models side by side, each by settings and objective; engines run on if they are kept."""
        on_gpus, shape = uses_gpus(self.config), self.shapes.get(TRAINING) or self.shapes.get(POLICY)
        groups = [training_group(settings, shape, objective, on_gpus=on_gpus) for settings, objective in trainings]
        self.listed.append(StageNeed(stage, (*self.running.values(), *groups)))

    def evaluate(self, number: int) -> None:
        """List the evaluation after a round."""
        settings = self.config.evaluation
        searches = [settings.greedy(), settings.sampled()]
        scored = self.serves_reward_model or self.config.reward_model.endpoint is not None
        if scored or entry_of(settings.search).chooses_without_scores:
            searches.append(settings.search)
        if self.config.problems.evaluation:
            self.serve(f"r{number}/evaluate", searches, scored=True)

    def score_steps(self, work: Work) -> None:
        """List the stages that draw samples, and score their steps."""
        if work.draws:
            self.base_policy(work)
            self.serve("samples", [self.config.evaluation.sampled()], scored=False)
            self.running.clear()
        self.serve("scores", (), scored=True, policy=False)

    def evolve(self) -> None:
        """List the stages of all rounds."""
        self.serves_reward_model = self.config.reward_model.path is not None
        self.base_policy()
        self.evaluate(0)
        for number in range(1, len(self.config.rounds) + 1):
            self._round(number)
            self.evaluate(number)

    def _round(self, number: int) -> None:
        config, name = self.config, f"r{number}"
        entry = config.rounds[number - 1]
        method, searches, scored = config.method_of(entry), config.round_searches(entry), entry.values == REWARD_MODEL
        self.serve(f"{name}/search", searches, scored=scored)
        if RuleInput.HINTED_TREES in method.harvest_rule.needs:
            self.serve(f"{name}/search_hinted", searches[:1], scored=scored)
        if RuleInput.MARKS in method.harvest_rule.needs:
            marking = revise(searches[0], {"strategy": "sampling", "trees": 1})
            self.serve(f"{name}/self_judgements", [marking], scored=False)
        if not config.placement.keep_engines:
            self.running.clear()
        settings = config.round_training(entry)
        trainings: dict[str, tuple[TrainConfig, str]] = {}
        if method.policy is not None:
            trainings[POLICY] = (settings.policy, method.policy.objective)
        if method.reward_model is not None:
            trainings[REWARD_MODEL] = (settings.reward_model, method.reward_model.objective)
        if config.placement.train_together and len(trainings) > 1:
            self.train(f"{name}/train", trainings.values())
        else:
            for role, training in trainings.items():
                self.train(f"{name}/train_{role}", [training])
        self.serves_reward_model = self.serves_reward_model or REWARD_MODEL in trainings
        self.base_is_policy = self.base_is_policy and POLICY not in trainings
        if trainings:
            self.serve(f"{name}/promote", [config.evaluation.sampled()], scored=REWARD_MODEL in trainings)

    def _start_policies(self, searches: Iterable[SearchConfig]) -> None:
        """Add the engines of the policies that draw in any of the searches. A model behind a server has none."""
        config, entries = self.config, [entry_of(search) for search in searches]
        if config.policy.endpoint is not None:
            return
        self._add(engine_group(POLICY, config.policy.engine, self.shapes.get(POLICY)))
        if any(entry.second_policy for entry in entries) and self._has_engines(config.second_policy):
            self._add(engine_group(SECOND_POLICY, config.policy.engine, self.shapes.get(SECOND_POLICY)))
        if any(entry.several_policies for entry in entries):
            for place, further in enumerate(config.policies, start=1):
                if self._has_engines(further.path):
                    role = policy_role(place)
                    self._add(engine_group(role, further.engine or config.policy.engine, self.shapes.get(role)))

    def _count_policies(self) -> None:
        """Have as many engines of the policy as there are alone, until another model is first served."""
        roles = {role for role, group in self.running.items() if group.is_engine}
        self.serves_others = self.serves_others or bool(roles - {POLICY})
        if POLICY in roles and not self.serves_others:
            self._add(engine_group(POLICY, self.config.policy.engine.alone(), self.shapes.get(POLICY)))

    def _has_engines(self, name: str | None) -> bool:
        """Return whether a policy beside the first has engines of its own: not if it is the one that searches."""
        if name is None or name == POLICY:
            return False
        return not self.base_is_policy or name not in (BASE, self.config.policy.path)

    def _add(self, *groups: GroupNeed) -> None:
        self.running.update({group.role: group for group in groups})
