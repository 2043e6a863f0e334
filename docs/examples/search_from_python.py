"""Search one problem from Python with a scripted policy, store the tree and read it back. No Ray, no model.

    python docs/examples/search_from_python.py

docs/api.md explains every call, and what takes the place of the scripted policy in a search with a real one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from actors.sandbox.server.arithmetic import evaluate
from search.data import Candidate, Finish, Outcome, Proposal, Sampling, State, Step, StepStatus
from search.evaluation.voting import majority
from search.formats.registry import step_format
from search.grading.grader import grader
from search.problems.config import ProblemSetConfig
from search.problems.sources.registry import load_problems
from search.protocols import SearchServices
from search.storage.tree_store import TreeWriter, read_trees, worker_file
from search.strategies.registry import build, search_config
from search.tree import ROOT, Tree

ROW = {"id": "eggs", "question": "A box has 3 rows of 4 eggs. 5 of them break. How many are whole?", "answer": "7"}

# Code of the steps so far -> candidates for the next step.
SCRIPT = {
    (): ("eggs = 3 * 4<end_of_step>", "eggs = 3 + 4<end_of_step>"),
    ("eggs = 3 * 4",): ("print(eggs - 5)<end_of_code>", "print(eggs + 5)<end_of_code>"),
    ("eggs = 3 + 4",): ("print(eggs - 5)<end_of_code>", "print(eggs - five)<end_of_code>"),
}


class ScriptedPolicy:
    """Implements search.protocols.Policy: proposes what SCRIPT has, and states a program's output as its answer."""

    async def propose(self, state: State, n: int, sampling: Sampling, seed: int) -> Proposal:
        if state.steps and state.steps[-1].text.endswith("<end_of_code>"):
            texts = [f"<answer>\\boxed{{{state.steps[-1].output.strip()}}}<end_of_answer>"]
        else:
            texts = list(SCRIPT[tuple(step.code for step in state.steps)][:n])
        return Proposal(tuple(Candidate(text, tuple(range(len(text.split()))), Finish.STOP) for text in texts))


class ArithmeticExecutor:
    """Implements search.protocols.Executor for programs of pure arithmetic, which it evaluates and does not run."""

    async def run(self, state: State, steps: Sequence[Step]) -> list[Step]:
        earlier = [step.code for step in state.steps]
        return [self._run_step(step, evaluate([*earlier, step.code])) for step in steps]

    def _run_step(self, step: Step, printed: str | None) -> Step:
        if printed is None:
            return replace(step, outcome=Outcome.EXCEPTION, status=StepStatus.CODE_ERROR)
        return replace(step, outcome=Outcome.OK, output=printed)


def draw(tree: Tree, index: int = ROOT, indent: str = "") -> None:
    """Print a tree: each step with its visits N and mean value Q, and the grade of an answer."""
    node = tree.nodes[index]
    label = tree.problem.question if node.step is None else node.step.code or f"answer {node.answer}"
    grade = {True: " correct", False: " incorrect", None: ""}[node.correct]
    failure = " failed" if node.is_failed else ""
    print(f"{indent}{label}  N={node.visits} Q={node.q:+.2f}{grade}{failure}")
    for child in node.children:
        draw(tree, child, indent + "  ")


def main() -> None:
    """Load a problem, search it, store and read the tree, and print it with its answer, a vote and the cost."""
    with TemporaryDirectory() as directory:
        problem_file = Path(directory) / "problems.jsonl"
        problem_file.write_text(json.dumps(ROW) + "\n", encoding="utf-8")
        problems = load_problems(ProblemSetConfig(name=str(problem_file))).problems

        services = SearchServices(
            policy=ScriptedPolicy(), executor=ArithmeticExecutor(), format=step_format("code"), grader=grader()
        )
        strategy = build(search_config(strategy="mcts", rollouts=8, candidates=2, max_depth=4))
        with TreeWriter(worker_file(Path(directory), 0)) as writer:
            for number, problem in enumerate(problems):
                writer.append(asyncio.run(strategy.search(problem, services, seed=number)))

        for tree in read_trees(Path(directory)):
            draw(tree)
            answers = [tree.nodes[index].answer for index in tree.terminals()]
            is_correct = grader().grade(tree.problem, tree.answer)
            print(
                f"answer {tree.answer}, {'correct' if is_correct else 'incorrect'}; majority of {answers}: {majority(answers)}"
            )
            print(f"{tree.cost.requests} requests, {tree.cost.executions} programs, failures {tree.failures}")


if __name__ == "__main__":
    main()
