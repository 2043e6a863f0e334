"""What holds of every choice: it fits, it is no CPU beside a GPU, and it changes nothing that the config says."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.capacity.bundles import NodeSupply, Supply
from cluster.capacity.choose import choose
from cluster.capacity.compare import shortages
from cluster.capacity.memory.shortage import find_shortage
from cluster.capacity.needs import Work, needs
from tests.cluster.capacity.clusters import MODELS, run_config, shapes_of

WORK = Work(command="evolve")
CARDS = st.sampled_from((16.0, 24.0, 40.0, 80.0, 141.0, None))


@st.composite
def nodes(draw: st.DrawFn, head: bool = False) -> NodeSupply:
    gpus = draw(st.sampled_from((0, 0, 1, 2, 4, 8)))
    return NodeSupply(
        name="head" if head else "n",
        cpus=draw(st.sampled_from((4, 8, 16, 64, 192))),
        gpus=gpus,
        memory_gib=draw(st.sampled_from((64.0, 256.0, 2048.0))),
        is_head=head,
        gpu_memory_gib=draw(CARDS) if gpus else None,
    )


@st.composite
def supplies(draw: st.DrawFn) -> Supply:
    there = (draw(nodes(head=True)), *draw(st.lists(nodes(), max_size=4)))
    to_add = tuple(draw(st.lists(nodes(), max_size=4)))
    at_most = draw(st.none() | st.integers(0, 4)) if to_add else None
    return Supply(nodes=there, can_add=to_add, is_fixed=not to_add, add_at_most=at_most)


ENGINE_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "replicas": st.integers(1, 4),
    "gpus": st.sampled_from((0, 0.25, 0.5, 1, 2, 4)),
    "max_num_seqs": st.integers(1, 512),
}
TRAIN_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "workers": st.integers(1, 16),
    "zero_stage": st.integers(1, 3),
    "micro_batch_tokens": st.sampled_from((512, 16_384)),
    "gradient_checkpointing": st.booleans(),
    "offload": st.sampled_from(("none", "optimizer")),
    "use_gpu": st.booleans(),
    "cpus_per_worker": st.integers(1, 4),
}
PLACEMENTS = st.fixed_dictionaries({"keep_engines": st.booleans(), "train_together": st.booleans()})


def some(values: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=values)


@settings(deadline=None, max_examples=60)
@given(supply=supplies(), model=st.sampled_from(sorted(MODELS)), placement=PLACEMENTS)
def test_auto_uses_gpus_and_fits_if_any_choice_of_it_fits(
    supply: Supply, model: str, placement: dict[str, bool]
) -> None:
    shapes = shapes_of(MODELS[model])
    chosen = choose(run_config(placement=placement), supply, shapes, WORK).config
    has_gpus = supply.most_gpus > 0
    assert (chosen.policy.engine.gpus > 0, chosen.train.policy.use_gpu) == (has_gpus, has_gpus)
    if not has_gpus or placement["keep_engines"] or placement["train_together"]:
        return
    cards = [node.gpu_memory_gib or 24.0 for node in (*supply.nodes, *supply.can_add) if node.gpus]
    # Where every card holds the weights of both models and AdamW's states twice over, nothing may be refused.
    cpus = all(node.cpus >= 4 + 2 * node.gpus for node in (*supply.nodes, *supply.can_add))
    if cpus and 20 * MODELS[model].parameters / 2**30 < min(cards) / 2:
        stages = needs(chosen, WORK, shapes)
        assert list(shortages(stages, supply)) == [] and find_shortage(stages, supply) is None


@settings(deadline=None, max_examples=60)
@given(
    supply=supplies(),
    model=st.sampled_from(sorted(MODELS)),
    policy=some(ENGINE_VALUES),
    reward_model=some(ENGINE_VALUES),
    train=some(TRAIN_VALUES),
    actors=st.fixed_dictionaries({}, optional={"workers": st.integers(1, 9), "trees_in_flight": st.integers(1, 99)}),
    executors=st.none() | st.integers(1, 9),
)
def test_a_value_that_the_config_says_is_never_changed(
    supply: Supply,
    model: str,
    policy: dict[str, Any],
    reward_model: dict[str, Any],
    train: dict[str, Any],
    actors: dict[str, int],
    executors: int | None,
) -> None:
    config = run_config(
        policy={"path": "/models/policy", "engine": policy},
        reward_model={"engine": reward_model},
        train={"policy": train, "reward_model": train},
        workers=actors,
        executor={} if executors is None else {"replicas": executors},
    )
    chosen = choose(config, supply, shapes_of(MODELS[model]), WORK).config
    for section, values in ((chosen.policy.engine, policy), (chosen.reward_model.engine, reward_model)):
        assert {name: getattr(section, name) for name in values} == values
    for settings_of_role in (chosen.train.policy, chosen.train.reward_model):
        assert {name: getattr(settings_of_role, name) for name in train} == train
    assert {name: getattr(chosen.workers, name) for name in actors} == actors
    assert executors is None or chosen.executor.replicas == executors


@settings(deadline=None, max_examples=60)
@given(supply=supplies(), model=st.sampled_from(sorted(MODELS)))
def test_what_is_learnt_does_not_depend_on_the_supply(supply: Supply, model: str) -> None:
    config = run_config()
    chosen = choose(config, supply, shapes_of(MODELS[model]), WORK).config
    for role in ("policy", "reward_model"):
        before, after = getattr(config.train, role), getattr(chosen.train, role)
        assert (after.batch_size, after.epochs, after.max_length) == (
            before.batch_size,
            before.epochs,
            before.max_length,
        )
        assert after.workers <= after.batch_size  # each worker has a sample of every step
    assert chosen.search == config.search and chosen.evaluation == config.evaluation
