"""Write the records that ``raystar train`` learns from (``raystar harvest``), out of stored trees or people's labels.

    trees ──> the method's rule ──────────┐
    PRM800K's files, labelled files ──────┼──> rounds/r1/harvest

A labelling file that ``raystar select`` wrote has its solutions beside it: the labels are joined with these solutions,
code included. Any other file is read as PRM800K's are. No Ray is started.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from cluster.annotation.file import solutions_file
from cluster.annotation.gold_solutions import gold_solutions
from cluster.annotation.stored_rounds import trees_by_round
from cluster.reward_eval import exact_check
from cluster.run import directory as run_directory
from cluster.run import stored_run
from cluster.run.context import Invocation
from cluster.run.directory import RunDir, Stage, check_inputs, write_inputs
from cluster.run.progress import Progress
from search.core.stopping import grade_terminals
from search.data import Trajectory
from search.errors import UserError
from search.grading.grader import grader
from search.storage.tree_store import read_trees
from search.tree import Tree
from train.data.records import read_records
from train.labels.annotation_files import read_annotations
from train.labels.harvest import harvest_annotations, harvest_prm800k
from train.labels.prm800k import read_rows
from train.rules.base import HarvestResult, RuleInput, RuleInputs
from train.rules.step_labels.tree_labels import label_result

RecordWriter = Callable[[Path], HarvestResult]
ONLY_IN_ROUNDS = (RuleInput.HINTED_TREES, RuleInput.MARKS)  # inputs of rules for which only the rounds of a run search


def run_harvest(invocation: Invocation, inputs: dict[str, object], write_records: RecordWriter) -> None:
    """Write the records as the stage r1/harvest of the run directory and log a summary."""
    config = invocation.config
    with (
        stored_run.open_mirror(invocation.store),
        run_directory.open_run(
            invocation.root,
            (invocation.written or config).resolved(),
            seed=config.seed,
            command=invocation.command,
            store=invocation.store,
        ) as run,
        Progress(log_file=run.logs / "raystar.log") as progress,
    ):
        stage = harvest_stage(run)
        check_inputs(stage, inputs)  # those of a run in an object store are here only now
        if not stage.is_done:
            with stage.writing() as writer:
                write_inputs(writer.directory, inputs)
                result = write_records(writer.directory)
                writer.facts.update(
                    counts=result.counts, summary=result.summary, nothing_to_learn=dict(result.nothing_to_learn)
                )
        facts = stage.facts()
        progress.log(str(facts["summary"]))
        for file, reason in facts["nothing_to_learn"].items():
            progress.log(f"{file} teaches nothing: {reason}")
        progress.log(f"records: {stage.path}")


def harvest_stage(run: RunDir) -> Stage:
    """Return the stage that keeps the records."""
    return run.stage("r1/harvest")


def tree_records_writer(invocation: Invocation, directories: Sequence[Path]) -> RecordWriter:
    """Return a function that harvests stored trees by the method's rule.

    Raises UserError if the rule cannot be applied to these trees alone.
    """
    config, rule = invocation.config, invocation.config.method.harvest_rule
    missing = [needed for needed in ONLY_IN_ROUNDS if needed in rule.needs]
    if missing:
        raise UserError(
            f"rule {rule.name!r} needs more than trees ({', '.join(missing)}): raystar evolve searches for it"
        )
    for directory in directories:
        first = next(read_trees(directory))
        if rule.strategy not in (None, first.strategy):
            raise UserError(
                f"rule {rule.name!r} reads trees of strategy {rule.strategy!r}; those in {directory} were made "
                f"by {first.strategy!r}"
            )
        if RuleInput.CHECKED_LABELS in rule.needs and not exact_check.is_checkable(
            first.problem, invocation.prompting.bare_format(config.policy.path)
        ):
            raise UserError(
                f"rule {rule.name!r} checks solutions of the curriculum's problems in code; those in {directory} are "
                "others: raystar harvest --labels takes labels by people"
            )

    def trees() -> Iterator[Tree]:
        return map(_with_grades, chain.from_iterable(map(read_trees, directories)))

    def write(out_dir: Path) -> HarvestResult:
        gold = gold_solutions(config.method, invocation.problems.train)
        labels = exact_check.step_labels(trees(), config.executor) if RuleInput.CHECKED_LABELS in rule.needs else ()
        inputs = RuleInputs(
            trees=trees(),
            rounds=trees_by_round(directories, _with_grades),
            references=gold,
            checked_labels=labels,
        )
        return rule.write(inputs, config.method.options, out_dir)

    return write


def _with_grades(tree: Tree) -> Tree:
    """Return the tree with its answers graded, which blind searches leave undone."""
    if all(node.correct is None for node in tree.nodes):
        grade_terminals(tree, grader())
    return tree


def label_records_writer(files: Sequence[Path], skip_bad_lines: bool) -> RecordWriter:
    """Return a function that harvests labels by people. All files are read once: UserError names the first bad line."""
    selected = [file for file in files if solutions_file(file).is_file()]
    if selected and len(selected) < len(files):
        other = next(file for file in files if file not in selected)
        raise UserError(
            f"--labels: {selected[0]} comes from raystar select and {other} does not: harvest them one after the other"
        )
    if not selected:
        for _ in read_rows(files, Counter(), skip_bad_lines):
            pass
        return lambda out_dir: label_result(harvest_prm800k(files, out_dir, grader(), skip_bad_lines))
    solutions = tuple(read_records(Trajectory, [solutions_file(file) for file in selected]))
    for _ in read_annotations(selected, solutions, Counter(), skip_bad_lines):
        pass
    return lambda out_dir: label_result(harvest_annotations(selected, solutions, out_dir, skip_bad_lines))
