"""Ask servers of policies and judges what they accept, before anything starts, and refuse what they cannot serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from actors.endpoints.capabilities import Endpoint
from actors.endpoints.config import EndpointConfig, read_key
from cluster.config.run_config import RunConfig
from search.config import SearchConfig
from search.errors import UserError
from search.formats.base import StepFormat
from search.formats.model_prompt import PromptSettings
from search.strategies.registry import STRATEGIES, entry_of

POLICY_ENDPOINT, JUDGE_ENDPOINT = "policy.endpoint", "reward_model.endpoint"
WHOLE = ", ".join(name for name, entry in STRATEGIES.items() if entry.whole_solutions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """The probed servers of a command. ``step_format``: in which the policy is prompted; None without a policy's server."""

    policy: Endpoint | None = None
    step_format: StepFormat | None = field(default=None)
    judge: Endpoint | None = None

    def serves(self, reference: str | Path | None) -> bool:
        """Return whether ``reference``, in place of a model directory, stands for one of the servers."""
        return any(endpoint.config.reference == str(reference) for endpoint in (self.policy, self.judge) if endpoint)


NO_ENDPOINTS = Endpoints()


def connect(config: RunConfig, settings: PromptSettings, searches: Mapping[str, SearchConfig]) -> Endpoints:
    """Return the servers that the config names, after a few requests to each. Raises UserError, one line.

    ``searches``: those that the command runs, by the config field that names the strategy.
    """
    policy, step_format, judge = None, None, None
    if config.policy.endpoint is not None:
        directory = Path(config.policy.path) if config.policy.path is not None else None
        policy, step_format = _connect_policy(config.policy.endpoint, directory, settings)
        for name, search in searches.items():
            check_strategy(name, search, policy)
    if config.reward_model.endpoint is not None:
        # The client of OpenAI takes a second to import, and most runs have no server.
        from actors.endpoints.probe import probe

        endpoint = config.reward_model.endpoint
        key = read_key(JUDGE_ENDPOINT, endpoint)
        judge = Endpoint(config=endpoint, capabilities=probe(JUDGE_ENDPOINT, endpoint, key, ("chat",)), key=key)
    return Endpoints(policy=policy, step_format=step_format, judge=judge)


def check_strategy(name: str, search: SearchConfig, policy: Endpoint) -> None:
    """Raise UserError if a strategy continues solutions after their first steps and the server does not."""
    if not policy.capabilities.continues and not entry_of(search).whole_solutions:
        raise UserError(
            f"{name} = {search.strategy!r} continues solutions step by step, which {policy.config.reference} does not do: "
            f"choose one of {WHOLE}, or name a directory with the model's tokenizer and chat template in policy.path if "
            "the server has /completions"
        )


def describe_endpoints(config: RunConfig, endpoints: Endpoints | None = None) -> list[str]:
    """Return a line for each server: how it is asked, if it was probed."""
    lines = []
    servers = ((POLICY_ENDPOINT, config.policy.endpoint), (JUDGE_ENDPOINT, config.reward_model.endpoint))
    for name, server in servers:
        if server is None:
            continue
        probed = None if endpoints is None else endpoints.policy if name == POLICY_ENDPOINT else endpoints.judge
        description = "not asked yet" if probed is None else f"by {probed.capabilities.api}"
        if name == POLICY_ENDPOINT and endpoints is not None and endpoints.step_format is not None:
            description += f", step format {endpoints.step_format.name}"
        if name == POLICY_ENDPOINT and probed is not None and not probed.capabilities.names_stop:
            description += "; it does not say where a step ended, so tokens behind the end of a step are paid for"
        lines.append(f"{name}: {server.reference}, {description}")
    return lines


def _connect_policy(
    config: EndpointConfig, directory: Path | None, settings: PromptSettings
) -> tuple[Endpoint, StepFormat]:
    # The client of OpenAI takes a second to import, and most runs have no server.
    from actors.endpoints.formats import api_order, endpoint_format
    from actors.endpoints.probe import probe

    key = read_key(POLICY_ENDPOINT, config)
    capabilities = probe(POLICY_ENDPOINT, config, key, api_order(config, directory, settings))
    step_format = endpoint_format(capabilities.api, directory, settings)
    return Endpoint(config=config, capabilities=capabilities, key=key, tokenizer=directory), step_format
