"""Run the ``raystar`` command line. Bad input is one line on stderr and exit code 2.

Imports nothing heavy: a command imports Ray, torch or vLLM itself, after it has checked its config.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from typing import NoReturn

from cluster.commands.data import harvest, label, problems, select_solutions
from cluster.commands.inspect import doctor, grade, report, sandbox, show, trace_search
from cluster.commands.models import eval_reward_model, export, models, train
from cluster.commands.nodes import cleanup, commit, make_token
from cluster.commands.run import compare, evaluate, evolve, search, solve
from cluster.run import manifest
from cluster.run.context import UnexpectedCrash
from search.errors import UserError

COMMANDS = {  # a command is a module with HELP, add_arguments(parser) and run(args) -> exit code
    "evolve": evolve,
    "solve": solve,
    "search": search,
    "harvest": harvest,
    "train": train,
    "evaluate": evaluate,
    "compare": compare,
    "eval-reward-model": eval_reward_model,
    "export": export,
    "select": select_solutions,
    "label": label,
    "models": models,
    "problems": problems,
    "report": report,
    "show": show,
    "trace": trace_search,
    "grade": grade,
    "doctor": doctor,
    "sandbox": sandbox,
    "token": make_token,
    "cleanup": cleanup,
    "commit": commit,
}
BAD_INPUT, CRASHED, INTERRUPTED = 2, 1, 130
HELP_WIDTH = 78


class Parser(argparse.ArgumentParser):
    """argparse whose errors are UserErrors."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (see {self.prog} --help)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Return its exit code: 0 done, 1 unexpected error, 2 bad input, 130 interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        args = parse_arguments(arguments)
        return int(args.run(args))
    except UserError as error:
        print(f"raystar: {error}", file=sys.stderr)
        return BAD_INPUT
    except UnexpectedCrash as crash:
        print(f"raystar: {crash}", file=sys.stderr)
        return CRASHED
    except KeyboardInterrupt:
        print("raystar: interrupted; the same command resumes", file=sys.stderr)
        return INTERRUPTED


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse a command line. ``overrides`` holds the arguments that set config fields, unparsed. Raise UserError."""
    plain, overrides = split_overrides(arguments)
    args, rest = build_parser().parse_known_args(plain)
    takes_fields = hasattr(args, "config") or hasattr(args, "takes_fields")
    if rest and not (takes_fields and all(argument.startswith("--") and "=" in argument for argument in rest)):
        raise UserError(f"unexpected argument {rest[0]!r} (see raystar {args.command} --help)")
    args.overrides = [*overrides, *rest]
    if args.overrides and not takes_fields:
        raise UserError(f"raystar {args.command} takes no config fields: unexpected {args.overrides[0]!r}")
    return args


def build_parser() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(
        prog="raystar",
        description="Teach a language model to reason by search: grow trees of reasoning steps, train policy and "
        "reward model on them, and search again with the better models.",
        epilog="Help of a command: raystar COMMAND --help",
        allow_abbrev=False,
    )
    version = manifest.installed_versions().get("raystar", "source")
    parser.add_argument("--version", action="version", version=f"raystar {version}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for name, module in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=textwrap.fill(f"{module.HELP[0].upper()}{module.HELP[1:]}.", HELP_WIDTH),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run, command=name)
    return parser


def split_overrides(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate overrides, whose names have a dot (``--a.b=value``, ``--a.b value``), from the command's arguments."""
    plain: list[str] = []
    overrides: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        name, equals, _ = argument.partition("=")
        if not (name.startswith("--") and "." in name):
            plain.append(argument)
        elif equals:
            overrides.append(argument)
        else:
            overrides.append(f"{argument}={next(rest, '')}")
    return plain, overrides


if __name__ == "__main__":
    sys.exit(main())
