"""What the stages of a round share: number, settings, directories, trees and the search runner."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cluster.config.method_config import MethodConfig
from cluster.config.run_config import RoundConfig
from cluster.run.context import Context
from cluster.run.directory import Stage
from cluster.searches.runner import SearchRunner
from search.storage.tree_store import read_trees
from search.tree import Tree
from train.rules.base import RoundTrees


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundContext:
    """One round of a run. ``number`` counts from 1."""

    number: int
    settings: RoundConfig
    context: Context
    runner: SearchRunner

    @property
    def method(self) -> MethodConfig:
        """The method of this round."""
        return self.context.config.method_of(self.settings)

    def stage(self, name: str) -> Stage:
        """Return a stage of this round."""
        return self.context.run.stage(f"r{self.number}/{name}")

    def log(self, text: str) -> None:
        """Log a line that begins with the round."""
        self.context.progress.log(f"round {self.number}: {text}")

    def trees(self, history: bool) -> Iterator[Tree]:
        """Yield all trees of the training problems: of this round and, with ``history``, of the rounds before it."""
        for grown in self.trees_by_round(history):
            yield from grown.trees

    def trees_by_round(self, history: bool) -> tuple[RoundTrees, ...]:
        """Return the same trees by round, oldest first. Each round's are read once, while they are iterated over."""
        settings = self.context.config.rounds
        return tuple(
            RoundTrees(
                number=number,
                trees=self._trees_of(number),
                has_reward_model=settings[number - 1].values == "reward_model",
            )
            for number in range(1 if history else self.number, self.number + 1)
        )

    def _trees_of(self, number: int) -> Iterator[Tree]:
        for attempt in range(1, self.context.config.rounds[number - 1].passes + 1):
            directory = self.context.run.stage(f"r{number}/{search_stage(attempt)}").path
            if directory.exists():
                yield from read_trees(directory)


def search_stage(attempt: int) -> str:
    """Return the name of the stage of a search pass (1 is the first)."""
    return "search" if attempt == 1 else f"search-{attempt}"
