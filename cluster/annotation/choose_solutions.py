"""Choose the solutions that a person should label next (``raystar select``) and write them as a labelling file.

    problems ──> samples, drawn or stored ──> a logit a step ──> 80 % convincing incorrect, 20 % convincing ──> file

The solutions are kept beside the file: they are joined with the labels again in ``raystar harvest``.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.annotation.file import solutions_file
from cluster.reward_eval import samples
from cluster.reward_eval.request import SEED_NAMES, SELECT, RewardEvalRequest
from cluster.reward_eval.step_scores import SolutionLogits
from cluster.run.context import Context
from cluster.searches.runner import SearchRunner
from search import serialization
from search.data import ModelRef, Trajectory
from search.evaluation.aggregation import aggregate_log_odds
from search.grading.grader import grader
from search.reward_models import sigmoid
from search.seeds import derive
from search.storage.files import write_text
from train.labels.active_selection import ScoredSolution, choose
from train.labels.annotation_files import write_annotation_file
from train.rules.solutions import join_texts


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionRequest:
    """How many solutions to choose: ``count`` of each problem as in the paper, or of all problems ``together``."""

    count: int
    together: bool
    output: Path
    generation: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionResult:
    """How many of the ``candidates``, different finished solutions of ``problems``, were chosen, and how many incorrect."""

    problems: int
    candidates: int
    chosen: int
    incorrect: int

    def describe(self) -> str:
        return (
            f"chose {self.chosen} of {self.candidates} different solutions of {self.problems} problems, "
            f"{self.incorrect} of them incorrect"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCandidate:
    """A solution that may be labelled: the finished solution number ``index`` of the ``tree`` of that name, with its score."""

    problem_id: str
    tree: str
    index: int
    scored: ScoredSolution


def select_solutions(
    context: Context, request: RewardEvalRequest, policy: ModelRef | None, selection: SelectionRequest
) -> SelectionResult:
    """Draw samples where none are stored, score them, choose, and write ``selection.output`` in a random order."""
    with SearchRunner(context) as runner:
        samples.draw(context, runner, request, policy)
        logits = samples.score(context, runner, request)
    candidates = read_candidates(context, request, logits)
    seed = derive(context.config.seed, SEED_NAMES[SELECT])
    chosen = choose_candidates(candidates, selection.count, selection.together, seed)
    random.Random(seed).shuffle(chosen)
    solutions = _trajectories(context, request, chosen)
    write_text(solutions_file(selection.output), "".join(f"{serialization.dump(solution)}\n" for solution in solutions))
    scores = [sigmoid(candidate.scored.score) for candidate in chosen]
    write_annotation_file(solutions, selection.output, scores, selection.generation)
    return SelectionResult(
        problems=len({candidate.problem_id for candidate in candidates}),
        candidates=len(candidates),
        chosen=len(chosen),
        incorrect=sum(not candidate.scored.correct for candidate in chosen),
    )


def read_candidates(
    context: Context, request: RewardEvalRequest, logits: dict[str, SolutionLogits]
) -> list[LabelCandidate]:
    """Return all finished solutions, graded and scored as a whole (log-odds), of equal ones of several trees the first."""
    scale, candidates = context.config.evaluation.search.squash_scale, []
    seen: set[tuple[str, str]] = set()
    for tree in request.read_trees(context.run):
        step_scores = samples.step_log_odds(logits[tree.name], request.kind, scale)
        for index, (terminal, scores) in enumerate(zip(tree.terminals(), step_scores, strict=True)):
            text = (tree.problem.id, join_texts(tree.steps(terminal)))
            if text in seen:
                continue
            seen.add(text)
            correct = grader().grade(tree.problem, tree.nodes[terminal].answer)
            scored = ScoredSolution(
                name=f"{tree.name}/{index}", score=aggregate_log_odds(scores, request.aggregation), correct=correct
            )
            candidates.append(LabelCandidate(problem_id=tree.problem.id, tree=tree.name, index=index, scored=scored))
    return candidates


def choose_candidates(
    candidates: Sequence[LabelCandidate], count: int, together: bool, seed: int
) -> list[LabelCandidate]:
    """Choose ``count`` of each problem's solutions, or of all ``together``."""
    pools: dict[str, list[LabelCandidate]] = {}
    for candidate in candidates:
        pools.setdefault("" if together else candidate.problem_id, []).append(candidate)
    return [pool[i] for pool in pools.values() for i in choose([candidate.scored for candidate in pool], count, seed)]


def _trajectories(context: Context, request: RewardEvalRequest, chosen: Sequence[LabelCandidate]) -> list[Trajectory]:
    """Return the chosen solutions, in the order of ``chosen``."""
    is_correct = {(candidate.tree, candidate.index): candidate.scored.correct for candidate in chosen}
    trajectories: dict[tuple[str, int], Trajectory] = {}
    for tree in request.read_trees(context.run):
        for index, terminal in enumerate(tree.terminals()):
            key = (tree.name, index)
            if key in is_correct:
                correct = is_correct[key]
                trajectories[key] = Trajectory(
                    tree.problem, tree.steps(terminal), correct=correct, q=1.0 if correct else -1.0
                )
    return [trajectories[candidate.tree, candidate.index] for candidate in chosen]
