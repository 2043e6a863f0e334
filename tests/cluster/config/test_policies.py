"""Several policies in a config: which configs name them, and what is refused in one line."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.config.loader import validate_config
from cluster.config.run_config import RunConfig
from search.errors import UserError

SETS = {"problems": {"train": {"name": "curriculum", "count": 2}}}


def config(**fields: Any) -> RunConfig:
    return validate_config(RunConfig, {"name": "m", **SETS, **fields})


AB_MCTS = {"strategy": "ab_mcts"}
CONTENDERS = {"strategies": {"best_of_n": {"settings": {"strategy": "best_of_n"}}, "arms": {"settings": AB_MCTS}}}


@pytest.mark.parametrize(
    "where",
    [
        {"search": AB_MCTS},
        {"evaluation": {"search": AB_MCTS}},
        {"rounds": [{"train_reward_model": False}, {"search": AB_MCTS}]},
        {"compare": CONTENDERS},
    ],
)
def test_policies_are_for_searches_that_choose_among_them(where: dict[str, Any]) -> None:
    found = config(policies=[{"path": "me/small"}, {"path": "base", "engine": {"replicas": 2}}], **where)
    assert [policy.path for policy in found.policies] == ["me/small", "base"]
    assert found.policies[0].engine is None and found.policies[1].engine is not None
    assert RunConfig.model_validate(found.resolved()) == found


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"search": {"strategy": "beam"}},
            "policies: strategy 'beam' draws by one policy: choose ab_mcts in search, evaluation.search or "
            "compare.strategies, or leave policies out",
        ),
        ({"search": AB_MCTS, "policy": {"path": "me/small"}}, "policies: 'me/small' is there twice"),
        (
            {"search": AB_MCTS, "policy": {"endpoint": {"url": "http://h/v1", "model": "m"}}},
            "policies: engines serve them, and policy.endpoint is a server: leave one of them out",
        ),
    ],
)
def test_policies_that_nothing_draws_by_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        config(policies=[{"path": "me/small"}], **fields)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "policies.0.path is missing"),
        ({"path": "policy"}, "policies.0.path = 'policy' is not possible: the policy that is trained draws already"),
        ({"path": "m", "format": "code"}, "unknown key policies.0.format"),
        ({"path": "m", "engine": {"replicas": 0}}, "policies.0.engine.replicas = 0 is not possible"),
    ],
)
def test_impossible_policies_are_refused_by_place(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        config(search=AB_MCTS, policies=[entry])
