"""What a run would do: its stages, where they go, and upper bounds of their requests and tokens. Starts nothing.

Bounds are worst cases: every rollout walks to the depth limit and every candidate is as long as allowed. A search that
finds answers early, or merges equal candidates, stays far below them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from actors.config import EngineConfig
from cluster.config.method_config import MethodConfig
from cluster.config.run_config import SELF_JUDGED, RoundConfig, RunConfig
from cluster.evolution.self_judging import JUDGEMENTS
from cluster.formatting import count
from search.config import INDEPENDENT, LABELLING, SearchConfig
from search.problems.loading import ProblemSets


@dataclass(frozen=True, slots=True)
class Planned:
    """A stage. ``requests`` to the policy and generated ``tokens`` are upper bounds; 0 where there are none."""

    name: str
    what: str
    requests: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers of problems: training ones that each round searches at most, validation, and in each evaluation split."""

    rounds: tuple[int, ...]
    validation: int
    splits: dict[str, int]


def sizes(config: RunConfig, sets: ProblemSets) -> Sizes:
    """How many problems each set holds."""
    searched = tuple(sum(map(entry.covers, sets.train)) for entry in config.rounds)
    return Sizes(searched, len(sets.validation), {name: len(found) for name, found in sets.evaluation.items()})


def evolve(config: RunConfig, sizes: Sizes) -> tuple[Planned, ...]:
    """All stages of ``raystar evolve``."""
    reward_model = config.reward_model.path is not None
    stages = [Planned("r0/base", _base(config)), *_evaluation(config, sizes, 0, reward_model=reward_model)]
    for number, entry in enumerate(config.rounds, start=1):
        stages += _round(config, entry, sizes, number)
        reward_model = reward_model or config.method_of(entry).reward is not None
        stages += _evaluation(config, sizes, number, reward_model=reward_model)
    return tuple(stages)


def search(config: RunConfig, problems: int) -> tuple[Planned, ...]:
    """The one stage of ``raystar search``."""
    return (_search(config, RoundConfig(), problems, "search"),)


def evaluate(config: RunConfig, sizes: Sizes, *, reward_model: bool) -> tuple[Planned, ...]:
    """The one stage of ``raystar evaluate``."""
    return tuple(_evaluation(config, sizes, 0, reward_model=reward_model))


def train(config: RunConfig, role: str, data: Sequence[Path]) -> tuple[Planned, ...]:
    """The one stage of ``raystar train``."""
    settings = config.train.policy if role == "policy" else config.train.reward_model
    objective, files = config.method.objective(role == "policy"), ", ".join(str(file) for file in data)
    return (Planned(f"train_{role}", f"{objective}, {settings.epochs} epoch(s) on {files}"),)


def placement(config: RunConfig, address: str | None) -> Iterator[str]:
    """Lines that say where things run."""
    where = f"joins the cluster at {address}" if address else "starts on this machine"
    store = "" if address else f", object store {config.ray.object_store_mib} MiB"
    yield f"Ray {where}{store}"
    yield f"policy engines: {_engine(config.policy.engine)}"
    yield f"reward model engines: {_engine(config.reward_model.engine)}"
    yield (
        f"search workers: {config.workers.workers}, {config.workers.trees_in_flight} trees at once in each, "
        f"{config.workers.num_cpus:g} CPU each"
    )
    for role, train in (("policy", config.train.policy), ("PPM", config.train.reward_model)):
        yield f"{role} training: {train.workers} workers, ZeRO stage {train.zero_stage}, {train.precision}"
    kept = "stay while models are trained" if config.placement.keep_engines else "stop before models are trained"
    yield f"engines {kept}"
    if config.placement.train_together:
        yield "policy and PPM of a round are trained side by side"


def text(config: RunConfig, root: object, stages: tuple[Planned, ...], address: str | None) -> str:
    """The plan as lines of at most 100 characters."""
    lines = [f"run {config.name}, seed {config.seed}, directory {root}", "", "Placement"]
    lines += [f"  {line}" for line in placement(config, address)]
    lines += ["", "Stages (requests and generated tokens: upper bounds)"]
    width = max(len(stage.name) for stage in stages)
    for stage in stages:
        bounds = f"  <= {count(stage.requests)} requests, {count(stage.tokens)} tokens" if stage.requests else ""
        lines.append(f"  {stage.name:<{width}}  {stage.what}{bounds}")
    requests, tokens = sum(stage.requests for stage in stages), sum(stage.tokens for stage in stages)
    lines += ["", f"In all at most {count(requests)} policy requests and {count(tokens)} generated tokens."]
    return "\n".join(lines)


def compare(config: RunConfig, problems: int) -> tuple[Planned, ...]:
    """A stage a strategy, budget and seed; its budget bounds the tokens but for what is under way when it is spent."""
    wanted = config.compare
    return tuple(
        Planned(f"compare/{name}/{budget}-{repeat}", f"{problems} problems", problems * budget, problems * budget)
        for repeat in range(wanted.repeats)
        for budget in wanted.budgets
        for name in wanted.strategies
    )


def judge(config: RunConfig, command: str, problems: int, trees: Path | None) -> tuple[Planned, ...]:
    """The stages that judging and selecting begin with: samples, unless they are stored, and their scores."""
    wanted = config.evaluation
    scores = Planned(f"{command}/scores", f"every step of the solutions in {trees or 'the samples'}")
    if trees is not None:
        return (scores,)
    requests = problems * wanted.samples
    what = f"{problems} problems, {wanted.samples} samples each"
    return Planned(f"{command}/samples", what, requests, _tokens(config, requests)), scores


def judge_file(rows: int, file: Path) -> tuple[Planned, ...]:
    """The one stage of judging a file of steps."""
    return (Planned("judge/steps", f"every step of {rows} solutions in {file}"),)


def _base(config: RunConfig) -> str:
    if config.policy.path:
        return f"base policy: {config.policy.path}"
    recipe = config.policy.recipe
    depths = ", ".join(f"{many} of {depth}" for depth, many in enumerate(recipe.solutions, 1) if many)
    return f"base policy: built-in, from worked solutions ({depths} steps; cached)"


def _round(config: RunConfig, entry: RoundConfig, sizes: Sizes, number: int) -> list[Planned]:
    stages = [_search(config, entry, sizes.rounds[number - 1], f"r{number}/search")]
    method = config.method_of(entry)
    if "hinted" in method.source.needs:
        again = _search(config, entry.model_copy(update={"passes": 1}), sizes.rounds[number - 1], "")
        what = "problems that failed, with the answer given away"
        stages.append(Planned(f"r{number}/search_hinted", what, again.requests, again.tokens))
    if "marked" in method.source.needs:
        search = config.round_search(entry)
        solutions = sizes.rounds[number - 1] * search.candidates
        tokens = solutions * JUDGEMENTS * (search.max_solution_tokens + search.max_step_tokens)
        what = f"the policy marks {solutions} solutions, {JUDGEMENTS} times each"
        stages.append(Planned(f"r{number}/marks", what, solutions, tokens))
    stages.append(Planned(f"r{number}/harvest", _harvest(method)))
    if method.policy is not None:
        how = "" if method.policy.objective == "sft" else f" by {method.policy.objective}"
        start = "the base" if method.policy.begins == "base" else "the policy before"
        what = f"policy{how} from {start}, {config.train.policy.epochs} epoch(s)"
        stages.append(Planned(f"r{number}/train_policy", what))
    if method.reward is not None:
        kind = "PPM" if method.reward.objective == "ppm" else f"reward model by {method.reward.objective}"
        stages.append(Planned(f"r{number}/train_reward_model", f"{kind}, {config.train.reward_model.epochs} epoch(s)"))
    samples = sizes.validation * (1 + config.evaluation.samples)
    what = f"promotion on {sizes.validation} validation problems"
    stages.append(Planned(f"r{number}/promote", what, samples, _tokens(config, samples)))
    return stages


def _harvest(method: MethodConfig) -> str:
    if method.rule == "rstar_math":
        return "trajectories and preference pairs"
    return f"by rule {method.rule}: {', '.join(file for files in method.source.files.values() for file in files)}"


def _search(config: RunConfig, entry: RoundConfig, problems: int, name: str) -> Planned:
    passes = [config.round_search(entry, attempt) for attempt in range(1, entry.passes + 1)]
    which = "unsolved training problems" if entry.only_unsolved else "problems"
    if passes[0].strategy in LABELLING:
        return Planned(name, *_labels(passes[0], problems))
    if passes[0].strategy in INDEPENDENT:
        many = [problems * settings.candidates for settings in passes]
        longest = passes[0].max_solution_tokens + passes[0].max_step_tokens
        what = f"{problems} {which}, {passes[0].candidates} samples each, {entry.values} values"
        return Planned(name, what, sum(many), sum(many) * longest)
    expansions = [settings.rollouts for settings in passes]
    how = ", then ".join(str(settings.rollouts) for settings in passes) + " rollouts"
    if passes[0].strategy == "sphere":  # three branches, the last with twice the candidates
        expansions, how = [4 * settings.beam_width for settings in passes], f"sphere of width {passes[0].beam_width}"
    requests = [problems * many * _longest_path(one) for many, one in zip(expansions, passes, strict=True)]
    tokens = sum(n * one.candidates * one.max_step_tokens for n, one in zip(requests, passes, strict=True))
    what = f"{problems} {which}, {how} x {passes[0].candidates} candidates, {entry.values} values"
    return Planned(name, what, sum(requests), tokens)


def _longest_path(search: SearchConfig) -> int:
    """Expansions of one rollout at most."""
    return search.max_actions if search.strategy == "rstar" else search.max_depth


def _labels(search: SearchConfig, problems: int) -> tuple[str, int, int]:
    """What a search for labels does, its requests and its tokens."""
    solutions, longest = problems * search.solutions, search.max_solution_tokens + search.max_step_tokens
    looks = search.max_depth if search.strategy == "every_step" else search.max_depth.bit_length()
    what = f"{problems} problems, {search.solutions} solutions each, {search.candidates} completions of up to {looks} prefixes"
    return what, problems + solutions * looks, solutions * (1 + looks * search.candidates) * longest


def _evaluation(config: RunConfig, sizes: Sizes, number: int, *, reward_model: bool) -> list[Planned]:
    wanted = config.evaluation
    share = config.measured_share(number)
    total = sum(sizes.splits.values())
    part = sum(round(size * share) for size in sizes.splits.values())
    requests = total + part * wanted.samples
    tokens = _tokens(config, requests)
    methods = f"greedy, majority of {wanted.samples}"
    search = wanted.search
    if reward_model:
        methods += f", PPM best of {wanted.samples}"
    if reward_model or search.strategy in SELF_JUDGED:
        one = search.strategy in INDEPENDENT  # all solutions of a problem by one request
        searches = part * (1 if one else search.rollouts * _longest_path(search))
        longest = search.max_solution_tokens + search.max_step_tokens if one else search.max_step_tokens
        requests += searches
        tokens += searches * search.candidates * longest
        methods += (
            f", {search.strategy} {search.candidates}" if one else f", search {search.rollouts} x {search.candidates}"
        )
    what = f"{total} problems in {len(sizes.splits)} splits: {methods}"
    return [Planned(f"r{number}/evaluate", what, requests, tokens)]


def _tokens(config: RunConfig, solutions: int) -> int:
    search = config.evaluation.search
    return solutions * search.max_depth * search.max_step_tokens


def _engine(engine: EngineConfig) -> str:
    gpu = f"{engine.num_gpus:g} GPU" if engine.num_gpus else "no GPU"
    return (
        f"{engine.replicas} x (tensor parallel {engine.tensor_parallel}, {engine.num_cpus:g} CPU, {gpu}), "
        f"up to {engine.holds} sequences in each"
    )
