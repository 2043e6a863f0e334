"""One expansion: whole or absent, and what it drops."""

from __future__ import annotations

import asyncio

import pytest

from search.concurrency import gather_or_cancel
from search.config import SearchConfig
from search.core.expansion import ExpansionConfig, expand, expand_all
from search.data import Scores, State, Step
from search.protocols import SearchServices
from search.tree import ROOT, Tree
from tests.search.words import PROBLEM, WordPolicy, shape, word, word_tools


class Deaf:
    """A reward model that never answers."""

    async def score(self, states: list[State]) -> Scores:
        await asyncio.Event().wait()
        raise AssertionError("nobody wakes it")


async def test_an_expansion_that_is_cancelled_leaves_nothing_but_its_costs() -> None:
    tools = word_tools(WordPolicy({(): ["a", "=7", "!"]}))
    deaf = SearchServices(tools.policy, tools.executor, tools.format, Deaf())  # type: ignore[arg-type]
    tree = Tree(PROBLEM)
    task = asyncio.ensure_future(expand(tree, ROOT, ExpansionConfig.of(SearchConfig(candidates=3)), deaf))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert shape(tree) == shape(Tree(PROBLEM))
    assert not tree.nodes[ROOT].expanded
    assert (tree.cost.generated_tokens, tree.failures) == (30, {"no_answer": 1})


@pytest.mark.parametrize(("keep", "grown"), [(True, ["", "a", "!"]), (False, ["", "a"])])
async def test_failed_candidates_are_kept_or_only_counted(keep: bool, grown: list[str]) -> None:
    tree = Tree(PROBLEM)
    growth = ExpansionConfig.of(SearchConfig(candidates=2, keep_failed=keep))
    assert await expand(tree, ROOT, growth, word_tools(WordPolicy({(): ["a", "!"]}))) == [1]
    assert [word(node.step) for node in tree.nodes] == grown
    assert tree.failures == {"no_answer": 1}


async def test_the_first_finished_candidate_drops_all_others() -> None:
    growth = ExpansionConfig.of(SearchConfig(candidates=4, finish_first=True))
    tree = Tree(PROBLEM)
    alive = await expand(tree, ROOT, growth, word_tools(WordPolicy({(): ["a", "=8", "=7", "!"]}), graded=True))
    assert alive == tree.nodes[ROOT].children == [1]
    assert [word(node.step) for node in tree.nodes] == ["", "=8"]
    assert tree.nodes[1].correct is False


async def test_children_are_added_in_the_order_asked_for() -> None:
    tree = Tree(PROBLEM)
    first, second = tree.add(ROOT, Step("a\n\n")), tree.add(ROOT, Step("b\n\n"))
    tools = word_tools(WordPolicy({("a",): ["c", "!"], ("b",): ["d"]}))
    drawn = await expand_all(tree, [second, first], ExpansionConfig.of(SearchConfig(candidates=2)), tools)
    assert drawn == [[3], [4]]
    assert [word(node.step) for node in tree.nodes] == ["", "a", "b", "d", "c", "!"]


async def test_an_error_beside_others_is_raised_when_they_are_over() -> None:
    over = []

    async def long() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            over.append("long")

    async def broken() -> None:
        raise ConnectionError("lost")

    with pytest.raises(ConnectionError, match="lost"):
        await gather_or_cancel([long(), broken(), long()])
    assert over == ["long", "long"]


async def test_results_come_in_the_order_of_the_coroutines() -> None:
    async def after(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return turns

    assert await gather_or_cancel(after(turns) for turns in (5, 0, 3)) == [5, 0, 3]
