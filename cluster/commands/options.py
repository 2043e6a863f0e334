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

from cluster.capacity.bundles import POLICY
from cluster.capacity.needs import Work
from cluster.config import overrides, run_config
from cluster.config.loader import ConfigField, Location, config_fields
from cluster.config.model_config import RewardModelConfig
from cluster.config.run_config import RunConfig
from cluster.host import joining, ray_session
from cluster.reward_eval.request import RewardEvalRequest
from cluster.run import directory as run_directory
from cluster.run import manifest, model_fields, preflight, stored_run
from cluster.run.context import Invocation, with_plan
from cluster.run.endpoints import NO_ENDPOINTS, connect
from cluster.run.prompting import load_shots
from cluster.run.reward_models import check_reward_model
from search.config import SearchConfig
from search.data import Aggregation, Problem
from search.errors import UserError
from search.problems import loading
from search.problems.loading import ProblemSets
from search.reward_models import RewardModelKind, default_aggregation
from search.reward_models.registry import AUTO
from search.strategies.registry import PRESETS, STRATEGIES, entry_of

RUNS = Path("runs")
MODEL_OPTIONS = ("policy", "reward-model", "model", "init")  # options that name a model
HELP_WIDTH = 80
SEARCH_NAMES = {"strategy": tuple(STRATEGIES), "preset": tuple(PRESETS)}  # values of these options of a search


def add_config_arguments(parser: argparse.ArgumentParser, sections: Iterable[str] = (), *, suffix: str = "") -> None:
    """Add the arguments of a command that works on a config.

    ``sections``: sections whose fields its help lists (default: all). The run directory is runs/NAME + ``suffix``.
    """
    parser.add_argument("config", metavar="CONFIG", type=Path, help="config file (YAML)")
    parser.add_argument("--name", help="name of the run (default: the config's)")
    parser.add_argument(
        "--run-dir",
        metavar="DIR",
        help=f"run directory, or s3://BUCKET/… or gs://BUCKET/… (default: {RUNS}/NAME{suffix})",
    )
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


def read_invocation(args: argparse.Namespace, *, serves_models: bool = True, trains: bool = False) -> Invocation:
    """Check config, run directory and inputs, in this order, and resolve the models. Raise UserError.

    The models that ``MODEL_OPTIONS`` name are replaced in ``args`` by their directories. ``serves_models``: False for a
    command that only reads how models are prompted. ``trains``: True for one that trains models on what they write.
    """
    written = read_config(args)
    joining.begin(ray_session.requested_address(args.address))  # it answers while problems and models are read
    root, store = stored_run.find_run(args.run_dir or RUNS / f"{written.name}{args.suffix}")
    exists = run_directory.check_run_dir(root, written.resolved())
    # Before models, which may take long to download.
    problems = loading.load_problem_sets(written.problems, lazy=args.dry_run)
    models = model_fields.resolve_models(
        written,
        _model_references(args),
        manifest.read_manifest(root / run_directory.MANIFEST).models if exists else {},
        lazy=args.dry_run or not serves_models,
        unserved=(model_fields.POLICY_PATH,) if _needs_no_policy(args) or written.policy.endpoint else (),
    )
    for flag in MODEL_OPTIONS:
        if (directory := models.directory(f"--{flag}")) is not None:
            setattr(args, flag.replace("-", "_"), directory)
    if serves_models:
        _check_kind(args, written)
    config = model_fields.with_directories(written, models)
    model_fields.check_engines(config, models)
    preflight.check_models(config, models.missing)
    if isinstance(getattr(args, "reward_model", None), Path):
        check_reward_model("--reward-model", args.reward_model, config.reward_model.kind, config.reward_model)
    shots = load_shots(config.policy)
    if serves_models:
        config = preflight.fit_prompts(config, problems, shots, models, trains=trains, command=args.command)
    endpoints = NO_ENDPOINTS
    if serves_models and not args.dry_run:
        endpoints = connect(config, config.policy.prompt_settings(shots), _searches(args, config))
    invocation = Invocation(
        command=" ".join(["raystar", *sys.argv[1:]]),
        config=config,
        root=root,
        address=ray_session.requested_address(args.address),
        problems=problems,
        shots=shots,
        models=models,
        written=written,
        endpoints=endpoints,
        work=_work(args),
        store=store,
    )
    return with_plan(invocation) if args.dry_run else invocation


def _work(args: argparse.Namespace) -> Work:
    """Return what a command line has its command do, as far as needs depend on it."""
    return Work(
        command=args.command,
        names_policy=any(getattr(args, name, None) is not None for name in ("policy", "init")),
        names_reward_model=any(getattr(args, name, None) is not None for name in ("reward_model", "model")),
        trains=getattr(args, "role", POLICY),
        draws=all(getattr(args, name, None) is None for name in ("trees", "steps")),
    )


def _check_kind(args: argparse.Namespace, config: RunConfig) -> None:
    """Raise UserError if the config says how a reward model is read, and neither it nor an option names one."""
    is_named = any(getattr(args, name, None) is not None for name in ("reward_model", "model"))
    if config.reward_model.kind != AUTO and not (config.reward_model.is_named or is_named):
        option = ", or give --reward-model" if hasattr(args, "reward_model") else ""
        raise UserError(
            f"reward_model.kind: {config.reward_model.kind} is the kind of no model: name it in reward_model.path, a judge "
            f"behind a server in reward_model.endpoint{option}"
        )


def _searches(args: argparse.Namespace, config: RunConfig) -> dict[str, SearchConfig]:
    """Return the searches of a command, by the field that names the strategy.

    Raise UserError for a command that trains what only a server has, or for two policies.
    """
    if config.policy.endpoint is not None and args.command in ("evolve", "train"):
        raise UserError(
            f"policy.endpoint: raystar {args.command} trains models: name weights in policy.path, no server"
        )
    if config.policy.endpoint is not None and getattr(args, "policy", None) is not None:
        raise UserError("--policy: the config's policy is a server (policy.endpoint): leave one of them out")
    searches = {"search.strategy": config.search} if args.command in ("search", "solve") else {}
    scored = getattr(args, "reward_model", None) is not None or config.reward_model.endpoint is not None
    if args.command == "evaluate" and (scored or entry_of(config.evaluation.search).chooses_without_scores):
        searches["evaluation.search.strategy"] = config.evaluation.search
    if args.command == "compare":
        for name, contender in config.compare.strategies.items():
            searches[f"compare.strategies.{name}"] = contender.search(config.evaluation.search)
    return searches


def _model_references(args: argparse.Namespace) -> dict[str, str]:
    """Return what the options of a command line name models by."""
    values = {f"--{flag}": getattr(args, flag.replace("-", "_"), None) for flag in MODEL_OPTIONS}
    return {option: str(reference) for option, reference in values.items() if reference is not None}


def _needs_no_policy(args: argparse.Namespace) -> bool:
    """Return whether the config's policy is not served: solutions are stored already, or training starts elsewhere."""
    return any(getattr(args, name, None) is not None for name in ("trees", "steps", "init"))


def read_config(args: argparse.Namespace) -> RunConfig:
    """Load the config with the overrides of the command line. Raise UserError."""
    arguments = list(args.overrides)
    arguments += [f"--{key}={value}" for key in ("name", "seed") if (value := getattr(args, key)) is not None]
    if (kind := getattr(args, "kind", None)) is not None:
        arguments.append(f"--reward_model.kind={kind}")
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
    parser.add_argument("--policy", metavar="MODEL", help="policy (default: the config's base policy)")
    parser.add_argument("--reward-model", metavar="MODEL", help=reward_model)


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


def count_problems(args: argparse.Namespace, sets: ProblemSets) -> int:
    """Return how many problems ``--split`` and ``--limit`` name, also of a set that a dry run has not at hand."""
    problems = len(read_problems(args, sets))
    name = args.split if args.split in ("train", "validation") else f"{loading.EVALUATION}.{args.split}"
    if name not in sets.planned:
        return problems
    size = sets.size(name)
    return size if args.limit is None else min(size, args.limit)


def add_reward_eval_arguments(parser: argparse.ArgumentParser, split: str) -> None:
    """Add the arguments of a command in which a reward model scores solutions. ``split``: default problem set."""
    parser.add_argument("--model", metavar="MODEL", required=True, help="reward model, by name or directory")
    parser.add_argument(
        "--kind",
        choices=[kind.value for kind in RewardModelKind],
        metavar="KIND",
        help=f"kind of the reward model: {', '.join(RewardModelKind)} (default: reward_model.kind of the config, by default "
        "as it is recognised)",
    )
    parser.add_argument(
        "--step-aggregation",
        choices=[aggregation.value for aggregation in Aggregation],
        help="how step scores become the score of a solution, for weighted votes and selection (default: by kind)",
    )
    parser.add_argument(
        "--policy", metavar="MODEL", help="policy to draw samples from (default: the config's base policy)"
    )
    add_problem_arguments(parser, split)
    parser.add_argument(
        "--trees", type=Path, metavar="DIR", help="score the solutions of stored trees, draw no samples"
    )


def read_request(
    args: argparse.Namespace, invocation: Invocation, folder: str, *, independent: bool
) -> RewardEvalRequest:
    """Check the values of ``add_reward_eval_arguments``. Raise UserError.

    ``folder``: of the stages. ``independent``: refuse trees whose solutions are not independent samples.
    """
    kind = read_kind(args, invocation.config.reward_model)
    problems = read_problems(args, invocation.problems)
    if args.trees is not None:
        if args.policy is not None:
            raise UserError("--policy: no samples are drawn if --trees is given: leave one of them out")
        preflight.check_trees("--trees", args.trees, independent=independent)
        problems = ()
    return RewardEvalRequest(
        folder=folder,
        model=Path(args.model),
        kind=kind,
        aggregation=Aggregation(args.step_aggregation or default_aggregation(kind, invocation.config.reward_model)),
        split=args.split,
        problems=problems,
        policy=Path(args.policy) if args.policy else None,
        trees=args.trees.absolute() if args.trees else None,
        limit=args.limit,
    )


def read_kind(args: argparse.Namespace, config: RewardModelConfig) -> RewardModelKind:
    """Return the kind of the reward model that ``--model`` names. Raise UserError if it is unclear or no reward model.

    A dry run takes a model that is not at hand for what the config, or ``--kind`` on top of it, says.
    """
    wanted = config.kind
    if isinstance(args.model, Path):
        return check_reward_model("--model", args.model, wanted, config)
    return RewardModelKind.PPM if wanted == AUTO else RewardModelKind(wanted)


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
    if issubclass(field.owner, SearchConfig) and field.path[-1] in SEARCH_NAMES:
        description += f": {', '.join(SEARCH_NAMES[field.path[-1]])}"
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
