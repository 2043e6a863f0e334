"""One expansion: atomic, and what it drops."""

from __future__ import annotations

import asyncio

import pytest

from search.core.expansion import BLANK, expand, expand_all, mark_code_error
from search.data import Candidate, Finish, Outcome, Step, StepStatus, Until
from search.strategies.registry import search_config
from search.tree import ROOT, Tree
from tests.fakes.policy import ScriptedPolicy
from tests.fakes.reward_model import ScriptedRewardModel, step_count
from tests.fakes.scripts import word_policy
from tests.fakes.services import word_services
from tests.fakes.words import PROBLEM, word
from tests.search.tree_checks import shape


async def test_cancelled_expansion_changes_only_costs() -> None:
    silent = ScriptedRewardModel(step_count, is_silent=True)
    services = word_services(word_policy({(): ["a", "=7", "!"]}), reward_model=silent)
    tree = Tree(PROBLEM)
    task = asyncio.ensure_future(expand(tree, ROOT, search_config(candidates=3).expansion(), services))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert shape(tree) == shape(Tree(PROBLEM))
    assert not tree.nodes[ROOT].is_expanded
    assert (tree.cost.generated_tokens, tree.failures) == (30, {"no_answer": 1})


@pytest.mark.parametrize(("keep", "grown"), [(True, ["", "a", "!"]), (False, ["", "a"])])
async def test_failed_candidates_are_kept_or_only_counted(keep: bool, grown: list[str]) -> None:
    tree = Tree(PROBLEM)
    config = search_config(candidates=2, keep_failed=keep).expansion()
    assert await expand(tree, ROOT, config, word_services(word_policy({(): ["a", "!"]}))) == [1]
    assert [word(node.step) for node in tree.nodes] == grown
    assert tree.failures == {"no_answer": 1}


@pytest.mark.parametrize("outcome", list(Outcome))
def test_step_is_a_code_error_unless_its_code_ran_ok(outcome: Outcome) -> None:
    step = Step("x = 1", code="x = 1", outcome=outcome)
    assert mark_code_error(step).status is (StepStatus.OPEN if outcome is Outcome.OK else StepStatus.CODE_ERROR)


async def test_first_finished_candidate_drops_the_others() -> None:
    config = search_config(candidates=4, finish_first=True).expansion()
    tree = Tree(PROBLEM)
    live = await expand(tree, ROOT, config, word_services(word_policy({(): ["a", "=8", "=7", "!"]}), graded=True))
    assert live == tree.nodes[ROOT].children == [1]
    assert [word(node.step) for node in tree.nodes] == ["", "=8"]
    assert tree.nodes[1].correct is False


async def test_children_are_attached_in_the_order_of_indices() -> None:
    tree = Tree(PROBLEM)
    first, second = tree.add(ROOT, Step("a\n\n")), tree.add(ROOT, Step("b\n\n"))
    services = word_services(word_policy({("a",): ["c", "!"], ("b",): ["d"]}))
    live = await expand_all(tree, [second, first], search_config(candidates=2).expansion(), services)
    assert live == [[3], [4]]
    assert [word(node.step) for node in tree.nodes] == ["", "a", "b", "d", "c", "!"]


async def test_prose_is_written_to_its_end_at_the_depth_limit() -> None:
    """The last step gets what is left of the solution's tokens, and is all that the model writes."""
    texts = ["c\n\nd\n\n\\boxed{7}", "c\n\nd\n\nno end"]
    finishes = [Finish.END, Finish.LENGTH]
    policy = ScriptedPolicy(
        lambda _: [Candidate(text, (1, 2, 3), finish) for text, finish in zip(texts, finishes, strict=True)]
    )
    tree = Tree(PROBLEM)
    first = tree.add(ROOT, Step("a\n\n"), tokens=100)
    config = search_config(candidates=2, max_depth=2, max_step_tokens=50, max_solution_tokens=400).expansion()
    assert await expand(tree, first, config, word_services(policy)) == [2]
    assert (policy.requests[0].sampling.until, policy.requests[0].sampling.max_tokens) == (Until.PAUSE, 300)
    steps = [node.step for node in tree.nodes[2:]]
    assert steps == [
        Step(texts[0], status=StepStatus.FINAL, answer="7"),
        Step(texts[1], status=StepStatus.NO_ANSWER),
    ]
    assert tree.failures == {"no_answer": 1}


async def test_last_step_has_at_least_the_tokens_of_a_step() -> None:
    policy = ScriptedPolicy(lambda _: [Candidate("\\boxed{7}", (1,), Finish.END)])
    tree = Tree(PROBLEM)
    first = tree.add(ROOT, Step("a\n\n"), tokens=390)
    config = search_config(candidates=1, max_depth=2, max_step_tokens=50, max_solution_tokens=400).expansion()
    await expand(tree, first, config, word_services(policy))
    assert policy.requests[0].sampling.max_tokens == 50


async def test_blank_candidates_are_counted_and_make_no_step() -> None:
    policy = ScriptedPolicy(lambda _: [Candidate("\n\n", (1,), Finish.STOP), Candidate("a\n\n", (1,), Finish.STOP)])
    tree = Tree(PROBLEM)
    assert await expand(tree, ROOT, search_config(candidates=2).expansion(), word_services(policy)) == [1]
    assert [word(node.step) for node in tree.nodes] == ["", "a"]
    assert tree.failures == {BLANK: 1}


async def test_step_at_its_token_limit_goes_on() -> None:
    policy = ScriptedPolicy(lambda _: [Candidate("one line\nhalf a l", (1, 2), Finish.LENGTH)])
    tree = Tree(PROBLEM)
    assert await expand(tree, ROOT, search_config(candidates=1).expansion(), word_services(policy)) == [1]
    assert tree.nodes[1].step == Step("one line\n")
    assert tree.failures == {}
