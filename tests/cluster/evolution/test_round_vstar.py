"""Which model V-STaR's verifier starts from, and so is compared with, with scripted searches and training."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.evolution.round import Round
from cluster.evolution.train_stages import first_sft_policy
from cluster.searches.runner import SearchRunner
from tests.cluster.evolution.scripted_rounds import POLICY, Script, all_incorrect, mixed, run_to_training, running

VERIFIER = {"rule": "vstar", "reward_model": {"objective": "dpo", "start": "sft"}}


def starts(script: Script) -> dict[str, str]:
    return {name: str(task.initial_model) for name, task in script.tasks.items()}


def test_every_verifier_starts_from_the_first_sft_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, root = Script(monkeypatch, mixed), tmp_path / "run"
    first = str(root / "rounds/r1/train_policy/model")
    with running(root, method=VERIFIER, rounds=[{}, {}]) as context:
        run_to_training(context)
        assert starts(script) == {"policy": "/base", "reward_model": first}
        run_to_training(context, 2, policy=POLICY)
        assert starts(script) == {"policy": "/base", "reward_model": first}


def test_verifier_starts_from_the_newest_policy_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, root = Script(monkeypatch, mixed), tmp_path / "run"
    method = {"rule": "vstar", "reward_model": {"objective": "dpo"}}
    with running(root, method=method, rounds=[{}, {}]) as context:
        run_to_training(context)
        run_to_training(context, 2, policy=POLICY)
    assert starts(script)["reward_model"] == str(root / "rounds/r2/train_policy/model")


def test_round_without_an_sft_policy_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, root = Script(monkeypatch, all_incorrect), tmp_path / "run"
    with running(root, method=VERIFIER, rounds=[{}, {}]) as context:
        run_to_training(context)  # nothing to imitate
        assert script.tasks == {}
        script.grow = mixed
        run_to_training(context, 2)
        this_round = Round(number=2, settings=context.config.rounds[1], context=context, runner=SearchRunner(context))
        assert first_sft_policy(this_round, 1) is None
    assert starts(script)["reward_model"] == str(root / "rounds/r2/train_policy/model")


def test_verifier_trained_beside_a_policy_starts_from_an_earlier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, root = Script(monkeypatch, mixed), tmp_path / "run"
    with running(root, method=VERIFIER, rounds=[{}, {}], placement={"train_together": True}) as context:
        run_to_training(context)
        assert starts(script)["reward_model"] == "/base"  # the policy that searched: no other one is there yet
        run_to_training(context, 2, policy=POLICY)
    assert starts(script)["reward_model"] == str(root / "rounds/r1/train_policy/model")
