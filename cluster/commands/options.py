"""Arguments that several commands share, and how they become a checked job. Starts nothing and writes nothing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from textwrap import wrap
from typing import Any

from pydantic import BaseModel

from cluster.config import overrides
from cluster.config import run_config as configs
from cluster.config.loader import Leaf, leaves
from cluster.config.run_config import RunConfig
from cluster.host import ray_session
from cluster.reward_eval.request import RewardEvalRequest
from cluster.run import directory as run_directory
from cluster.run import preflight
from cluster.run.context import Invocation
from search.data import Problem
from search.errors import UserError
from search.evaluation.voting import Aggregation
from search.problems.loading import ProblemSets
from search.reward_models import USUAL, RewardModelKind

RUNS = Path("runs")
HELP_WIDTH = 100


def add(parser: argparse.ArgumentParser, sections: Iterable[str] = (), *, suffix: str = "") -> None:
    """The arguments of a command that works on a config; its help lists the fields of ``sections`` (default: all)."""
    parser.add_argument("config", metavar="CONFIG", type=Path, help="config file (YAML)")
    parser.add_argument("--name", help="name of the run (default: the config's)")
    parser.add_argument("--run-dir", metavar="DIR", type=Path, help=f"run directory (default: {RUNS}/NAME{suffix})")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of every random choice (default: the config's)")
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="Ray cluster to join, or auto, or local (default: RAY_ADDRESS if set, else Ray starts on this machine)",
    )
    parser.add_argument("--skip-bad-lines", action="store_true", help="skip and count bad lines of data files")
    parser.add_argument("--dry-run", action="store_true", help="check everything, print the plan and stop")
    parser.set_defaults(suffix=suffix)
    parser.epilog = fields_help(tuple(sections))


def job(args: argparse.Namespace) -> Invocation:
    """Check config, inputs and run directory, in this order. Raises UserError."""
    config = load(args)
    root = (args.run_dir or RUNS / f"{config.name}{args.suffix}").expanduser().absolute()
    run_directory.check(root, config.resolved())
    problems = preflight.inputs(config)
    command = " ".join(["raystar", *sys.argv[1:]])
    address = ray_session.requested_address(args.address)
    return Invocation(command, config, root, address, problems, preflight.shots(config.policy))


def load(args: argparse.Namespace) -> RunConfig:
    """The config with everything that the command line changes."""
    typed = list(args.overrides)
    typed += [f"--{key}={value}" for key in ("name", "seed") if (value := getattr(args, key)) is not None]
    config = configs.load(args.config, overrides.parse(typed))
    if not args.skip_bad_lines:
        return config
    lenient = {"skip_bad_lines": True}
    sets = config.problems
    skipping: dict[str, Any] = {
        "train": sets.train.model_copy(update=lenient),
        "validation": sets.validation.model_copy(update=lenient),
        "evaluation": {name: source.model_copy(update=lenient) for name, source in sets.evaluation.items()},
    }
    return config.model_copy(update={"problems": sets.model_copy(update=skipping)})


def add_models(parser: argparse.ArgumentParser, reward_model: str) -> None:
    """``--policy`` and ``--reward-model``; ``reward_model`` says what the PPM is for."""
    parser.add_argument("--policy", type=Path, metavar="DIR", help="policy model (default: the config's base policy)")
    parser.add_argument("--reward-model", type=Path, metavar="DIR", help=reward_model)


def check_models(args: argparse.Namespace) -> None:
    """Raise UserError where one of ``add_models`` is given and no model directory."""
    for flag, directory in (("--policy", args.policy), ("--reward-model", args.reward_model)):
        if directory is not None:
            preflight.model(flag, directory)


def add_judge(parser: argparse.ArgumentParser, split: str) -> None:
    """The arguments of a command that lets a judge score samples; ``split`` is the default."""
    parser.add_argument("--model", type=Path, metavar="DIR", required=True, help="reward model that judges")
    parser.add_argument(
        "--kind",
        choices=list(RewardModelKind),
        help="what it was trained for (default: as its labels in config.json say)",
    )
    parser.add_argument(
        "--aggregate",
        choices=list(Aggregation),
        help="one score of a solution's steps, for weighted votes and selection (default: product of a PRM, else last)",
    )
    parser.add_argument(
        "--policy", type=Path, metavar="DIR", help="policy that draws (default: the config's base policy)"
    )
    parser.add_argument("--split", default=split, metavar="NAME", help=f"problems (default: {split})")
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N problems (default: all)")
    parser.add_argument("--trees", type=Path, metavar="DIR", help="stored trees to judge, instead of drawing samples")


def asked(args: argparse.Namespace, sets: ProblemSets, *, independent: bool) -> RewardEvalRequest:
    """What ``add_judge`` was given, checked; ``independent``: only independent samples will do. Raises UserError."""
    kind = preflight.judge("--model", args.model, args.kind)
    problems = split(sets, args.split)[: args.limit]
    if args.trees is not None:
        if args.policy is not None:
            raise UserError("--policy: nothing is drawn where --trees are given: leave one of them out")
        preflight.trees("--trees", args.trees, independent=independent)
        problems = ()
    elif args.policy is not None:
        preflight.model("--policy", args.policy)
    return RewardEvalRequest(
        args.command,
        args.model.absolute(),
        kind,
        Aggregation(args.aggregate) if args.aggregate else USUAL[kind],
        args.split,
        problems,
        args.policy.absolute() if args.policy else None,
        args.trees.absolute() if args.trees else None,
        args.limit,
    )


def fields_help(sections: tuple[str, ...]) -> str:
    """The config's fields with defaults and units; of a section like an earlier one only the difference."""
    lines = ["config fields: set any with --FIELD=VALUE (a YAML value; N counts list items from 0):"]
    chosen = [leaf for leaf in leaves(RunConfig) if not sections or leaf.path[0] in sections]
    shown: dict[type[BaseModel], list[Leaf]] = {}
    for _, group in groupby(chosen, key=lambda leaf: (leaf.path[:-1], leaf.owner)):
        fields = list(group)
        earlier = shown.setdefault(fields[0].owner, fields)
        if earlier is fields or fields[0].path[:-1] == earlier[0].path[:-1]:
            lines += [_field(leaf) for leaf in fields]
        else:
            lines.append(_like(fields, earlier))
    return "\n".join(lines)


def _field(leaf: Leaf) -> str:
    name = f"  --{'.'.join(leaf.path)} {_default(leaf)}"
    line = f"{name}  {leaf.description}"
    if len(line) <= HELP_WIDTH:
        return line
    return "\n".join([name, *wrap(leaf.description, HELP_WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)])


def _like(fields: list[Leaf], earlier: list[Leaf]) -> str:
    """One line for a section whose fields were listed before under another path."""
    before = {leaf.path[-1]: leaf.default for leaf in earlier}
    other = [leaf for leaf in fields if leaf.default != before.get(leaf.path[-1])]
    differs = "".join(f", {leaf.path[-1]} {_default(leaf)}" for leaf in other)
    text = f"--{'.'.join(fields[0].path[:-1])}.*  as --{'.'.join(earlier[0].path[:-1])}.*{differs}"
    return "\n".join(wrap(text, HELP_WIDTH, initial_indent="  ", subsequent_indent=" " * 6, break_on_hyphens=False))


def _default(leaf: Leaf) -> str:
    return "(required)" if leaf.required else f"[{_shown(leaf.default)}]"


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, value))}]" if len(value) <= 8 else f"{len(value)} entries"
    return f"{value:g}" if isinstance(value, float) else str(value)


def positive(text: str) -> int:
    """A whole number from 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not possible: a whole number from 1 is needed")
    return number


def split(sets: ProblemSets, name: str) -> tuple[Problem, ...]:
    """The problems of one set by its name. Raises UserError with the known names."""
    known = {"train": sets.train, "validation": sets.validation, **sets.evaluation}
    if name not in known:
        raise UserError(f"--split {name!r} is unknown: one of {', '.join(known)}")
    return known[name]
