"""``raystar sandbox run``: run a Python file like a step of a solution."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path

from pydantic import Field

from actors.sandbox.client.executor import LocalExecutor
from actors.sandbox.client.result import ExecResult
from actors.sandbox.config import ExecutorConfig
from cluster.commands import options
from cluster.config import loader, overrides
from search.config import StrictConfig
from search.data import Outcome
from search.errors import UserError

HELP = "run a Python file in the sandbox of model-written code"


class SandboxConfig(StrictConfig):
    """The config of this command: one section."""

    executor: ExecutorConfig = Field(ExecutorConfig(), description="where model-written code runs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("run",), metavar="run", help="the only action")
    parser.add_argument("file", metavar="FILE.py", type=Path, help="code of the step")
    parser.add_argument(
        "--after",
        metavar="PREFIX.py",
        type=Path,
        action="append",
        default=[],
        help="code of an earlier step, run before it in the same interpreter; can be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object: outcome, output, isolation")
    parser.add_argument("--dry-run", action="store_true", help="check the arguments, print what would run and stop")
    parser.set_defaults(takes_fields=True)
    parser.epilog = options.fields_help(("executor",)) + "\n\nexit code: 0 the code ran, 1 it failed, 2 bad input"


def run(args: argparse.Namespace) -> int:
    executor = loader.validate_config(SandboxConfig, {}, overrides.parse(args.overrides)).executor
    code, prefix = _read_text(args.file), tuple(_read_text(path) for path in args.after)
    if args.dry_run:
        print(f"would run {args.file} after {len(prefix)} earlier steps, at most {executor.cpu_seconds:g} s each")
        return 0
    tier, result = asyncio.run(_run(executor, prefix, code))
    if args.json:
        print(json.dumps({**asdict(result), "isolation": tier}))
    else:
        print(encodable(result.output.rstrip("\n")))
        print(f"[{result.outcome.value}; isolation: {tier}]")
    return 0 if result.outcome is Outcome.OK else 1


async def _run(config: ExecutorConfig, prefix: tuple[str, ...], code: str) -> tuple[str, ExecResult]:
    """Return the isolation tier of the sandbox and the result of ``code`` after ``prefix``."""
    async with LocalExecutor(config) as executor:
        result = await executor.run_code(prefix, code)
        server = executor.heavy_server or executor.server
        return str(server.hello.get("tier", "unknown")), result


def encodable(text: str) -> str:
    """Return the text with what the terminal's encoding lacks written as escapes: a step may print any character."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
