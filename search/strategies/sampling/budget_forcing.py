"""Budget forcing: how long a model thinks before it answers (s1, Muennighoff et al. 2025, arXiv 2501.19393, section 3).

for each solution:
    think      up to ``max_thinking_tokens``; where the model ends its thinking before ``min_thinking_tokens``, its end is left
               out, "Wait" is put in and it thinks on, at most ``waits`` times
    close      the model ends its thinking, or its end is put in where the budget is used up, with "Final Answer:" after it
    answer     the rest of the solution, to its end

What is put in is the ``output`` of the step before it: text of the world, on which no training puts loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Literal

from pydantic import Field, model_validator

from search.concurrency import gather_or_cancel
from search.config import AnswerRule, SearchConfig
from search.core.completion import EMPTY_STEP, add_chain, complete_solution
from search.core.expansion import NO_CANDIDATE, add_cost, count_failure
from search.core.stopping import budget_exhausted, finalize
from search.data import Candidate, Finish, Problem, Sampling, State, Step
from search.errors import UserError
from search.formats.base import StepFormat
from search.formats.thinking import END, begins_thinking, is_thinking
from search.formats.turns import read_on
from search.protocols import SearchServices
from search.seeds import derive
from search.strategies.entry import Bound, StrategyEntry
from search.strategies.sampling.solutions import score_solutions
from search.tree import ROOT, Tree

Drawn = tuple[tuple[Step, ...], int]  # steps of a solution, and the tokens that were generated for them
Texts = tuple[tuple[str, str], ...]  # of each step its text and what was put in after it


class BudgetForcingConfig(SearchConfig):
    """Options of the strategy "budget_forcing"; the answer after the thinking has ``max_solution_tokens``."""

    strategy: Literal["budget_forcing"] = Field("budget_forcing", description="which strategy grows the tree")
    candidates: int = Field(1, ge=1, description="solutions drawn")
    max_thinking_tokens: int = Field(2048, ge=1, description="budget of thinking (tokens): there it is closed")
    min_thinking_tokens: int | None = Field(
        None, ge=1, description="thinking (tokens) after which the model may end it; null: as max_thinking_tokens"
    )
    waits: int = Field(1, ge=0, description="times that an end of thinking before the least is left out")
    wait_text: str = Field("Wait", min_length=1, description="put in where an end of thinking was left out")
    answer_text: str = Field("Final Answer:", description="put in after the thinking where the budget closed it")
    answer_rule: AnswerRule = Field(
        "weighted", description="the answer of a tree, as in every strategy; without a reward model a majority vote"
    )

    @model_validator(mode="after")
    def _least_is_at_most_the_budget(self) -> BudgetForcingConfig:
        if self.least_thinking > self.max_thinking_tokens:
            raise ValueError(
                f"min_thinking_tokens {self.min_thinking_tokens} is more than max_thinking_tokens "
                f"{self.max_thinking_tokens}: a budget is not less than the least"
            )
        return self

    @property
    def least_thinking(self) -> int:
        """Tokens of thinking after which the model may end it."""
        return self.max_thinking_tokens if self.min_thinking_tokens is None else self.min_thinking_tokens

    @property
    def longest_path(self) -> int:
        return self.max_thinking_tokens + self.max_solution_tokens

    def thinking_sampling(self, tokens: int) -> Sampling:
        """How thinking is drawn with so many tokens left."""
        return Sampling(self.temperature, self.top_p, self.top_k, tokens)


@dataclass(frozen=True, slots=True)
class BudgetForcing:
    """The strategy "budget_forcing", for models that think in a block before they answer.

    Solutions are independent and drawn side by side, with ``budget_tokens`` one after the other and none once it is
    exhausted. A model that answers without thinking is left to it.
    """

    config: BudgetForcingConfig

    async def search(self, problem: Problem, services: SearchServices, seed: int) -> Tree:
        """Draw the solutions of one problem, score them and choose an answer. Raises UserError for formats without thinking."""
        check_format(services.format)
        config, tree, started = self.config, Tree(problem, strategy="budget_forcing", seed=seed), monotonic()
        at_once = config.candidates if config.budget_tokens is None else 1
        ends: dict[Texts, int] = {}
        first = 0
        while first < config.candidates and not budget_exhausted(tree, config):
            numbers = range(first, first + at_once)
            for steps, tokens in await gather_or_cancel(draw_solution(tree, n, config, services) for n in numbers):
                add_solution(tree, ends, steps, tokens)
            first += at_once
        await score_solutions(tree, list(ends.values()), config.aggregation, config.squash_scale, services)
        return finalize(tree, config, started)


def check_format(step_format: StepFormat) -> None:
    """Raise UserError for a format in which models do not think."""
    if not step_format.begins_in_thinking:
        raise UserError(
            f"strategy 'budget_forcing' needs a model that thinks before it answers, and the format {step_format.name!r} "
            "begins without thinking here: set policy.format=chat and policy.thinking=true, with a model that thinks"
        )


async def draw_solution(tree: Tree, number: int, config: BudgetForcingConfig, services: SearchServices) -> Drawn:
    """Draw solution ``number`` of the tree's problem. Costs are added to ``tree``, nodes are not."""
    thinking, tokens = await think(tree, number, config, services)
    if thinking and thinking[-1].is_terminal:
        return thinking, tokens
    state, seed = State(tree.problem, thinking), derive(tree.seed, "forced answer", number)
    sampling = config.solution_sampling()
    answer, length = await complete_solution(tree, state, sampling, seed, config.max_step_tokens, services)
    return thinking + answer, tokens + length


async def think(tree: Tree, number: int, config: BudgetForcingConfig, services: SearchServices) -> Drawn:
    """Draw the thinking of a solution, up to its end; of a model that does not think what it writes in its place."""
    prompt = State(tree.problem)
    is_begun = begins_thinking(services.format.segments(prompt)[0].text)
    steps: tuple[Step, ...] = ()
    tokens = 0
    for wait in range(config.waits + 1):
        state, sampling = prompt.then(*steps), config.thinking_sampling(config.max_thinking_tokens - tokens)
        proposal = await services.policy.propose(state, 1, sampling, derive(tree.seed, "thinking", number, wait))
        add_cost(tree, proposal)
        if not proposal.candidates:
            count_failure(tree, NO_CANDIDATE)
            return (*steps, EMPTY_STEP), tokens
        candidate = proposal.candidates[0]
        tokens += len(candidate.token_ids)
        thought = candidate.text.partition(END)[0].removesuffix(services.format.turn_end)
        if not is_thinking(read_on(steps) + thought, is_begun=is_begun):
            return (*steps, *services.keep_ids(services.format.parse(candidate, state), candidate)), tokens
        may_go_on = wait < config.waits and tokens < config.least_thinking
        if may_go_on and has_ended(candidate, services.format):
            steps += services.keep_ids((Step(thought, output=config.wait_text),), candidate)
            continue
        return (*steps, *services.keep_ids((closed(candidate, thought, config),), candidate)), tokens
    return steps, tokens


def has_ended(candidate: Candidate, step_format: StepFormat) -> bool:
    """Return whether a model that was thinking ended its thinking, or its turn, before its tokens were used up."""
    is_turn_over = bool(step_format.turn_end) and candidate.text.endswith(step_format.turn_end)
    return END in candidate.text or candidate.finish is Finish.END or is_turn_over


def closed(candidate: Candidate, thought: str, config: BudgetForcingConfig) -> Step:
    """Return the step that ends the thinking: as the model closed it, else with its end put in.

    Where the tokens are used up the text that asks for the answer follows. "So 7" → "So 7", put in "\\n</think>\\n\\nFinal
    Answer:".
    """
    if END in candidate.text:
        return Step(f"{thought}{END}\n\n")
    request = config.answer_text if candidate.finish is Finish.LENGTH else ""
    line_break = "" if not thought or thought.endswith("\n") else "\n"
    return Step(thought, output=f"{line_break}{END}\n\n{request}")


def add_solution(tree: Tree, ends: dict[Texts, int], steps: tuple[Step, ...], tokens: int) -> None:
    """Add a solution to the tree, or raise the multiplicity of an equal one. ``ends``: the last node of each."""
    texts = tuple((step.text, step.output) for step in steps)
    if texts in ends:
        for index in tree.path(ends[texts]):
            tree.nodes[index].multiplicity += 1
    else:
        ends[texts] = add_chain(tree, ROOT, steps, tokens)


def _bound(config: BudgetForcingConfig) -> Bound:
    """A solution takes a request for its thinking, one after each wait, and one for its answer."""
    return Bound(config.candidates * (config.waits + 2), config.candidates * config.longest_path)


# "s1_released": README.md and eval/commands.sh of simplescaling/s1.
ENTRY = StrategyEntry(
    options=BudgetForcingConfig,
    build=BudgetForcing,
    bound=_bound,
    describe=lambda config: (
        f"{config.candidates} samples of at most {config.max_thinking_tokens} tokens of thinking, {config.waits} waits"
    ),
    has_independent_samples=True,
    check_format=check_format,
    presets={
        "s1_released": {
            "candidates": 1,
            "max_thinking_tokens": 32000,  # README: MAX_TOKENS_THINKING
            "min_thinking_tokens": None,  # README: every end is ignored, NUM_IGNORE times
            "waits": 1,  # README: NUM_IGNORE
            "wait_text": "Wait",  # README: ignore_str
            "answer_text": "Final Answer:",  # lm_eval/models/vllm_causallms.py: thinking_end_max
            "temperature": 0.0,  # README
            "max_solution_tokens": 32768,  # README: max_tokens of the final answer
        },
    },
)
