"""The ``raystar`` command: finds the command, reads its arguments, and turns bad input into one line and exit code 2.

Imports nothing heavy: a command imports Ray, torch or vLLM itself, after its config has been checked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from cluster.commands.data import harvest, label, select_solutions
from cluster.commands.inspect import doctor, report, sandbox
from cluster.commands.models import eval_reward_model, train
from cluster.commands.run import compare, evaluate, evolve, search
from cluster.run import manifest
from cluster.run.context import Crashed
from search.errors import UserError

COMMANDS = {
    "evolve": evolve,
    "search": search,
    "harvest": harvest,
    "train": train,
    "evaluate": evaluate,
    "compare": compare,
    "judge": eval_reward_model,
    "select": select_solutions,
    "label": label,
    "report": report,
    "doctor": doctor,
    "sandbox": sandbox,
}
BAD_INPUT, CRASHED, INTERRUPTED = 2, 1, 130


class Parser(argparse.ArgumentParser):
    """argparse, except that a bad argument is a UserError like all other bad input."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (see {self.prog} --help)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code: 0 done, 1 unexpected error, 2 bad input, 130 interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        parsed = parse(arguments)
        return int(parsed.run(parsed))
    except UserError as error:
        print(f"raystar: {error}", file=sys.stderr)
        return BAD_INPUT
    except Crashed as crash:
        print(f"raystar: {crash}", file=sys.stderr)
        return CRASHED
    except KeyboardInterrupt:
        print("raystar: interrupted; the same command goes on where this one stopped", file=sys.stderr)
        return INTERRUPTED


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command's arguments; ``overrides`` keeps those that set config fields, as they were typed."""
    parser = Parser(
        prog="raystar",
        description="Self-evolution of a language model by step-wise search and process preference models.",
        epilog="Every command explains itself: raystar COMMAND --help",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"raystar {manifest.versions().get('raystar', 'source')}"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for name, module in COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=module.HELP,
            description=module.HELP[0].upper() + module.HELP[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add(sub)
        sub.set_defaults(run=module.run, command=name)
    plain, overrides = split(arguments)
    parsed, rest = parser.parse_known_args(plain)
    takes_fields = hasattr(parsed, "config") or hasattr(parsed, "takes_fields")
    if rest and not (takes_fields and all(item.startswith("--") and "=" in item for item in rest)):
        raise UserError(f"unexpected argument {rest[0]!r} (see raystar {parsed.command} --help)")
    parsed.overrides = [*overrides, *rest]
    if parsed.overrides and not takes_fields:
        raise UserError(f"raystar {parsed.command} takes no config fields: unexpected {parsed.overrides[0]!r}")
    return parsed


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Arguments of the command, and overrides (``--a.b=value`` or ``--a.b value``): those with a dot in their name."""
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
