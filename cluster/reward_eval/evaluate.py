"""``raystar judge``: what a reward model is worth: as a chooser among samples, and as a finder of wrong steps.

    problems ──> samples, drawn or stored ──> a logit a step ──> best-of-N and votes, by N ──┐
                     └─> of the curriculum: run again ──────> ProcessBench's numbers ────────┼──> judge.json
    a file with first wrong steps ──> a logit a step ───────> ProcessBench's numbers ────────┘

The steps are first_error.py's business.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster.evaluation import accuracy
from cluster.reward_eval import first_error, samples
from cluster.reward_eval.request import RewardEvalRequest
from cluster.reward_eval.step_scores import Scored
from cluster.reward_eval.threshold import Threshold
from cluster.run.context import Context
from cluster.searches.runner import SearchRunner
from search.data import ModelRef
from search.errors import UserError
from search.evaluation.best_of_n_curves import JudgedSample, curves, points
from search.evaluation.confidence import Interval
from search.evaluation.process_bench import ProcessRow, ProcessScore
from search.reward_models import RewardModelKind
from search.seeds import derive
from search.storage.files import write_atomic

RESULT = "judge.json"


@dataclass(frozen=True, slots=True)
class Curves:
    """Accuracy of every method at each N of ``sizes``. ``by``: the aggregation that weighs votes.

    ``samples`` a problem at most; ``generated`` and ``scored`` are tokens a problem, for all its samples.
    """

    problems: int
    samples: int
    sizes: tuple[int, ...]
    by: str
    methods: dict[str, list[Interval]]
    generated: float
    scored: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came out. ``source``: what was judged; ``threshold``: where the threshold of ``steps`` comes from."""

    model: str
    kind: str
    source: str
    curves: Curves | None
    steps: ProcessScore | None
    threshold: str


def judge(context: Context, asked: RewardEvalRequest, policy: ModelRef | None, threshold: Threshold) -> Judgement:
    """Samples, their scores and what they come to; writes ``judge.json``. ``policy`` draws, where nothing is stored."""
    with SearchRunner(context) as searchers:
        samples.draw(context, searchers, asked, policy)
        scored = samples.score(context, searchers, asked)
        found = sample_curves(context, asked, scored)
        steps = first_error.on_samples(context, searchers, asked, scored, threshold)
    source = f"{asked.split} problems" if asked.trees is None else f"trees of {asked.trees}"
    told = threshold.told() if steps else ""
    return _written(context, Judgement(str(asked.model), asked.kind, source, found, steps, told))


def judge_file(
    context: Context, model: Path, kind: RewardModelKind, file: Path, rows: Sequence[ProcessRow], threshold: Threshold
) -> Judgement:
    """The steps of a file; writes ``judge.json``."""
    with SearchRunner(context) as searchers:
        steps = first_error.on_file(context, searchers, model, kind, file, rows, threshold)
    return _written(context, Judgement(str(model), kind, str(file), None, steps, threshold.told()))


def sample_curves(context: Context, asked: RewardEvalRequest, scored: dict[str, Scored]) -> Curves:
    """The curves of samples whose steps are scored. A problem without a tree has no samples and is wrong."""
    scale = context.config.evaluation.search.squash_scale
    found: dict[str, list[JudgedSample]] = {problem.id: [] for problem in asked.problems}
    generated = read = 0
    for tree in asked.read(context.run):
        of_tree = scored[tree.problem.id]
        found[tree.problem.id] = list(samples.judged(tree, samples.scores_of_steps(of_tree, asked.kind, scale)))
        generated += accuracy.total([tree]).generated_tokens
        read += of_tree.tokens
    most = max(map(len, found.values()), default=0)
    if not most:
        raise UserError(f"there is no sample to judge: all {len(found)} problems were put in quarantine")
    sizes, seed = points(most), derive(context.config.seed, "judge")
    with context.progress.task("curves"):
        methods = curves(list(found.values()), sizes, asked.by, seed)
    return Curves(len(found), most, sizes, asked.by, methods, generated / len(found), read / len(found))


def _written(context: Context, found: Judgement) -> Judgement:
    write_atomic(context.run.root / RESULT, json.dumps(asdict(found), indent=1) + "\n")
    return found
