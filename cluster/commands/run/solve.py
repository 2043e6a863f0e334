"""``raystar solve``: search one question with any model, and print the steps, their scores and the answer."""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from cluster.commands import options
from cluster.run.context import Context, Invocation, open_context
from search.data import Problem
from search.errors import UserError
from search.formats.model_prompt import AUTO, FORMAT_NAMES

HELP = "search one question with any model, and print the steps, their scores and the answer"
SECTIONS = ("policy", "reward_model", "executor", "search", "ray")
NAME = "solve"
# Without a reward model nothing but agreement tells good solutions from bad ones.
MAJORITY = {"strategy": "best_of_n", "candidates": 8, "answer_rule": "weighted", "temperature": 0.8}
GUIDED = {"strategy": "mcts", "rollouts": 8, "candidates": 4, "temperature": 0.8}
LENGTHS = {"max_depth": 24, "max_step_tokens": 192, "max_solution_tokens": 1024}
ENGINE = {"max_num_seqs": 32, "cpu_threads": 0, "num_cpus": 0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "served_model",
        metavar="MODEL",
        help="policy: Hugging Face name, model directory, stage of a run, or URL#NAME of a model behind a server",
    )
    parser.add_argument("question", metavar="QUESTION", help="the question; no reference answer is needed")
    parser.add_argument("--reward-model", metavar="MODEL", help="reward model that guides the search (default: none)")
    parser.add_argument("--format", choices=(AUTO, *FORMAT_NAMES), default=AUTO, help="step format (default: auto)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the search (default: 0)")
    parser.add_argument("--address", metavar="HOST:PORT", help="Ray cluster to join (default: Ray starts here)")
    parser.add_argument("--dry-run", action="store_true", help="check everything and stop")
    parser.set_defaults(takes_fields=True)
    parser.epilog = (
        "Without a reward model: the majority of 8 solutions. With one: 8 rollouts of\n"
        "4 candidates, guided by it. Nothing is stored.\n\n" + options.fields_help(SECTIONS)
    )


def run(args: argparse.Namespace) -> int:
    if not args.question.strip():
        raise UserError("QUESTION is empty: put it in quotes")
    with tempfile.TemporaryDirectory(prefix="raystar-solve-") as folder:
        directory = Path(folder)
        invocation = read_invocation(args, directory)
        if args.dry_run:
            print(f"would search the question by {invocation.config.search.strategy}")
            return 0
        with open_context(invocation) as context:
            solve(context, args)
    return 0


def read_invocation(args: argparse.Namespace, directory: Path) -> Invocation:
    """Return the invocation of a run in ``directory`` whose only problem is the question. Raise UserError."""
    question = directory / "question.jsonl"
    question.write_text(json.dumps({"question": args.question, "answer": "0"}) + "\n", encoding="utf-8")
    file = directory / f"{NAME}.yaml"
    file.write_text(yaml.safe_dump(make_config(args, question)), encoding="utf-8")
    args.config, args.name, args.run_dir, args.suffix, args.skip_bad_lines = file, None, directory / "run", "", False
    invocation = options.read_invocation(args)
    # How the file of the question was read is of no interest to who asked it.
    return replace(invocation, problems=replace(invocation.problems, readings={}))


def make_config(args: argparse.Namespace, question: Path) -> dict[str, Any]:
    """Return the config of the search. The command line's fields come on top of it."""
    curriculum = {"name": "curriculum", "split": "validation", "count": 1}
    policy: dict[str, Any] = {"path": args.served_model, "format": args.format, "engine": ENGINE}
    if args.served_model.startswith(("http://", "https://")):
        url, mark, name = args.served_model.partition("#")
        if not (mark and name):
            raise UserError(f"MODEL: {args.served_model} names no model of the server: URL#NAME is needed")
        policy |= {"path": None, "endpoint": {"url": url, "model": name}}
    return {
        "version": 1,
        "name": NAME,
        "problems": {"train": {"name": str(question)}, "validation": curriculum, "evaluation": {}},
        "policy": policy,
        "reward_model": {"engine": ENGINE},
        "executor": {"num_cpus": 0},
        "workers": {"num_cpus": 0, "trees_in_flight": 1},
        "search": {**search_defaults(args), **LENGTHS},
        "rounds": [{"train_reward_model": False}],
    }


def search_defaults(args: argparse.Namespace) -> dict[str, Any]:
    """Return the strategy and its options; none where the command line chooses a strategy or a preset itself."""
    if any(override.startswith(("--search.strategy=", "--search.preset=")) for override in args.overrides):
        return {}
    return MAJORITY if args.reward_model is None else GUIDED


def solve(context: Context, args: argparse.Namespace) -> None:
    """Search the question and print what was found. Raise UserError if there is no tree."""
    from cluster.commands import ray_commands  # heavy: Ray and vLLM's clients
    from cluster.report import solution_text

    problem = Problem(id="question", question=args.question, answer="", source=NAME)
    tree = ray_commands.solve(context, problem, args.reward_model)
    solution_text.show(context.progress.console, tree)
