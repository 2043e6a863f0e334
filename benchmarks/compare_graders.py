"""Compare graders on a file of cases: incorrect answers that pass, correct answers that fail, errors, and pairs a second.

    python benchmarks/compare_graders.py CASES.jsonl --work DIR --set-up     makes an environment for each grader, then grades
    python benchmarks/compare_graders.py CASES.jsonl --work DIR --grader raystar    grades anew with one of them

A line of the file holds ``id, gold, answer, equal``. Each grader runs in a virtual environment of its own under DIR, with
its code at a fixed commit (source files only), behind a driver in benchmarks/graders/. A pair that takes longer than the limit
ends the driver, and the next pair starts another. Verdicts are kept by id in docs/results/graders.jsonl, without the texts.
A grader that is not named keeps its verdicts of the same file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DRIVERS = Path(__file__).resolve().parent / "graders"
RESULTS = ROOT / "docs" / "results" / "graders.jsonl"
WARM_UP = [("1", "1"), (r"\frac{x^2-1}{x-1}", "x+1"), (r"\sin(2x)", r"2\sin x\cos x")]  # what is loaded at first use
START_SECONDS = 120.0  # until a driver has imported its grader
TIME_LIMIT = "time limit"
ANTLR = "antlr4-python3-runtime==4.11.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Code of a grader: a repository, a commit, the paths taken, and the folders of them that Python imports from."""

    url: str
    commit: str
    paths: tuple[str, ...]
    import_from: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grader:
    """A grader: its driver, the packages of its environment, and its code where it is no package."""

    title: str
    driver: str
    packages: tuple[str, ...] = ()
    packages_alone: tuple[str, ...] = ()  # installed without what they ask for
    sources: tuple[Source, ...] = ()


GRADERS = {
    "raystar": Grader(title="RayStar", driver="raystar.py"),
    "math_verify": Grader(
        title="math-verify 0.9.0", driver="math_verify_released.py", packages=("math-verify==0.9.0",)
    ),
    "trl": Grader(
        title="TRL 1.16.0 accuracy reward",
        driver="trl_accuracy.py",
        packages=("math-verify==0.9.0", "packaging"),
        packages_alone=("trl==1.16.0",),
    ),
    "qwen_math": Grader(
        title="Qwen2.5-Math evaluation",
        driver="qwen_math.py",
        packages=("sympy==1.12", ANTLR, "word2number", "regex", "numpy", "python-dateutil"),
        sources=(
            Source(
                url="https://github.com/QwenLM/Qwen2.5-Math",
                commit="a45202bd16f1ec06f433442dc1152d0074773465",
                paths=("evaluation/grader.py", "evaluation/parser.py", "evaluation/utils.py", "evaluation/latex2sympy"),
                import_from=("evaluation", "evaluation/latex2sympy"),
            ),
        ),
    ),
    "rstar_math": Grader(
        title="rStar-Math",
        driver="rstar_math.py",
        packages=("sympy==1.13.1", ANTLR, "timeout-decorator==0.5.0", "word2number", "regex", "pyparsing", "pydantic", "omegaconf"),
        sources=(
            Source(
                url="https://github.com/microsoft/rStar",
                commit="b3c1846185f4af877e1e441a67c4c5fcfed9d442",  # branch rStar-math
                paths=("rstar_deepthink", "utils"),
                import_from=("",),
            ),
            Source(
                url="https://github.com/MARIO-Math-Reasoning/MARIO_EVAL",
                commit="13584f20b71ffc6e9873e86481054849ed015065",
                paths=("math_evaluation/__init__.py", "math_evaluation/core", "latex2sympy"),
                import_from=("", "latex2sympy"),
            ),
        ),
    ),
}  # fmt: skip


def run(*command: str | Path) -> str:
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def take_code(source: Source, work: Path) -> None:
    """Write the Python files of a source at its commit, and nothing else of the repository."""
    clone, folder = work / "clones" / source.name, work / "code" / source.name
    if folder.exists():
        return
    if not clone.exists():
        run("git", "clone", "--quiet", "--filter=blob:none", "--no-checkout", source.url, clone)
    for path in run(
        "git", "-C", clone, "ls-tree", "-r", "--name-only", source.commit, "--", *source.paths
    ).splitlines():
        if path.endswith(".py") and "/tests/" not in path and "/sandbox/" not in path:
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(run("git", "-C", clone, "show", f"{source.commit}:{path}"), encoding="utf-8")


def set_up(name: str, work: Path) -> None:
    """Make a grader's environment, unless it is there."""
    grader = GRADERS[name]
    python = work / name / "bin" / "python"
    if grader.packages and not python.exists():
        run(sys.executable, "-m", "venv", work / name)
        run(python, "-m", "pip", "install", "-qq", *grader.packages)
        if grader.packages_alone:
            run(python, "-m", "pip", "install", "-qq", "--no-deps", *grader.packages_alone)
    for source in grader.sources:
        take_code(source, work)


class Driver:
    """A grader's process, started again after each pair that it does not answer in time."""

    def __init__(self, name: str, work: Path, limit: float) -> None:
        grader = GRADERS[name]
        python = work / name / "bin" / "python" if grader.packages else Path(sys.executable)
        folders = [work / "code" / source.name / folder for source in grader.sources for folder in source.import_from]
        self.command = [str(python), str(DRIVERS / grader.driver)]
        self.environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(folder) for folder in folders)}
        self.limit = limit
        self.process: subprocess.Popen[bytes] | None = None
        self.ready = ""

    def start(self) -> subprocess.Popen[bytes]:
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self.environment,
            start_new_session=True,
        )
        reply = self.read_reply(self.process, START_SECONDS)
        if reply is None:
            raise SystemExit(f"{self.command[1]} did not start; run with --set-up, or run it by hand")
        self.ready = reply["ready"]
        for gold, answer in WARM_UP:
            self.ask(self.process, gold, answer, START_SECONDS)
        return self.process

    def read_reply(self, process: subprocess.Popen[bytes], seconds: float) -> dict[str, Any] | None:
        """Return the next line; None when it does not come in time or the process ends."""
        assert process.stdout is not None
        line, deadline = b"", time.monotonic() + seconds
        while not line.endswith(b"\n"):
            if not select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            piece = os.read(process.stdout.fileno(), 65536)
            if not piece:
                return None
            line += piece
        return json.loads(line)  # type: ignore[no-any-return]

    def ask(self, process: subprocess.Popen[bytes], gold: str, answer: str, seconds: float) -> dict[str, Any] | None:
        assert process.stdin is not None
        process.stdin.write(json.dumps({"gold": gold, "answer": answer}).encode() + b"\n")
        process.stdin.flush()
        return self.read_reply(process, seconds)

    def grade(self, gold: str, answer: str) -> dict[str, Any]:
        process = self.process or self.start()
        start = time.perf_counter()
        reply = self.ask(process, gold, answer, self.limit)
        if reply is None:
            is_alive = process.poll() is None
            self.close()
            error = TIME_LIMIT if is_alive else "process ended"
            reply = {"verdict": None, "error": error, "seconds": time.perf_counter() - start}
        return reply

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def grade_cases(
    name: str, cases: Sequence[dict[str, Any]], work: Path, limit: float
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a summary of a grader and its replies by case."""
    driver, replies = Driver(name, work, limit), {}
    for case in cases:
        replies[case["id"]] = driver.grade(case["gold"], case["answer"])
    driver.close()
    seconds = [reply["seconds"] for reply in replies.values() if reply.get("error") != TIME_LIMIT]
    return {"version": driver.ready, "pairs_per_second": round(len(seconds) / sum(seconds), 2)}, replies


def table(rows: Sequence[dict[str, Any]], summaries: dict[str, Any]) -> str:
    """Return a Markdown table. A pair without a verdict counts as not passed."""
    incorrect = [row for row in rows if not row["equal"]]
    correct = [row for row in rows if row["equal"]]
    lines = [
        f"| grader | incorrect answers passed (of {len(incorrect)}) | correct answers failed (of {len(correct)}) | agreement "
        "| no verdict: error, time limit, declined | pairs/s |",
        "|---|---|---|---|---|---|",
    ]
    for name, summary in summaries.items():
        passed = sum(row["verdicts"][name] is True for row in incorrect)
        failed = sum(row["verdicts"][name] is not True for row in correct)
        errors = [row.get("errors", {}).get(name) for row in rows if row["verdicts"][name] is None]
        late = errors.count(TIME_LIMIT)
        declined = errors.count(None)
        counts = f"{len(errors) - late - declined}, {late}, {declined}"
        share = 1 - (passed + failed) / len(rows)
        speed = summary["pairs_per_second"]
        lines.append(
            f"| {GRADERS[name].title} | {passed} | {failed} | {share:.1%} | {counts} | {speed:,.{0 if speed > 100 else 1}f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument(
        "--work", type=Path, required=True, help="folder of the graders' environments, outside the project"
    )
    parser.add_argument("--set-up", action="store_true", help="make the environments that are not there")
    parser.add_argument("--grader", action="append", choices=tuple(GRADERS), help="only this grader; may be repeated")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds for one pair")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    cases = read_rows(arguments.cases)
    digest = hashlib.sha256(arguments.cases.read_bytes()).hexdigest()
    kept = read_rows(arguments.results) if arguments.results.exists() else [{"digest": None}]
    summaries, rows = (
        {},
        {case["id"]: {"id": case["id"], "equal": case["equal"], "verdicts": {}, "errors": {}} for case in cases},
    )
    if kept[0]["digest"] == digest:
        summaries = kept[0]["graders"]
        for row in kept[1:]:
            rows[row["id"]] |= {"verdicts": row["verdicts"], "errors": row.get("errors", {})}
    for name in arguments.grader or GRADERS:
        if arguments.set_up:
            set_up(name, work)
        summaries[name], replies = grade_cases(name, cases, work, arguments.limit)
        for case, reply in replies.items():
            rows[case]["verdicts"][name] = reply["verdict"]
            rows[case]["errors"].pop(name, None)
            if "error" in reply:  # its name only: the message may quote the case
                rows[case]["errors"][name] = reply["error"].partition(":")[0]
        print(f"{GRADERS[name].title}: {summaries[name]}", file=sys.stderr, flush=True)
    head = {"digest": digest, "cases": len(cases), "limit_seconds": arguments.limit, "graders": summaries}
    lines = [
        json.dumps(head),
        *(json.dumps({key: value for key, value in row.items() if value != {}}) for row in rows.values()),
    ]
    arguments.results.parent.mkdir(parents=True, exist_ok=True)
    arguments.results.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(table(list(rows.values()), summaries))


if __name__ == "__main__":
    main()
