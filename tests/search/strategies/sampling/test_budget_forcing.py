"""Budget forcing with a scripted model that thinks: waits, the budget of thinking, the answer, and what is refused."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from search.data import Candidate, Finish, Problem, State, StepStatus, Until
from search.errors import UserError
from search.formats.base import Source, StepFormat
from search.formats.chat_format import ChatFormat
from search.formats.code_format import CodeFormat
from search.formats.plain_format import PlainFormat
from search.protocols import SearchServices
from search.strategies.registry import entry_of, search_config
from search.strategies.sampling.budget_forcing import BudgetForcing
from search.tree import Tree
from tests.fakes.executor import ScriptedExecutor, refuse_code
from tests.fakes.policy import Request, ScriptedPolicy
from tests.fakes.reward_model import ScriptedRewardModel
from tests.search.formats.chat_templates import TEMPLATES

PROBLEM = Problem(id="p", question="How many?", answer="2", source="t")
R1 = ChatFormat(TEMPLATES["r1"])  # its prompt begins the thinking
QWEN_3 = ChatFormat(TEMPLATES["qwen3"], thinking=True)  # the model begins it
Text = tuple[str, int, Finish]  # a candidate: text, tokens, why it stopped


def written(*texts: Text) -> ScriptedPolicy:
    """A policy that writes one text after the other."""

    def script(request: Request) -> Sequence[Candidate]:
        text, tokens, finish = texts[request.earlier]
        return [Candidate(text, tuple(range(tokens)), finish)]

    return ScriptedPolicy(script)


async def draw(
    policy: ScriptedPolicy, form: StepFormat = R1, reward_model: ScriptedRewardModel | None = None, **options: Any
) -> Tree:
    config = search_config(strategy="budget_forcing", **options)
    services = SearchServices(
        policy=policy, executor=ScriptedExecutor(refuse_code), format=form, reward_model=reward_model
    )
    return await BudgetForcing(config).search(PROBLEM, services, 1)


def shown(form: StepFormat, tree: Tree) -> list[tuple[str, Source]]:
    """What the model reads after its prompt."""
    (end,) = tree.terminals()
    return [(segment.text, segment.source) for segment in form.segments(tree.state(end))[1:]]


async def test_thinking_goes_on_after_a_wait_and_the_model_ends_it() -> None:
    """The budget of 100 tokens: 30 before the wait, so 70 after it."""
    policy = written(
        ("Perhaps 3.\n</think>", 30, Finish.STOP), (" No, 2.\n</think>", 20, Finish.STOP), ("\\boxed{2}", 5, Finish.END)
    )
    tree = await draw(policy, max_thinking_tokens=100, max_solution_tokens=50)
    assert shown(R1, tree) == [
        ("Perhaps 3.\n", Source.MODEL),
        ("Wait", Source.WORLD),
        (" No, 2.\n</think>\n\n", Source.MODEL),
        ("\\boxed{2}", Source.MODEL),
    ]
    assert tree.answer == "2"
    limits = [(request.sampling.max_tokens, request.sampling.until) for request in policy.requests]
    assert limits == [(100, Until.STEP), (70, Until.STEP), (50, Until.PAUSE)]
    assert len({request.seed for request in policy.requests}) == 3
    assert (tree.cost.generated_tokens, tree.nodes[-1].tokens, tree.cost.requests) == (55, 55, 3)


async def test_thinking_is_closed_where_the_budget_is_used_up() -> None:
    policy = written(("So far 2", 40, Finish.LENGTH), (" \\boxed{2}", 5, Finish.END))
    tree = await draw(policy, max_thinking_tokens=40, waits=3)
    assert shown(R1, tree) == [
        ("So far 2", Source.MODEL),
        ("\n</think>\n\nFinal Answer:", Source.WORLD),
        (" \\boxed{2}", Source.MODEL),
    ]
    assert tree.answer == "2"


async def test_answer_is_read_after_the_words_that_ask_for_it() -> None:
    tree = await draw(written(("Hm\n", 40, Finish.LENGTH), (" 2", 5, Finish.END)), max_thinking_tokens=40)
    assert shown(R1, tree)[1] == ("</think>\n\nFinal Answer:", Source.WORLD)
    assert tree.answer == "2"


@pytest.mark.parametrize(
    ("options", "waits"),
    [
        ({"waits": 0}, 0),
        ({"waits": 2}, 2),
        ({"waits": 2, "min_thinking_tokens": 15}, 1),
        ({"min_thinking_tokens": 10}, 0),
    ],
)
async def test_end_is_left_out_only_before_the_least_thinking(options: dict[str, int], waits: int) -> None:
    thoughts: list[Text] = [("Hm.\n</think>", 10, Finish.STOP)] * (waits + 1)
    tree = await draw(written(*thoughts, ("\\boxed{2}", 5, Finish.END)), max_thinking_tokens=100, **options)
    assert [text for text, source in shown(R1, tree) if source is Source.WORLD] == ["Wait"] * waits
    assert tree.cost.generated_tokens == 10 * (waits + 1) + 5


async def test_end_of_turn_within_the_thinking_is_an_end_of_it() -> None:
    ends: tuple[Text, ...] = (("Hm.<|end_of_sentence|>", 10, Finish.STOP), ("Ha.", 10, Finish.END))
    tree = await draw(written(*ends, ("\\boxed{2}", 5, Finish.END)), max_thinking_tokens=100)
    assert shown(R1, tree) == [
        ("Hm.", Source.MODEL),
        ("Wait", Source.WORLD),
        ("Ha.", Source.MODEL),
        ("\n</think>\n\n", Source.WORLD),
        ("\\boxed{2}", Source.MODEL),
    ]


async def test_model_that_begins_its_thinking_itself_is_forced() -> None:
    policy = written(
        ("<think>\nHm.\n</think>", 10, Finish.STOP), (" Ha", 9, Finish.LENGTH), ("\\boxed{2}<|im_end|>", 5, Finish.STOP)
    )
    tree = await draw(policy, QWEN_3, max_thinking_tokens=19)
    assert "".join(text for text, _ in shown(QWEN_3, tree)) == (
        "<think>\nHm.\nWait Ha\n</think>\n\nFinal Answer:\\boxed{2}"
    )
    assert tree.answer == "2"


async def test_model_that_does_not_think_is_left_to_its_answer() -> None:
    tree = await draw(written(("I say \\boxed{2}", 8, Finish.END)), QWEN_3)
    assert shown(QWEN_3, tree) == [("I say \\boxed{2}", Source.MODEL)]
    tree = await draw(written(("I say\n", 8, Finish.LENGTH), ("\\boxed{2}", 5, Finish.END)), QWEN_3)
    assert shown(QWEN_3, tree) == [("I say\n", Source.MODEL), ("\\boxed{2}", Source.MODEL)]


async def test_reward_model_reads_neither_thinking_nor_waits() -> None:
    scored: list[State] = []

    def logit(state: State) -> float:
        scored.append(state)
        return 1.0

    texts: tuple[Text, ...] = (("Hm\n</think>", 10, Finish.STOP), ("Ha", 90, Finish.LENGTH), (" 2", 5, Finish.END))
    await draw(written(*texts), reward_model=ScriptedRewardModel(logit), max_thinking_tokens=100)
    assert [segment.text for segment in R1.for_reward_model().segments(scored[0])[1:]] == [
        "",
        "",
        "Final Answer:",
        " 2",
    ]


async def test_equal_solutions_are_one_and_the_majority_answers() -> None:
    def script(request: Request) -> Sequence[Candidate]:
        if request.sampling.until is Until.PAUSE:
            return [Candidate("\\boxed{3}" if request.earlier == 5 else "\\boxed{2}", (1,), Finish.END)]
        return [Candidate("Hm.\n</think>", (1, 2), Finish.STOP)]

    tree = await draw(ScriptedPolicy(script), candidates=3, waits=0)
    assert answers(tree) == (("2", 2), ("3", 1))
    assert (tree.answer, tree.cost.generated_tokens) == ("2", 9)


async def test_tree_is_the_same_in_whatever_order_engines_answer() -> None:
    def script(request: Request) -> Sequence[Candidate]:
        if request.sampling.until is Until.PAUSE:
            return [Candidate(f"\\boxed{{{request.seed % 3}}}", (1,), Finish.END)]
        return [Candidate("Hm.\n</think>", (1, 2), Finish.STOP)]

    trees = [
        await draw(ScriptedPolicy(script, delays=delays), candidates=20, waits=2)
        for delays in (None, random.Random(1), random.Random(2))
    ]
    assert len(set(map(answers, trees))) == 1 and len(answers(trees[0])) == 3


def answers(tree: Tree) -> tuple[tuple[str | None, int], ...]:
    return tuple((tree.nodes[i].answer, tree.nodes[i].multiplicity) for i in tree.terminals())


async def test_budget_ends_the_drawing_of_solutions() -> None:
    solution: tuple[Text, ...] = (("Hm\n</think>", 10, Finish.STOP), ("\\boxed{2}", 5, Finish.END))
    tree = await draw(written(*solution, *solution), candidates=4, waits=0, budget_tokens=16)
    assert tree.cost.generated_tokens == 30


async def test_full_context_is_a_failure_without_an_answer() -> None:
    tree = await draw(ScriptedPolicy(lambda request: []))
    assert tree.answer is None
    assert [node.step.status for node in tree.nodes if node.step] == [StepStatus.NO_ANSWER]
    assert tree.failures == {"no_candidate": 1, "no_answer": 1}


@pytest.mark.parametrize(
    "form", [PlainFormat(), CodeFormat(), ChatFormat(TEMPLATES["qwen3"]), ChatFormat(TEMPLATES["llama3"])]
)
async def test_formats_without_thinking_are_refused(form: StepFormat) -> None:
    message = f"'budget_forcing' needs a model that thinks before it answers, and the format '{form.name}'"
    with pytest.raises(UserError, match=message):
        await draw(written(), form)
    with pytest.raises(UserError, match=message):
        entry_of(search_config(strategy="budget_forcing")).check_format(form)
    entry_of(search_config()).check_format(form)


def test_budget_below_the_least_thinking_is_refused() -> None:
    with pytest.raises(ValidationError, match="min_thinking_tokens 20 is more than max_thinking_tokens 10"):
        search_config(strategy="budget_forcing", min_thinking_tokens=20, max_thinking_tokens=10)


def test_bound_counts_thinking_waits_and_answers() -> None:
    config = search_config(
        strategy="budget_forcing", candidates=3, waits=2, max_thinking_tokens=100, max_solution_tokens=40
    )
    bound = entry_of(config).bound(config)
    assert (bound.requests, bound.tokens, config.longest_path) == (12, 420, 140)


def test_released_preset_has_the_values_of_the_released_code() -> None:
    config = search_config(preset="s1_released")
    assert (config.temperature, config.max_thinking_tokens, config.waits) == (0.0, 32000, 1)  # type: ignore[attr-defined]
