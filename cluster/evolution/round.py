"""One round of self-evolution as a chain of stages, each an input and an output on disk.

    search ──> harvest ──> train_policy, train_reward_model ──> promote ──> evaluate
      trees      records      model        model        decision     numbers

Knows the order and what each stage reads and writes; which rule harvests and which objectives learn is the method's
business (cluster/config/method_config.py). A stage that is done is passed over, so a round that was killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.annotation.gold_solutions import references
from cluster.annotation.harvest import of_people
from cluster.config.method_config import MethodConfig
from cluster.config.run_config import NEED_SCORES, RoundConfig
from cluster.evaluation.evaluate import evaluate, validate_policy, validate_reward_model
from cluster.evaluation.promotion import Decision, decide
from cluster.evaluation.records import Measure
from cluster.evolution.self_judging import JUDGEMENTS, marked, marks, to_judge
from cluster.reward_eval import exact_check
from cluster.run.context import Context
from cluster.run.directory import Stage
from cluster.run.models import POLICY, REWARD_MODEL, Models, call_verifier, model_ref, second
from cluster.run.progress import Reporter, shown
from cluster.searches.runner import SearchPlan, SearchRunner
from search.concurrency import run_both
from search.data import ModelRef, Problem
from search.storage.tree_store import read_trees
from search.tree import Tree
from train.config import TrainConfig
from train.data.loading import NothingToLearn
from train.rules import RuleInputs
from train.rules.registry import LEARNS_FROM, HarvestConfigs
from train.rules.star import hinted
from train.trainer.launch import TrainTask, fit

MODEL, TREES, HINTED, MARKED = "model", "trees", "search_hinted", "marks"


@dataclass(frozen=True, slots=True)
class Round:
    """One round: its number (1 is the first), its settings, and what it works with."""

    number: int
    settings: RoundConfig
    context: Context
    searchers: SearchRunner

    @property
    def method(self) -> MethodConfig:
        return self.context.config.method_of(self.settings)

    def stage(self, name: str) -> Stage:
        return self.context.run.stage(f"r{self.number}/{name}")

    def play(self, models: Models) -> Models:
        """Run what is not done yet and return the models that the next round works with."""
        self.search(models)
        self.search_hinted(models)
        self.mark(models)
        self.harvest()
        if not self.context.config.placement.keep_engines:
            self.searchers.rest()
        models = self.promote(models, *self.learn(models))
        evaluate(self.context, self.searchers, self.number, models)
        return models

    def learn(self, models: Models) -> tuple[ModelRef | None, ModelRef | None]:
        """A policy and a reward model of this round, where the method trains them and has something to learn from."""
        policy_lesson, reward_lesson = self.method.policy, self.method.reward

        def policy() -> ModelRef | None:
            if policy_lesson is None:
                return None
            start = models.base if policy_lesson.begins == "base" else models.policy
            return self.train(POLICY, start.path, policy_lesson.objective)

        def reward(policy: ModelRef) -> ModelRef | None:
            if reward_lesson is None:
                return None
            start = models.base if reward_lesson.start == "base" else policy
            return self.train(REWARD_MODEL, start.path, reward_lesson.objective)

        if reward_lesson is not None and self.context.config.placement.train_together:
            return run_both(policy, lambda: reward(models.policy))
        new = policy()
        return new, reward(new or models.policy)

    def search(self, models: Models) -> None:
        """Trees for the training problems; further passes go over what no tree has solved yet."""
        for attempt in range(1, self.settings.passes + 1):
            stage = self.stage("search" if attempt == 1 else f"search-{attempt}")
            if stage.done:
                continue
            solved = {tree.problem.id for tree in self.trees() if tree.solved}
            problems = tuple(filter(self.settings.covers, self.context.problems.train))
            if self.settings.only_unsolved or attempt > 1:
                problems = tuple(problem for problem in problems if problem.id not in solved)
            what = f"round {self.number}: search" + (f", pass {attempt}" if attempt > 1 else "")
            plan = self._plan(models, problems, attempt, ("search", self.number, attempt), what)
            with stage.writing(keep=True) as writer:
                writer.facts.update(self._searched(plan, writer.directory))
                found = solved | {tree.problem.id for tree in read_trees(writer.directory) if tree.solved}
                writer.facts.update(solved=len(found), problems=len(self.context.problems.train))

    def search_hinted(self, models: Models) -> None:
        """Trees for the problems that no tree of this round solved, with the answer given away, where a rule needs them."""
        stage = self.stage(HINTED)
        if "hinted" not in self.method.source.needs or stage.done:
            return
        tried = {tree.problem.id: tree.problem for tree in self.trees(history=False)}
        solved = {tree.problem.id for tree in self.trees(history=False) if tree.solved}
        failed = tuple(hinted(problem) for name, problem in tried.items() if name not in solved)
        what = f"round {self.number}: search, answers given away"
        with stage.writing(keep=True) as writer:
            plan = self._plan(models, failed, 1, (HINTED, self.number), what)
            writer.facts.update(self._searched(plan, writer.directory))

    def mark(self, models: Models) -> None:
        """Judgements by the policy itself of all solutions of this round, where a rule needs marks."""
        stage = self.stage(MARKED)
        if "marked" not in self.method.source.needs or stage.done:
            return
        config = self.context.config.round_search(self.settings)
        judging = config.model_copy(update={"strategy": "samples", "candidates": JUDGEMENTS})
        seed, what = (MARKED, self.number), f"round {self.number}: the policy marks its solutions"
        with stage.writing(keep=True) as writer:
            problems = to_judge(self.trees(history=False))
            plan = SearchPlan(judging, models.policy, None, problems, seed, what, blind=True)
            facts = self.searchers.run(plan, writer.directory).facts()
            del facts["failures"]  # a judgement without an answer is none
            read = sum(1 for tree in read_trees(writer.directory) for _ in marks(tree))
            writer.facts.update(facts, judged=len(problems), marks=read)

    def _plan(
        self, models: Models, problems: tuple[Problem, ...], attempt: int, seed: tuple[object, ...], what: str
    ) -> SearchPlan:
        config = self.context.config
        search = config.round_search(self.settings, attempt)
        reward_model = models.reward_model if self.settings.values == "reward_model" else None
        other = second(models, config.second, search.strategy)
        return SearchPlan(search, models.policy, reward_model, problems, seed, what, second=other)

    def _searched(self, plan: SearchPlan, directory: Path) -> dict[str, Any]:
        """The facts of a search; why there was none where its strategy needs a reward model that nobody could train."""
        if plan.reward_model is None and plan.config.strategy in NEED_SCORES:
            reason = f"strategy {plan.config.strategy!r} needs a reward model, and no round before could train one"
            self.context.progress.say(f"{plan.what}: none: {reason}")
            return {"skipped": reason}
        return self.searchers.run(plan, directory).facts()

    def trees(self, history: bool = True) -> Iterator[Tree]:
        """All trees for the training problems, of this round and, with ``history``, those before it."""
        for number in range(1 if history else self.number, self.number + 1):
            for attempt in range(1, self.context.config.rounds[number - 1].passes + 1):
                name = "search" if attempt == 1 else f"search-{attempt}"
                directory = self.context.run.stage(f"r{number}/{name}").path
                if directory.exists():
                    yield from read_trees(directory)

    def harvest(self) -> None:
        """Records to learn from, out of the trees of this round, or of all rounds so far where the rule wants those."""
        stage = self.stage("harvest")
        if stage.done:
            return
        method, config = self.method, self.context.config
        source = method.source
        with stage.writing() as writer:
            if method.labels is not None:
                made = of_people([Path(method.labels).expanduser()], skip_bad_lines=False)(writer.directory)
            else:
                made = source.write(self._material(), HarvestConfigs(config.harvest, method.take), writer.directory)
            writer.facts.update(counts=made.counts, **({"nothing": made.nothing} if made.nothing else {}))
            self.context.progress.say(f"round {self.number}: harvest, {made.told}")

    def _material(self) -> RuleInputs:
        """What the method's rule is given."""
        source = self.method.source
        return RuleInputs(
            self.trees(source.history),
            references(self.method, self.context.problems.train),
            hinted=read_trees(self.stage(HINTED).path) if "hinted" in source.needs else (),
            marked=marked(self.trees(source.history), read_trees(self.stage(MARKED).path))
            if "marked" in source.needs
            else (),
            checked=exact_check.labels(self.trees(source.history), self.context.config.executor)
            if "checked" in source.needs
            else (),
        )

    def train(self, role: str, start: str, objective: str) -> ModelRef | None:
        """A model of this round; None, with the reason in the stage's facts, where there is nothing to learn from."""
        stage = self.stage(f"train_{role}")
        records = LEARNS_FROM[objective]
        if not stage.done:
            config: TrainConfig = getattr(self.context.config.train, role)
            task = TrainTask(
                objective,
                Path(start),
                (self.stage("harvest").path / records,),
                self.context.config.policy.step_format(self.context.shots),
                stage.partial / MODEL,
                stage.partial,
                self.context.config.seed + self.number,
                role,
            )
            what = f"round {self.number}: train {role}"
            with stage.writing(keep=True) as writer, shown(self.context.progress, what) as report:
                writer.facts.update(start=start, **self._fit(config, task, report))
                if role == REWARD_MODEL and objective == "dpo" and task.output.is_dir():
                    call_verifier(task.output)
        if "skipped" in stage.facts():
            return None
        self.context.run.add_lineage(
            role=role,
            round=self.number,
            version=self.number,
            path=str(stage.path / MODEL),
            start=start,
            objective=objective,
        )
        return model_ref(role, stage.path / MODEL, self.number)

    def _fit(self, config: TrainConfig, task: TrainTask, report: Reporter) -> dict[str, Any]:
        """Train and say what was done; where there is nothing to learn from, only why."""
        try:
            for file in task.data:
                if reason := self.stage("harvest").facts().get("nothing", {}).get(file.name):
                    raise NothingToLearn(reason)
            result = fit(config, task, report)
        except NothingToLearn as reason:
            self.context.progress.say(f"round {self.number}: no new {task.name}: {reason}")
            return {"skipped": str(reason)}
        return {
            "losses": report.losses,
            "samples": result.samples,
            "dropped": result.dropped,
            "tokens_trained": result.tokens,
            "final_loss": result.final_loss,
            "metrics": result.metrics,
        }

    def promote(self, models: Models, policy: ModelRef | None, reward_model: ModelRef | None) -> Models:
        """The models after this round: each new one only where it is no worse on the validation problems."""
        stage = self.stage("promote")
        if not stage.done:
            with stage.writing(keep=True) as writer:
                decisions = self._decisions(models, policy, reward_model, writer.directory)
                writer.facts.update(decisions=[decision.facts() for decision in decisions])
                for decision in decisions:
                    verb = "promoted" if decision.promoted else "kept back"
                    self.context.progress.say(f"round {self.number}: {decision.role} {verb}: {decision.why}")
        for decision in stage.facts()["decisions"]:
            new = policy if decision["role"] == POLICY else reward_model
            if decision["promoted"] and new is not None:
                models = models.promote(new)
        return models

    def _decisions(
        self, models: Models, policy: ModelRef | None, reward_model: ModelRef | None, directory: Path
    ) -> list[Decision]:
        wanted, decisions = self.context.config.promotion, []
        if policy is not None:
            old = self._validated(models.policy, directory)  # first: its engines may still run, from the search
            new = validate_policy(self.context, self.searchers, policy, directory / "policy")
            decisions.append(decide(POLICY, "greedy", new, old, wanted.tolerance))
            models = models.promote(policy) if decisions[-1].promoted else models
        if reward_model is not None:
            new, before = validate_reward_model(
                self.context,
                self.searchers,
                models.policy,
                reward_model,
                models.reward_model,
                directory / "reward_model",
            )
            decisions.append(decide(REWARD_MODEL, "best_of_n", new, before, wanted.tolerance))
        return decisions

    def _validated(self, policy: ModelRef, directory: Path) -> Measure:
        """What the current policy reached on the validation problems: from its own promotion, else measured now."""
        for number in range(self.number - 1, 0, -1):
            for decision in self.context.run.stage(f"r{number}/promote").facts().get("decisions", ()):
                if decision["role"] == POLICY and number == policy.round:
                    return Measure(**decision["new"])
        return validate_policy(self.context, self.searchers, policy, directory / "policy_before")
