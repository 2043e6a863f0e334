"""Check before a start that the models which a command trains can be trained from the models that it begins with."""

from __future__ import annotations

from pathlib import Path

from cluster.config.run_config import RunConfig
from cluster.run.model_fields import POLICY_PATH
from search.errors import UserError
from train.objectives import OBJECTIVES

POLICY_ROLE = "policy"


def check_rounds_train(config: RunConfig) -> None:
    """Raise UserError if a round trains a model that cannot be trained from the config's policy.

    Both roles begin with that model or with one that was trained from it. The config names a directory; a model that a dry
    run misses is not checked, the built-in base policy can always be trained.
    """
    trained: set[tuple[str, str]] = set()
    for entry in config.rounds:
        method = config.method_of(entry)
        if method.policy is not None:
            trained.add((POLICY_ROLE, method.policy.objective))
        if method.reward_model is not None:
            trained.add(("reward_model", method.reward_model.objective))
    for role, objective in sorted(trained):
        check_training(config, role, objective, None)


def check_training(config: RunConfig, role: str, objective: str, init: Path | None) -> None:
    """Raise UserError if ``role`` cannot be trained by ``objective`` from ``init``, None for the config's policy."""
    option, start = (POLICY_PATH, config.policy.path) if init is None else ("--init", init)
    if start is None or not (Path(start) / "config.json").is_file():
        return
    # Imported here: transformers takes seconds, which a run from the built-in base policy need not wait for.
    from train.data.trainable import check_trainable

    settings = config.train.policy if role == POLICY_ROLE else config.train.reward_model
    try:
        check_trainable(Path(start), OBJECTIVES[objective].head, trust_remote_code=settings.trust_remote_code)
    except UserError as error:
        raise UserError(f"{option}: {error}") from error
