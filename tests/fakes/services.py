"""The services of a search, all of them scripted: for words in the plain format, and for code."""

from __future__ import annotations

from collections.abc import Mapping

from search.formats.code_format import CodeFormat
from search.formats.plain_format import PlainFormat
from search.grading.grader import grader
from search.protocols import Policy, RewardModel, SearchServices
from tests.fakes.executor import ScriptedExecutor, print_argument, refuse_code
from tests.fakes.grader import TextGrader
from tests.fakes.policy import ScriptedPolicy
from tests.fakes.reward_model import ScriptedRewardModel, code_logits, word_rewards


def word_services(
    policy: ScriptedPolicy,
    rewards: Mapping[str, float] | None = None,
    *,
    graded: bool = False,
    reward_model: RewardModel | None = None,
    second_policy: Policy | None = None,
) -> SearchServices:
    """Return services for steps that are words (words.py). Code fails the test.

    ``rewards`` by word make a reward model with the policy's delays; otherwise there is ``reward_model`` or none.
    Answers are graded by their text, if ``graded``.
    """
    if rewards is not None:
        reward_model = ScriptedRewardModel(word_rewards(rewards), policy.delays)
    return SearchServices(
        policy=policy,
        executor=ScriptedExecutor(refuse_code),
        format=PlainFormat(),
        reward_model=reward_model,
        grader=TextGrader() if graded else None,
        second_policy=second_policy,
    )


def code_services(
    policy: ScriptedPolicy, logits: Mapping[str, float] | None = None, *, graded: bool = False
) -> SearchServices:
    """Return services for code in which only ``print(…)`` and ``raise`` do anything.

    ``logits`` by the last step's code make a reward model. Answers are graded by value, if ``graded``.
    """
    return SearchServices(
        policy=policy,
        executor=ScriptedExecutor(print_argument),
        format=CodeFormat(),
        reward_model=None if logits is None else ScriptedRewardModel(code_logits(logits), tokens=5),
        grader=grader() if graded else None,
    )
