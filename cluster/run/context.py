"""What a command works with: config, problems, run directory, Ray and progress, opened in that order and closed again.

Knows the order of the checks: nothing is written and nothing is started before all of them have passed.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cluster.config.run_config import RunConfig
from cluster.host import ray_session
from cluster.host.ray_session import Session
from cluster.run import directory, preflight
from cluster.run.directory import RunDir
from cluster.run.progress import Progress
from search.errors import UserError
from search.problems.loading import ProblemSets


class Crashed(RuntimeError):
    """An unexpected error ended a run; the message is one line that names it and the file with its traceback."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """What was asked for on the command line, checked as far as that goes without starting anything.

    ``root`` is the run directory, ``address`` a cluster to join (None: start Ray here), ``command`` as the manifest
    records it.
    """

    command: str
    config: RunConfig
    root: Path
    address: str | None
    problems: ProblemSets
    shots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Context:
    """A job that has begun. ``shots`` are the worked examples put before every question."""

    config: RunConfig
    problems: ProblemSets
    shots: tuple[str, ...]
    run: RunDir
    session: Session
    progress: Progress


@contextmanager
def running(job: Invocation) -> Iterator[Context]:
    """Open the run directory and Ray for the length of the block. An unexpected error becomes ``Crashed``."""
    config = job.config
    preflight.machine(config, job.address, job.root)
    with (
        directory.open_run(job.root, config.resolved(), seed=config.seed, command=job.command) as run,
        Progress(log=run.logs / "raystar.log") as progress,
        crashes(run.logs),
    ):
        progress.say(f"run {config.name} in {job.root}")
        if ray_session.in_job_copy(job.root):
            progress.say("warning: Ray removes this directory after the job; --run-dir on shared storage keeps it")
        with ray_session.ray_session(config.ray, job.address, name=config.name) as ray:
            progress.say(_where(ray))
            yield Context(config, job.problems, job.shots, run, ray, progress)


@contextmanager
def crashes(logs: Path) -> Iterator[None]:
    """Write an unexpected error's traceback into ``logs`` and raise ``Crashed``, which says where it is."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # the boundary of the program: every other error is written down whole
        log = logs / f"crash-{datetime.now():%Y%m%d-%H%M%S}.log"
        log.write_text(traceback.format_exc(), encoding="utf-8")
        text = " ".join(str(error).split())[:200]
        raise Crashed(f"unexpected {type(error).__name__}: {text}; the traceback is in {log}") from error


def _where(ray: Session) -> str:
    verb = "joined" if ray.joined else "started"
    token = "" if ray.joined else " (token: `ray get-auth-token`)"
    board = f", dashboard http://{ray.dashboard}{token}" if ray.dashboard else ""
    return f"{verb} Ray at {ray.address}: {ray.cpus:g} CPUs, {ray.gpus:g} GPUs{board}"
