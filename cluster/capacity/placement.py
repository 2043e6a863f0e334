"""Plan on which nodes executors will run, and what to ask an autoscaler for over a whole run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from actors.placement.nodes import Node
from actors.pools.executor_nodes import ExecutorPlan, plan_executors
from cluster.capacity.bundles import EXECUTOR, GroupNeed, NodeSupply, StageNeed, Supply
from cluster.config.run_config import RunConfig


def executor_plan(config: RunConfig, stages: Sequence[StageNeed], supply: Supply) -> ExecutorPlan | None:
    """Return where executors will go on a cluster, its nodes to come included; None if no stage runs any.

    Raises UserError where the config's placement leaves an executor without a node.
    """
    if not any(group.role == EXECUTOR for stage in stages for group in stage.groups):
        return None
    nodes = [_empty_node(str(number), node) for number, node in enumerate((*supply.nodes, *supply.can_add))]
    return plan_executors(config.executor, nodes, config.placement)


def _empty_node(number: str, node: NodeSupply) -> Node:
    return Node(
        id=number,
        address=node.name,
        cpus=node.cpus,
        gpus=node.gpus,
        free_cpus=node.cpus,
        free_gpus=node.gpus,
        is_head=node.is_head,
        labels=node.labels,
    )


def bundles_to_hold(stages: Sequence[StageNeed]) -> list[dict[str, float]]:
    """Return Ray's resources of each replica to ask for at once, so that nodes stay from stage to stage.

    Stages follow one another on the same nodes. So it is what the stage with most GPUs asks for with GPUs, and what the stage
    with most CPUs asks for without: not the sum of all.

    >>> from cluster.capacity.bundles import Bundle
    >>> engine, executor = Bundle(cpus=1, gpus=4), Bundle(cpus=8, gpus=0)
    >>> search = StageNeed("search", (GroupNeed("policy", 1, engine), GroupNeed("executor", 1, executor)))
    >>> train = StageNeed("train", (GroupNeed("training", 2, Bundle(cpus=2, gpus=1)),))
    >>> bundles_to_hold([search, train])
    [{'CPU': 1, 'GPU': 4}, {'CPU': 8}]
    """
    with_gpus = [_only(stage, lambda group: group.bundle.gpus > 0) for stage in stages]
    without = [_only(stage, lambda group: group.bundle.gpus == 0) for stage in stages]
    nothing = StageNeed("", ())
    most = (
        max(with_gpus, key=lambda stage: stage.gpus, default=nothing),
        max(without, key=lambda stage: stage.cpus, default=nothing),
    )
    groups = [group for stage in most for group in stage.groups]
    return [bundle for group in groups for bundle in [_resources(group)] * group.replicas if bundle]


def _only(stage: StageNeed, is_meant: Callable[[GroupNeed], bool]) -> StageNeed:
    return StageNeed(stage.stage, tuple(filter(is_meant, stage.groups)))


def _resources(group: GroupNeed) -> dict[str, float]:
    amounts = {"CPU": group.bundle.cpus, "GPU": group.bundle.gpus}
    return {name: amount for name, amount in amounts.items() if amount}
