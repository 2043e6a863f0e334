"""Declare the arguments that several commands share, and check their values. Starts nothing and writes nothing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from textwrap import wrap
from typing import Any

from pydantic import BaseModel

from cluster.config import overrides, run_config
from cluster.config.loader import ConfigField, Location, config_fields
from cluster.config.run_config import RunConfig
from cluster.host import ray_session
from cluster.reward_eval.request import RewardEvalRequest
from cluster.run import directory as run_directory
from cluster.run import preflight
from cluster.run.context import Invocation
from search.data import Aggregation, Problem
from search.errors import UserError
from search.problems.loading import ProblemSets
from search.reward_models import KINDS, RewardModelKind

RUNS = Path("runs")
HELP_WIDTH = 80


def add_config_arguments(parser: argparse.ArgumentParser, sections: Iterable[str] = (), *, suffix: str = "") -> None:
    """Add the arguments of a command that works on a config.

    ``sections``: sections whose fields its help lists (default: all). The run directory is runs/NAME + ``suffix``.
    """
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


def read_invocation(args: argparse.Namespace) -> Invocation:
    """Check config, run directory and inputs, in this order. Raise UserError."""
    config = read_config(args)
    root = (args.run_dir or RUNS / f"{config.name}{args.suffix}").expanduser().absolute()
    run_directory.check_run_dir(root, config.resolved())
    return Invocation(
        command=" ".join(["raystar", *sys.argv[1:]]),
        config=config,
        root=root,
        address=ray_session.requested_address(args.address),
        problems=preflight.check_config(config),
        shots=preflight.load_shots(config.policy),
    )


def read_config(args: argparse.Namespace) -> RunConfig:
    """Load the config with the overrides of the command line. Raise UserError."""
    arguments = list(args.overrides)
    arguments += [f"--{key}={value}" for key in ("name", "seed") if (value := getattr(args, key)) is not None]
    config = run_config.load(args.config, overrides.parse(arguments))
    if not args.skip_bad_lines:
        return config
    lenient = {"skip_bad_lines": True}
    sets = config.problems
    sources: dict[str, Any] = {
        "train": sets.train.model_copy(update=lenient),
        "validation": sets.validation.model_copy(update=lenient),
        "evaluation": {name: source.model_copy(update=lenient) for name, source in sets.evaluation.items()},
    }
    return config.model_copy(update={"problems": sets.model_copy(update=sources)})


def add_model_arguments(parser: argparse.ArgumentParser, reward_model: str) -> None:
    """Add ``--policy`` and ``--reward-model``. ``reward_model``: help of the latter."""
    parser.add_argument("--policy", type=Path, metavar="DIR", help="policy (default: the config's base policy)")
    parser.add_argument("--reward-model", type=Path, metavar="DIR", help=reward_model)


def check_models(args: argparse.Namespace) -> None:
    """Raise UserError if ``--policy`` or ``--reward-model`` is given and is no model directory."""
    for flag, directory in (("--policy", args.policy), ("--reward-model", args.reward_model)):
        if directory is not None:
            preflight.check_model(flag, directory)


def add_problem_arguments(parser: argparse.ArgumentParser, split: str) -> None:
    """Add ``--split``, by default ``split``, and ``--limit``."""
    parser.add_argument(
        "--split",
        default=split,
        metavar="NAME",
        help=f"problem set: train, validation or an evaluation set (default: {split})",
    )
    parser.add_argument("--limit", type=positive_int, metavar="N", help="only the first N problems (default: all)")


def read_problems(args: argparse.Namespace, sets: ProblemSets) -> tuple[Problem, ...]:
    """Return the problems that ``--split`` and ``--limit`` name. Raise UserError for an unknown split."""
    splits = {"train": sets.train, "validation": sets.validation, **sets.evaluation}
    if args.split not in splits:
        raise UserError(f"--split {args.split!r} is unknown: one of {', '.join(splits)}")
    return splits[args.split][: args.limit]


def add_reward_eval_arguments(parser: argparse.ArgumentParser, split: str) -> None:
    """Add the arguments of a command in which a reward model scores solutions. ``split``: default problem set."""
    parser.add_argument("--model", type=Path, metavar="DIR", required=True, help="reward model")
    parser.add_argument(
        "--kind",
        choices=list(RewardModelKind),
        help="kind of the reward model (default: by the labels in its config.json)",
    )
    parser.add_argument(
        "--step-aggregation",
        choices=list(Aggregation),
        help="how step scores become the score of a solution, for weighted votes and selection (default: product for a "
        "PRM, else last)",
    )
    parser.add_argument(
        "--policy", type=Path, metavar="DIR", help="policy to draw samples from (default: the config's base policy)"
    )
    add_problem_arguments(parser, split)
    parser.add_argument(
        "--trees", type=Path, metavar="DIR", help="score the solutions of stored trees, draw no samples"
    )


def read_request(args: argparse.Namespace, sets: ProblemSets, folder: str, *, independent: bool) -> RewardEvalRequest:
    """Check the values of ``add_reward_eval_arguments``. Raise UserError.

    ``folder``: of the stages. ``independent``: refuse trees whose solutions are not independent samples.
    """
    kind = preflight.reward_model_kind("--model", args.model, args.kind)
    problems = read_problems(args, sets)
    if args.trees is not None:
        if args.policy is not None:
            raise UserError("--policy: no samples are drawn if --trees is given: leave one of them out")
        preflight.check_trees("--trees", args.trees, independent=independent)
        problems = ()
    elif args.policy is not None:
        preflight.check_model("--policy", args.policy)
    return RewardEvalRequest(
        folder=folder,
        model=args.model.absolute(),
        kind=kind,
        aggregation=Aggregation(args.step_aggregation) if args.step_aggregation else KINDS[kind].aggregation,
        split=args.split,
        problems=problems,
        policy=args.policy.absolute() if args.policy else None,
        trees=args.trees.absolute() if args.trees else None,
        limit=args.limit,
    )


def fields_help(sections: tuple[str, ...]) -> str:
    """List config fields with defaults and units. A section like an earlier one is one line with its differences."""
    lines = ["config fields, set by --FIELD=VALUE (VALUE is YAML; N: index of a list item):"]
    fields = [field for field in config_fields(RunConfig) if not sections or field.path[0] in sections]
    listed: dict[tuple[type[BaseModel], ...], Location] = {}
    defaults: dict[tuple[type[BaseModel], str], Any] = {}
    for path, group in groupby(fields, key=lambda field: field.path[:-1]):
        section = list(group)
        earlier = listed.setdefault(tuple(dict.fromkeys(field.owner for field in section)), path)
        if earlier == path:
            lines += map(_describe_field, section)
            defaults.update({(field.owner, field.path[-1]): field.default for field in section})
        else:
            changed = [field for field in section if field.default != defaults.get((field.owner, field.path[-1]))]
            lines.append(_describe_repetition(path, earlier, changed))
    return "\n".join(dict.fromkeys(lines))


def _describe_field(field: ConfigField) -> str:
    """Return the field with its default, the variants of a union that have it (empty: all), and its description."""
    name = f"  --{'.'.join(field.path)} {_format_default(field)}"
    description = f"({', '.join(field.variants)}) {field.description}" if field.variants else field.description
    line = f"{name}  {description}".rstrip()
    if len(line) <= HELP_WIDTH:
        return line
    indent = " " * 6
    return "\n".join([name, *wrap(description, HELP_WIDTH, initial_indent=indent, subsequent_indent=indent)])


def _describe_repetition(path: Location, earlier: Location, changed: Sequence[ConfigField]) -> str:
    """Return one line for a section whose fields were listed under the path ``earlier``; ``changed``: other defaults."""
    differences = "".join(f", {field.path[-1]} {_format_default(field)}" for field in changed)
    text = f"--{'.'.join(path)}.*  as --{'.'.join(earlier)}.*{differences}"
    return "\n".join(wrap(text, HELP_WIDTH, initial_indent="  ", subsequent_indent=" " * 6, break_on_hyphens=False))


def _format_default(field: ConfigField) -> str:
    return "(required)" if field.required else f"[{_format_value(field.default)}]"


def _format_value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_format_value, value))}]" if len(value) <= 8 else f"{len(value)} entries"
    return f"{value:g}" if isinstance(value, float) else str(value)


def positive_int(text: str) -> int:
    """Parse a whole number from 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not possible: a whole number from 1 is needed")
    return number
