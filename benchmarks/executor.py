"""Measure steps per second and core: a fresh interpreter a step, a replaying ``exec`` pool, and the executor at each tier.

    python benchmarks/executor.py --cores 1 --seconds 4

Every way runs the same steps: at depth d, groups of eight siblings after a shared path of d - 1 steps that ran before, as a
search meets them. The pool does what rStar-Math's released code does: ``exec`` of the whole program in a worker process,
without isolation. "wall" is steps per second of the clock and core. "cpu" is steps per second of processor time, service
processes included: the same on a quiet machine, and still true on a busy one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import itertools
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from actors.sandbox.client.executor import LocalExecutor
from actors.sandbox.config import ExecutorConfig
from actors.sandbox.limits import Tier

DEPTHS = (1, 4, 8, 16)
SIBLINGS = 8
PATHS = 2  # searched at once
Program = tuple[tuple[str, ...], str]
RunMany = Callable[[list[Program]], Awaitable[list[str]]]


def trivial(level: int, n: int) -> str:
    return f"v{level} = {n} + {level}\nprint(v{level})"


def with_sympy(level: int, n: int) -> str:
    return (
        f"import sympy\nx = sympy.Symbol('x')\nr{level} = sympy.solve(x**2 - {n + level}*x + {n + 1}, x)\n"
        f"print(sympy.simplify(sum(r{level})))"
    )


KINDS = {"trivial": trivial, "sympy": with_sympy}


def groups(kind: str, depth: int) -> itertools.chain[tuple[tuple[str, ...], list[Program]]]:
    """Yield endless (path, siblings), with new numbers each time, so that no cached result fits."""
    make_step = KINDS[kind]

    def group(k: int) -> tuple[tuple[str, ...], list[Program]]:
        path = tuple(make_step(level, 1000 * k + 3) for level in range(depth - 1))
        return path, [(path, make_step(depth - 1, 1000 * k + 10 * i + 7)) for i in range(SIBLINGS)]

    return itertools.chain.from_iterable([group(k)] for k in itertools.count())


def replay(program: Program) -> str:
    """Run the whole program in this process and return the output of its last step."""
    names: dict[str, object] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for code in program[0]:
            exec(code, names)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(program[1], names)
    return printed.getvalue()


def in_fresh_interpreter(program: Program) -> str:
    code = "\n".join((*program[0], "print('---')", program[1]))
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return process.stdout.partition("---\n")[2]


@contextlib.asynccontextmanager
async def fresh(cores: int) -> AsyncIterator[RunMany]:
    with ThreadPoolExecutor(cores) as threads:
        loop = asyncio.get_running_loop()

        async def run(programs: list[Program]) -> list[str]:
            return list(
                await asyncio.gather(*(loop.run_in_executor(threads, in_fresh_interpreter, p) for p in programs))
            )

        yield run


@contextlib.asynccontextmanager
async def pool(cores: int) -> AsyncIterator[RunMany]:
    with multiprocessing.get_context("spawn").Pool(cores) as workers:
        loop = asyncio.get_running_loop()

        async def run(programs: list[Program]) -> list[str]:
            return await loop.run_in_executor(None, lambda: workers.map(replay, programs, chunksize=1))

        yield run


def executor(tier: Tier) -> Callable[[int], contextlib.AbstractAsyncContextManager[RunMany]]:
    @contextlib.asynccontextmanager
    async def start(cores: int) -> AsyncIterator[RunMany]:
        config = ExecutorConfig(
            concurrency=cores,
            required_tier=tier,
            max_tier=tier,
            evaluate_arithmetic=False,
            wall_seconds=60,
            cpu_seconds=20,
        )
        async with LocalExecutor(config) as local:

            async def run(programs: list[Program]) -> list[str]:
                return [result.output for result in await local.run_programs(programs)]

            yield run

    return start


WAYS: dict[str, Callable[[int], contextlib.AbstractAsyncContextManager[RunMany]]] = {
    "fresh interpreter": fresh,
    "replaying exec pool": pool,
    **{f"executor, {tier}": executor(tier) for tier in Tier},
}


def processor_seconds() -> float:
    """Return the processor seconds of this process and its descendants, including dead ones that their parents waited for."""
    ticks, parents = {}, {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(entry)] = int(fields[1])
        ticks[int(entry)] = sum(int(field) for field in fields[11:15])
    family = {os.getpid()}
    while children := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= children
    return sum(ticks.get(pid, 0) for pid in family) / os.sysconf("SC_CLK_TCK")


async def measure(run: RunMany, kind: str, depth: int, seconds: float, tree: bool) -> tuple[float, float, int]:
    """Return clock seconds, processor seconds and steps of sibling runs. Their paths run before, off the clock."""
    source = groups(kind, depth)
    clock = processor = 0.0
    steps = 0
    while clock < seconds:
        paths = [next(source) for _ in range(PATHS)]
        if tree:
            for level in range(depth - 1):
                await run([(path[:level], path[level]) for path, _ in paths])
        programs = [program for _, siblings in paths for program in siblings]
        start, cpu_start = time.perf_counter(), processor_seconds()
        outputs = await run(programs)
        clock += time.perf_counter() - start
        processor += processor_seconds() - cpu_start
        steps += len(programs)
        if not all(outputs):
            raise RuntimeError(f"a step printed nothing: {kind}, depth {depth}")
    return clock, processor, steps


async def compare(cores: int, seconds: float, kinds: list[str], ways: list[str], depths: list[int]) -> None:
    print(
        f"steps per second and core, wall / cpu; {cores} core(s), {seconds:g} s each, Python {sys.version.split()[0]}"
    )
    for kind in kinds:
        print(f"\n{kind:22}" + "".join(f"{f'depth {depth}':>18}" for depth in depths))
        for name in ways:
            cells = []
            async with WAYS[name](cores) as run:
                await run([((), KINDS[kind](0, 5))])
                for depth in depths:
                    clock, processor, steps = await measure(run, kind, depth, seconds, tree="executor" in name)
                    cells.append(f"{steps / clock / cores:7.0f} / {steps / max(processor, 0.01):5.0f}")
            print(f"{name:22}" + "".join(f"{cell:>18}" for cell in cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", type=int, default=1, help="cores to bind everything to (count)")
    parser.add_argument("--seconds", type=float, default=4.0, help="clock time of each cell (s)")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS), help="what the steps do")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS), help="which ways to run")
    parser.add_argument("--depths", nargs="+", type=int, default=list(DEPTHS), help="steps in a program (count)")
    args = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.cores])
    asyncio.run(compare(args.cores, args.seconds, args.kinds, args.ways, args.depths))


if __name__ == "__main__":
    main()
