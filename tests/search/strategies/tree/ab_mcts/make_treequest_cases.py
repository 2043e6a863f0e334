"""Write treequest_cases.json: posteriors of the library treequest (AB-MCTS-A) after scores at places of a tree.

    pip install treequest==0.3.3    # Apache-2.0, SakanaAI/treequest on GitHub; with joblib, ulid-py and scipy
    python -m tests.search.strategies.tree.ab_mcts.make_treequest_cases

The library is an oracle and no dependency: test_treequest.py reads the file, and makes it anew where the library is there.
"""

from __future__ import annotations

import json
import random
from importlib import metadata
from pathlib import Path
from typing import Any

CASES = Path(__file__).with_name("treequest_cases.json")
DRAWS = 20_000  # choices at the root by which shares of GEN are measured
OUR_STRATEGIES = {"thompson": "multiarm_bandit_thompson", "ucb": "multiarm_bandit_ucb", "stack": "stack"}

# name, policies, how one is chosen, distribution, prior of ours, the same of the library
SETTINGS: list[tuple[str, list[str], str, str, dict[str, float], dict[str, float]]] = [
    ("gaussian", [""], "thompson", "gaussian", {}, {}),
    (
        "gaussian, another prior",
        ["policy", "policy_2"],
        "ucb",
        "gaussian",
        {"prior_mean": 0.5, "prior_draws": 2.0, "prior_variance_draws": 3.0, "prior_variance": 0.04},
        {"m": 0.5, "kappa": 2.0, "nu": 3.0, "tau_square": 0.04},
    ),
    ("gaussian, stacked", ["policy", "policy_2"], "stack", "gaussian", {}, {}),
    ("beta", ["policy", "policy_2", "policy_3"], "thompson", "beta", {}, {}),
    (
        "beta, stacked",
        ["policy", "policy_2"],
        "stack",
        "beta",
        {"prior_successes": 1.0, "prior_failures": 2.0},
        {"a": 1.0, "b": 2.0},
    ),
]


def make_draws(policies: list[str], count: int = 24) -> list[tuple[int, str, float]]:
    """Return draws as parent, policy and score. Node n is what draw n - 1 gives; scores of 0 and 1 have no children."""
    rng = random.Random(f"{policies}")
    draws: list[tuple[int, str, float]] = []
    open_nodes = [0]
    for number in range(1, count + 1):
        score = rng.choice([0.0, 1.0, *(round(rng.uniform(0.02, 0.98), 3) for _ in range(8))])
        draws.append((rng.choice(open_nodes), rng.choice(policies), score))
        open_nodes += [number] if 0 < score < 1 else []
    return draws


def make_cases() -> dict[str, Any]:
    """Return what the file holds, by the installed library."""
    cases = []
    for name, policies, choice, posterior, ours, theirs in SETTINGS:
        options = {"posterior": posterior, "policy_choice": choice, **ours}
        draws = make_draws(policies)
        cases.append(
            {
                "name": name,
                "policies": policies,
                "options": options,
                "draws": draws,
                **library_posteriors(policies, choice, posterior, theirs, draws),
            }
        )
    return {
        "library": "treequest",
        "version": metadata.version("treequest"),
        "licence": "Apache-2.0",
        "source": "SakanaAI/treequest on GitHub",
        "choices": DRAWS,
        "cases": cases,
    }


def as_text(cases: dict[str, Any]) -> str:
    """Return the file's text: JSON with a line for each case."""
    text = json.dumps({**cases, "cases": []}, indent=1).removesuffix("[]\n}")
    return text + "[\n" + ",\n".join(json.dumps(case) for case in cases["cases"]) + "\n]}\n"


def library_posteriors(
    policies: list[str], choice: str, posterior: str, prior: dict[str, float], draws: list[tuple[int, str, float]]
) -> dict[str, Any]:
    """Return the library's parameters of all arms after the draws, and what it then chooses at the root."""
    import numpy as np  # type: ignore[import-not-found,unused-ignore]
    from treequest.algos.ab_mcts_a.algo import ABMCTSA  # type: ignore[import-not-found,unused-ignore]
    from treequest.algos.ab_mcts_a.prob_state import PriorConfig  # type: ignore[import-not-found,unused-ignore]

    algorithm = ABMCTSA(
        prior_config=PriorConfig(dist_type=posterior, prior=prior or None),
        dist_type=posterior,
        model_selection_strategy=OUR_STRATEGIES[choice],
    )
    state = algorithm.init_tree()
    for policy in policies:
        state.all_rewards_store[policy] = []
    for number, (parent, policy, score) in enumerate(draws, start=1):
        node = state.tree.get_node(parent - 1)  # its root has the number -1
        state.thompson_states.get_or_create(node, policies)
        trial = state.trial_store.create_trial(node, policy)
        algorithm.tell(state, trial.trial_id, (f"node {number}", score))
    nodes = {
        str(node.expand_idx + 1): arms_of(state.thompson_states.get(node), node)
        for node in state.tree.get_nodes()
        if node.children
    }
    root = state.thompson_states.get(state.tree.root)
    np.random.seed(1)
    drawn = [root.select_next(state.all_rewards_store) for _ in range(DRAWS)]
    return {"nodes": nodes, "gen_shares": {policy: drawn.count(policy) / DRAWS for policy in policies}}


def arms_of(arms: Any, node: Any) -> dict[str, Any]:
    """Return the parameters of a node's arms, by our names."""
    children = {
        str(child.expand_idx + 1): parameters(probabilities[place])
        for probabilities in arms.node_probas.values()
        for place, child in enumerate(node.children)
        if place in probabilities
    }
    groups = {
        "" if name == "shared" else name: {"gen": parameters(arm["GEN"]), "cont": parameters(arm["CONT"])}
        for name, arm in arms.gen_vs_cont_probas.items()
    }
    policies = {name: parameters(arm) for name, arm in arms.action_probas.items()}
    return {"groups": groups, "policies": policies, "children": children}


def parameters(distribution: Any) -> list[float]:
    """Return m, kappa, nu and tau squared, or a and b."""
    return [float(value) for value in distribution.params.values()]


if __name__ == "__main__":
    CASES.write_text(as_text(make_cases()), encoding="utf-8")
    print(f"written: {CASES}")
