"""``raystar harvest``: records to learn from, out of stored trees or out of what people said, without starting anything.

    trees ──> the method's rule ──────────┐
    PRM800K's files, labelled files ──────┼──> rounds/r1/harvest, for ``raystar train``

A labelling file that ``raystar select`` wrote has its solutions beside it: labels then belong to these, code included. Any
other file is read as PRM800K's are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from cluster.annotation.file import solutions_file
from cluster.annotation.gold_solutions import references
from cluster.reward_eval import exact_check as checking
from cluster.run import directory as run_directory
from cluster.run.context import Invocation
from cluster.run.directory import RunDir, Stage, write_inputs
from cluster.run.progress import Progress
from search.core.stopping import grade_terminals
from search.data import Trajectory
from search.errors import UserError
from search.grading.grader import grader
from search.storage.tree_store import read_trees
from search.tree import Tree
from train.data.loading import read_records
from train.labels.annotation_files import read_labelling
from train.labels.harvest import harvest_labelled, harvest_people
from train.labels.prm800k import read_rows
from train.rules import RuleInputs
from train.rules.registry import HarvestConfigs, HarvestResult, result_of

Write = Callable[[Path], HarvestResult]
ONLY_IN_ROUNDS = ("hinted", "marked")  # what the rounds of a run search for beside their trees


def harvest(job: Invocation, stage_given: dict[str, object], write: Write) -> None:
    """Write the records as the stage r1/harvest of the job's run directory, and say what came of it."""
    config = job.config
    with (
        run_directory.open_run(job.root, config.resolved(), seed=config.seed, command=job.command) as run,
        Progress(log=run.logs / "raystar.log") as progress,
    ):
        stage = harvested(run)
        if not stage.done:
            with stage.writing() as writer:
                write_inputs(writer.directory, stage_given)
                made = write(writer.directory)
                writer.facts.update(counts=made.counts, told=made.told, nothing=made.nothing)
        facts = stage.facts()
        progress.say(str(facts["told"]))
        for file, reason in facts["nothing"].items():
            progress.say(f"{file} teaches nothing: {reason}")
        progress.say(f"records: {stage.path}")


def harvested(run: RunDir) -> Stage:
    """Where the records go."""
    return run.stage("r1/harvest")


def of_trees(job: Invocation, directories: Sequence[Path]) -> Write:
    """The harvest of stored trees by the method's rule. Raises UserError where the rule wants more than trees."""
    config, source = job.config, job.config.method.source
    missing = [need for need in source.needs if need in ONLY_IN_ROUNDS]
    if missing:
        raise UserError(
            f"rule {config.method.rule!r} needs more than trees ({', '.join(missing)}): raystar evolve searches for it"
        )
    for directory in directories:
        first = next(read_trees(directory))
        if source.strategy not in (None, first.strategy):
            raise UserError(
                f"rule {config.method.rule!r} reads trees of strategy {source.strategy!r}; those in {directory} were grown "
                f"by {first.strategy!r}"
            )
        if "checked" in source.needs and not checking.checkable(first.problem, config.policy.step_format(job.shots)):
            raise UserError(
                f"rule {config.method.rule!r} checks solutions of the curriculum's problems in code; those in {directory} are "
                "others: raystar harvest --people takes labels by people"
            )

    def trees() -> Iterator[Tree]:
        return map(_graded, chain.from_iterable(map(read_trees, directories)))

    def write(out_dir: Path) -> HarvestResult:
        known = references(config.method, job.problems.train)
        checked = checking.labels(trees(), config.executor) if "checked" in source.needs else ()
        return source.write(
            RuleInputs(trees(), known, checked=checked), HarvestConfigs(config.harvest, config.method.take), out_dir
        )

    return write


def _graded(tree: Tree) -> Tree:
    """The tree with its answers graded; searches that are not to see the answers leave that to others."""
    if all(node.correct is None for node in tree.nodes):
        grade_terminals(tree, grader())
    return tree


def of_people(files: Sequence[Path], skip_bad_lines: bool) -> Write:
    """The harvest of labels by people. Reads all files once; UserError names the first bad line."""
    ours = [file for file in files if solutions_file(file).is_file()]
    if ours and len(ours) < len(files):
        other = next(file for file in files if file not in ours)
        raise UserError(
            f"--people: {ours[0]} comes from raystar select and {other} does not: harvest them one after the other"
        )
    if not ours:
        for _ in read_rows(files, Counter(), skip_bad_lines):
            pass
        return lambda out_dir: result_of(harvest_people(files, out_dir, grader(), skip_bad_lines))
    given_out = tuple(read_records(Trajectory, [solutions_file(file) for file in ours]))
    for _ in read_labelling(ours, given_out, Counter(), skip_bad_lines):
        pass
    return lambda out_dir: result_of(harvest_labelled(ours, given_out, out_dir, skip_bad_lines))
