"""Evaluate a reward model (``raystar eval-reward-model``): as a chooser among samples, and as a finder of errors.

problems ──> samples, drawn or stored ──> a logit a step ──> best-of-N and votes, by N ──┐
                 └─> curriculum: check steps exactly ───> ProcessBench's numbers ────────┼──> reward_eval.json
a file with first errors ──────────> a logit a step ────> ProcessBench's numbers ────────┘
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster.evaluation import accuracy
from cluster.reward_eval import first_error, samples
from cluster.reward_eval.request import REWARD_EVAL, SEED_NAMES, RewardEvalRequest
from cluster.reward_eval.step_scores import SolutionLogits
from cluster.reward_eval.threshold import Threshold
from cluster.run.context import Context
from cluster.searches.runner import SearchRunner
from search.data import ModelRef
from search.errors import UserError
from search.evaluation.best_of_n_curves import ScoredSample, accuracy_curves, curve_sizes
from search.evaluation.confidence import Interval
from search.evaluation.process_bench import ProcessRow, ProcessScore
from search.reward_models import RewardModelKind
from search.seeds import derive
from search.storage.files import write_text

RESULT = "reward_eval.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleCurves:
    """Accuracy of every method at each N of ``sizes``. ``aggregation`` makes the weights of weighted votes.

    ``samples``: the most samples of a problem. ``generated_tokens`` and ``scored_tokens`` are per problem, for all its
    samples.
    """

    problems: int
    samples: int
    sizes: tuple[int, ...]
    aggregation: str
    methods: dict[str, list[Interval]]
    generated_tokens: float
    scored_tokens: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardEvaluation:
    """The results for one reward model. ``source``: the solutions scored. ``threshold``: where that of ``steps`` is from."""

    model: str
    kind: str
    source: str
    curves: SampleCurves | None
    steps: ProcessScore | None
    threshold: str


def evaluate_on_samples(
    context: Context, request: RewardEvalRequest, policy: ModelRef | None, threshold: Threshold
) -> RewardEvaluation:
    """Draw samples with ``policy`` where none are stored, score and measure them; write ``reward_eval.json``."""
    with SearchRunner(context) as runner:
        samples.draw(context, runner, request, policy)
        logits = samples.score(context, runner, request)
        curves = measure_curves(context, request, logits)
        steps = first_error.measure_samples(context, runner, request, logits, threshold)
    evaluation = RewardEvaluation(
        model=str(request.model),
        kind=request.kind,
        source=f"{request.split} problems" if request.trees is None else f"trees of {request.trees}",
        curves=curves,
        steps=steps,
        threshold=threshold.describe() if steps else "",
    )
    return _write(context, evaluation)


def evaluate_on_file(
    context: Context, model: Path, kind: RewardModelKind, file: Path, rows: Sequence[ProcessRow], threshold: Threshold
) -> RewardEvaluation:
    """Score and measure the steps of a file; write ``reward_eval.json``."""
    with SearchRunner(context) as runner:
        steps = first_error.measure_file(context, runner, model, kind, file, rows, threshold)
    evaluation = RewardEvaluation(
        model=str(model), kind=kind, source=str(file), curves=None, steps=steps, threshold=threshold.describe()
    )
    return _write(context, evaluation)


def measure_curves(context: Context, request: RewardEvalRequest, logits: dict[str, SolutionLogits]) -> SampleCurves:
    """Return the curves of scored samples. A problem without a tree has no samples and counts as incorrect."""
    scale = context.config.evaluation.search.squash_scale
    by_problem: dict[str, list[ScoredSample]] = {problem.id: [] for problem in request.problems}
    generated_tokens = scored_tokens = 0
    for tree in request.read_trees(context.run):
        of_tree = logits[tree.name]
        scores = samples.step_log_odds(of_tree, request.kind, scale)
        by_problem.setdefault(tree.problem.id, []).extend(samples.read_samples(tree, scores))
        generated_tokens += accuracy.total_cost([tree]).generated_tokens
        scored_tokens += of_tree.tokens
    most = max(map(len, by_problem.values()), default=0)
    if not most:
        raise UserError(f"there is no sample to score: all {len(by_problem)} problems were put in quarantine")
    sizes, seed = curve_sizes(most), derive(context.config.seed, SEED_NAMES[REWARD_EVAL])
    with context.progress.task("curves"):
        methods = accuracy_curves(list(by_problem.values()), sizes, request.aggregation, seed)
    return SampleCurves(
        problems=len(by_problem),
        samples=most,
        sizes=sizes,
        aggregation=request.aggregation,
        methods=methods,
        generated_tokens=generated_tokens / len(by_problem),
        scored_tokens=scored_tokens / len(by_problem),
    )


def _write(context: Context, evaluation: RewardEvaluation) -> RewardEvaluation:
    write_text(context.run.root / RESULT, json.dumps(asdict(evaluation), indent=1) + "\n")
    return evaluation
