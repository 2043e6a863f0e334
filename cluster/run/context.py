"""Open what a command works with: config, problems, run directory, Ray and progress. Close them in reverse order.

Nothing is written and nothing is started before all checks have passed.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.capacity.needs import Work, needs
from cluster.capacity.placement import bundles_to_hold
from cluster.capacity.wording import describe_supply
from cluster.config.run_config import RunConfig
from cluster.host import job_status, ray_session
from cluster.host.ray_session import RaySession
from cluster.run import directory, preflight, stored_run
from cluster.run.checks.admission import Admission, Ground, admit, cluster_ground, machine_ground, plan
from cluster.run.checks.model_shapes import model_shapes
from cluster.run.directory import RunDir
from cluster.run.endpoints import Endpoints, describe_endpoints
from cluster.run.model_fields import RunModels, check_engines, describe_models
from cluster.run.progress import Progress
from cluster.run.prompting import Prompting, describe_prompts
from search.data import ModelRef
from search.errors import UserError
from search.problems.loading import ProblemSets
from search.reward_models import RewardAdapter, reward_adapter
from search.reward_models.judge import endpoint_judge
from search.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from actors.placement.placer import Placer


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
        work: what the command has done, which its needs depend on.
        admission: of a dry run: what it would run on, and what its stages need.
        store: object store of which ``root`` is the mirror; None for a run in a directory.
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
    work: Work = field(default_factory=Work)
    admission: Admission | None = None
    store: ObjectStore | None = None

    @property
    def place(self) -> str:
        """Where the run is, for people: its directory or its URL."""
        return str(self.store or self.root)

    @property
    def prompting(self) -> Prompting:
        """How the models of the run are prompted."""
        return Prompting(self.config.policy.prompt_settings(self.shots), self.endpoints)

    def admit(self, ground: Ground, *, writes: bool = True) -> Admission:
        """Return what the command chooses and needs on some ground. Raises UserError, one line, if it does not fit.

        ``writes``: whether the run directory must have room for what trainings write.
        """
        shapes = model_shapes(self.config, self.models)
        admission = admit(self.config, self.work, shapes, ground, self.root if writes else None)
        check_engines(admission.config, self.models)  # what depends on the GPUs that were chosen
        return admission


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
        placer: places actors on the nodes of a cluster; None: all of them run on this machine.
    """

    config: RunConfig
    problems: ProblemSets
    shots: tuple[str, ...]
    run: RunDir
    session: RaySession
    progress: Progress
    models: RunModels = field(default_factory=RunModels)
    endpoints: Endpoints = field(default_factory=Endpoints)
    placer: Placer | None = None

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
    with (
        stored_run.named_in_environment(invocation.store),
        admitted(invocation) as admitted_command,
        stored_run.open_mirror(invocation.store),
        directory.open_run(
            invocation.root,
            (invocation.written or invocation.config).resolved(),
            seed=invocation.config.seed,
            command=invocation.command,
            unreachable=invocation.problems.unreachable,
            models=invocation.models.facts(),
            store=invocation.store,
        ) as run,
        Progress(log_file=run.logs / "raystar.log") as progress,
        record_crash(run.logs),
    ):
        config = admitted_command.admission.config
        progress.log(f"run {config.name} in {invocation.place}")
        for entry in invocation.models.lineage():
            run.add_lineage(**entry)
        for line in (
            *describe_models(config, invocation.models),
            *describe_prompts(config, invocation.prompting.settings, invocation.models),
            *describe_endpoints(config, invocation.endpoints),
            *describe_problems(invocation.problems),
            *admitted_command.describe(),
        ):
            progress.log(line)
        if invocation.store is None and ray_session.is_in_job_copy(invocation.root):
            progress.log("warning: Ray removes this directory after the job; --run-dir on shared storage keeps it")
        joined = admitted_command.session
        with (
            nullcontext(joined) if joined else _start_ray(invocation) as ray,
            _placement(admitted_command.admission, ray, progress) as placer,
            job_status.shown_in_dashboard(progress.current_line),
        ):
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
                placer=placer,
            )


@contextmanager
def _placement(admission: Admission, session: RaySession, progress: Progress) -> Iterator[Placer | None]:
    """Yield what places actors on a joined cluster, while its autoscaler keeps the nodes of all stages; None without one."""
    if not session.joined:
        yield None
        return
    # Heavy: Ray, which a start on this machine loads later.
    from actors.placement.placer import Placer
    from cluster.host.autoscaling import hold_resources

    with hold_resources(bundles_to_hold(admission.stages)):
        yield Placer(admission.config.placement, progress.log)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A command that passed all checks. ``session``: the cluster that it joined; None if Ray starts on this machine later."""

    admission: Admission
    session: RaySession | None = None
    warnings: tuple[str, ...] = ()

    def describe(self) -> Iterator[str]:
        """Yield what the log of the run says of the checks."""
        if self.session is not None:
            yield f"{self.admission.ground.place}: {describe_supply(self.admission.ground.supply)}"
        yield from self.admission.reasons
        yield from self.admission.warnings
        yield from self.admission.ground.warnings
        yield from self.warnings


@contextmanager
def admitted(invocation: Invocation) -> Iterator[Admitted]:
    """Check that the command fits what it runs on, before anything is written. Raises UserError.

    A cluster that it names is joined until the block ends. Without an address nothing is started.
    """
    if invocation.address is None:
        admission = invocation.admit(machine_ground(invocation.config.ray))
        preflight.check_machine(admission.config, None, invocation.root)
        yield Admitted(admission)
        return
    preflight.check_machine(invocation.config, invocation.address, invocation.root)
    with _start_ray(invocation) as session:
        from cluster.run.storage_probe import check_storage  # heavy: Ray, which a start on this machine loads later

        admission = invocation.admit(cluster_ground(invocation.config.ray))
        directories = {option: model.directory for option, model in invocation.models.resolved.items()}
        yield Admitted(admission, session, check_storage(invocation.root, directories, invocation.store))


def with_plan(invocation: Invocation) -> Invocation:
    """Return the invocation of a dry run with its admission, for this machine or for the cluster that it names.

    Raises UserError if it does not fit that cluster. A command that starts no actors stays as it is.
    """
    if not needs(invocation.config, invocation.work):
        return invocation
    if invocation.address is None:
        shapes = model_shapes(invocation.config, invocation.models)
        admission = plan(invocation.config, invocation.work, shapes, machine_ground(invocation.config.ray))
    else:
        preflight.check_machine(invocation.config, invocation.address, invocation.root)
        with _start_ray(invocation):
            admission = invocation.admit(cluster_ground(invocation.config.ray), writes=False)
    return replace(invocation, config=admission.config, admission=admission)


def _start_ray(invocation: Invocation) -> AbstractContextManager[RaySession]:
    config = invocation.config
    return ray_session.ray_session(config.ray, invocation.address, name=config.name)


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
    forwarded = f", forwarding {', '.join(ray.forwarded)}" if ray.forwarded else ""
    return f"{verb} Ray at {ray.address}: {ray.cpus:g} CPUs, {ray.gpus:g} GPUs{dashboard}{forwarded}"
