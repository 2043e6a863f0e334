"""Ask a joined cluster what it is: its nodes, what its autoscaler may add, and the builds on each kind of node.

Imports Ray, which a start on this machine loads later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from actors.placement.nodes import HEAD_RESOURCE
from cluster.capacity.bundles import Supply
from cluster.capacity.supply import cluster_supply, kind_of, with_cards
from cluster.capacity.survey.build_probe import BuildReport, cards, read_build
from cluster.capacity.survey.node_types import declared_limits
from cluster.host.node_tasks import NodeTask, run_on_nodes
from search.errors import UserError

ANSWER_S = 20.0  # seconds in which a node should have answered, the start of a process there included


@dataclass(frozen=True, slots=True)
class Survey:
    """What a cluster is, the builds on its kinds of nodes, and a warning for each node that did not answer."""

    supply: Supply
    builds: tuple[BuildReport, ...]
    warnings: tuple[str, ...] = ()


def survey_cluster(max_gpus: int | None) -> Survey:
    """Return what the joined cluster has and can add, as far as its nodes answer in ANSWER_S. Raises UserError."""
    nodes = [node for node in ray.nodes() if node["Alive"]]
    present = cluster_supply(nodes, None, None)
    one_of_each_kind = {
        kind_of(supply): (supply.name, str(node["NodeID"]))
        for supply, node in zip(present.nodes, nodes, strict=True)
        if supply.cpus or supply.gpus  # engines land on no other
    }
    questions = {
        f"the build on node {name}": NodeTask(node, read_build, (name, kind))
        for kind, (name, node) in one_of_each_kind.items()
    }
    limits_question = "what the autoscaler may add"
    if head := next((str(node["NodeID"]) for node in nodes if HEAD_RESOURCE in node["Resources"]), None):
        port = ray.get_runtime_context().gcs_address.rpartition(":")[2]
        questions[limits_question] = NodeTask(head, declared_limits, (port,))
    answers, warnings = _ask(questions)
    limits = answers.pop(limits_question, None)
    builds = tuple(answers.values())
    supply = with_cards(cluster_supply(nodes, limits, max_gpus), cards(builds))
    return Survey(supply, builds, tuple(warnings))


def _ask(tasks: Mapping[str, NodeTask]) -> tuple[dict[str, Any], list[str]]:
    """Run the task of each question on its node, side by side; return the answers, and warnings of those without one."""
    outcomes = dict(run_on_nodes(tasks, ANSWER_S))
    answers: dict[str, Any] = {}
    warnings = [
        f"warning: {late} is not known: no answer in {ANSWER_S:.0f} s" for late in tasks if late not in outcomes
    ]
    for question in filter(outcomes.__contains__, tasks):
        outcome = outcomes[question]
        if isinstance(outcome, RayTaskError):
            raise UserError(
                f"{question} cannot be read: {_last_line(outcome)}: is RayStar installed there?"
            ) from outcome
        if isinstance(outcome, RayError):  # the node died meanwhile, or no process can be started there
            warnings.append(f"warning: {question} is not known: {_last_line(outcome)}")
        else:
            answers[question] = outcome
    return answers, warnings


def _last_line(error: RayError) -> str:
    """Return the last line of a remote traceback: the exception itself."""
    return [line for line in str(error).splitlines() if line.strip()][-1].strip()[:200]
