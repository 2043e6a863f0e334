"""Open what a command works with: config, problems, run directory, Ray and progress. Close them in reverse order.

Nothing is written and nothing is started before all checks have passed.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cluster.config.run_config import RunConfig
from cluster.host import ray_session
from cluster.host.ray_session import RaySession
from cluster.run import directory, preflight
from cluster.run.directory import RunDir
from cluster.run.endpoints import Endpoints, describe_endpoints
from cluster.run.model_fields import RunModels, describe_models
from cluster.run.progress import Progress
from cluster.run.prompting import Prompting, describe_prompts
from search.data import ModelRef
from search.errors import UserError
from search.problems.loading import ProblemSets
from search.reward_models import RewardAdapter, reward_adapter
from search.reward_models.judge import endpoint_judge


class UnexpectedCrash(RuntimeError):
    """An unexpected error ended the run. The message is one line: the error and the file with its traceback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """A command with its arguments, after all checks that start nothing.

    Attributes:
        command: command line, for the manifest.
        config: config of the run, with the overrides of the command line, and directories in place of models' names.
        root: run directory.
        address: Ray cluster to join; None starts Ray on this machine.
        problems: problems by split.
        shots: worked examples for models that were not trained on their format.
        models: the models that the config and the command line name.
        written: config as the user wrote it, which the run directory keeps; None where it names no model.
        endpoints: servers of models that the config names, probed.
    """

    command: str
    config: RunConfig
    root: Path
    address: str | None
    problems: ProblemSets
    shots: tuple[str, ...] = ()
    models: RunModels = field(default_factory=RunModels)
    written: RunConfig | None = None
    endpoints: Endpoints = field(default_factory=Endpoints)

    @property
    def prompting(self) -> Prompting:
        """How the models of the run are prompted."""
        return Prompting(self.config.policy.prompt_settings(self.shots), self.endpoints)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A running command.

    Attributes:
        config: config of the run.
        problems: problems by split.
        shots: worked examples for models that were not trained on their format.
        run: run directory, open and locked.
        session: Ray session, started or joined.
        progress: progress display and log.
        models: the models that the config and the command line name.
        endpoints: servers of models that the config names, probed.
    """

    config: RunConfig
    problems: ProblemSets
    shots: tuple[str, ...]
    run: RunDir
    session: RaySession
    progress: Progress
    models: RunModels = field(default_factory=RunModels)
    endpoints: Endpoints = field(default_factory=Endpoints)

    @property
    def prompting(self) -> Prompting:
        """How the models of the run are prompted."""
        return Prompting(self.config.policy.prompt_settings(self.shots), self.endpoints)

    def reward_adapter(self, model: ModelRef, policy: Path | str | None) -> RewardAdapter:
        """Return how a reward model is shown the steps of ``policy``, and read. Raises UserError."""
        if self.endpoints.serves(model.path):
            return endpoint_judge(self.prompting.bare_format(policy), self.config.reward_model.judge)
        step_format = self.prompting.reward_model_format(model.path, policy)
        return reward_adapter(model, step_format, self.config.reward_model)


@contextmanager
def open_context(invocation: Invocation) -> Iterator[Context]:
    """Open the run directory and Ray until the block ends. Raises UnexpectedCrash in place of an unexpected error."""
    config = invocation.config
    preflight.check_machine(config, invocation.address, invocation.root)
    with (
        directory.open_run(
            invocation.root,
            (invocation.written or config).resolved(),
            seed=config.seed,
            command=invocation.command,
            unreachable=invocation.problems.unreachable,
            models=invocation.models.facts(),
        ) as run,
        Progress(log_file=run.logs / "raystar.log") as progress,
        record_crash(run.logs),
    ):
        progress.log(f"run {config.name} in {invocation.root}")
        for entry in invocation.models.lineage():
            run.add_lineage(**entry)
        for line in (
            *describe_models(config, invocation.models),
            *describe_prompts(config, invocation.prompting.settings, invocation.models),
            *describe_endpoints(config, invocation.endpoints),
            *describe_problems(invocation.problems),
        ):
            progress.log(line)
        if ray_session.is_in_job_copy(invocation.root):
            progress.log("warning: Ray removes this directory after the job; --run-dir on shared storage keeps it")
        with ray_session.ray_session(config.ray, invocation.address, name=config.name) as ray:
            progress.log(_describe_ray(ray))
            yield Context(
                config=config,
                problems=invocation.problems,
                shots=invocation.shots,
                run=run,
                session=ray,
                progress=progress,
                models=invocation.models,
                endpoints=invocation.endpoints,
            )


def describe_problems(sets: ProblemSets) -> Iterator[str]:
    """Yield lines on how problem sets were read and what was left out of them."""
    for name, reading in sets.readings.items():
        yield f"problems.{name}: {reading}"
    for name, selection in sets.selections.items():
        yield f"problems.{name}: {selection}"
    for name, overlaps in sets.dropped.items():
        if overlaps:
            yield f"problems.{name}: {len(overlaps)} left out that a set that is only measured contains"
    for name, reason in sets.unreachable.items():
        yield f"warning: problems.evaluation.{name} is left out, training problems were not compared with it: {reason}"


@contextmanager
def record_crash(logs: Path) -> Iterator[None]:
    """Write an unexpected error's traceback into ``logs`` and raise UnexpectedCrash with the file's path."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # the program's boundary: every error but UserError is recorded with its traceback
        file = logs / f"crash-{datetime.now():%Y%m%d-%H%M%S}.log"
        file.write_text(traceback.format_exc(), encoding="utf-8")
        text = " ".join(str(error).split())[:200]
        raise UnexpectedCrash(f"unexpected {type(error).__name__}: {text}; the traceback is in {file}") from error


def _describe_ray(ray: RaySession) -> str:
    verb = "joined" if ray.joined else "started"
    token = "" if ray.joined else " (token: `ray get-auth-token`)"
    dashboard = f", dashboard http://{ray.dashboard}{token}" if ray.dashboard else ""
    return f"{verb} Ray at {ray.address}: {ray.cpus:g} CPUs, {ray.gpus:g} GPUs{dashboard}"
