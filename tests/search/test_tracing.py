"""Spans of a search: which there are, how they lie in each other, and that they change nothing."""

from __future__ import annotations

import pytest

from search.concurrency.tracing import NOT_RECORDED, Activity, recording, span
from search.data import Problem
from search.protocols import SearchServices
from search.strategies.registry import build, search_config
from tests.fakes.drawing import draw
from tests.fakes.span_outline import Outline


def test_span_is_nothing_without_a_recorder() -> None:
    assert span(Activity.SELECT, number=3) is NOT_RECORDED
    with recording(Outline()):
        assert span(Activity.SELECT) is not NOT_RECORDED
        with recording(None):
            assert span(Activity.SELECT) is NOT_RECORDED
    assert span(Activity.SELECT) is NOT_RECORDED


def test_span_ends_when_its_block_fails() -> None:
    outline = Outline()
    with pytest.raises(ZeroDivisionError), recording(outline), span(Activity.EXPAND, node=1):
        raise ZeroDivisionError
    assert (outline.lines, outline.ended) == (["expand node=1"], 1)


async def test_rollouts_are_recorded_from_select_to_back_up(problem: Problem, services: SearchServices) -> None:
    outline = Outline()
    strategy = build(search_config(strategy="mcts", rollouts=2, candidates=3, parallel_rollouts=1))
    with recording(outline):
        await strategy.search(problem, services, seed=1)
    assert outline.lines[:8] == [
        "rollout number=0",
        "  select",
        "  expand node=0 depth=0",
        "  select",
        "  expand node=1 depth=1",
        "  select",
        "  expand node=4 depth=2",
        "    grade",
    ]
    assert outline.lines[8:10] == ["  select", "  back_up"]
    assert outline.lines.count("rollout number=1") == 1
    assert outline.ended == len(outline.lines)


@pytest.mark.parametrize("strategy", ["mcts", "ab_mcts", "beam", "dvts", "rebase"])
async def test_tree_is_the_same_when_its_spans_are_recorded(
    problem: Problem, services: SearchServices, strategy: str
) -> None:
    grow = build(search_config(strategy=strategy)).search
    plain = await grow(problem, services, seed=1)
    outline = Outline()
    with recording(outline):
        recorded = await grow(problem, services, seed=1)
    assert draw(recorded) == draw(plain)
    assert outline.lines


async def test_parallel_rollouts_share_the_span_of_an_expansion(problem: Problem, services: SearchServices) -> None:
    outline = Outline()
    with recording(outline):
        await build(search_config(strategy="mcts", rollouts=4, parallel_rollouts=4)).search(problem, services, seed=1)
    assert outline.lines.count("  expand node=0 depth=0") == 1
    assert sum("rollout" in line for line in outline.lines) == 4
