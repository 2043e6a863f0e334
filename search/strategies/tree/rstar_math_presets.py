"""Settings of rStar-Math's search as published (arXiv 2501.04519) and as released (github.com/microsoft/rStar, rStar-math).

What differs between the two, with its place in the released code:

    candidates, rollouts     config/sample_mcts.yaml, sft_sample_mcts.yaml, sft_eval_mcts.yaml: n_generate_sample, iterations
    unvisited_value          nodes/mcts_node.py puct: 0 without a visit; ties go to the first
    keep_failed              agents/mcts.py eval_final_answer: a failed step stays, with one visit of -1 of its own
    finish_first             llms/llms.py llm_generate: an end with <end_of_answer> drops all other candidates
    reenter                  agents/mcts.py select_child skips finished steps; a step without another child is closed then
    back_up_finished         agents/mcts.py create_child: each finished step is backed up as it is created, nothing later
    squash_scale             llms/llms.py rm_generate: tanh(r / 5); the paper's PPM has tanh in its head
    max_depth                agents/mcts.py create_child: an open step fails at a depth above max_depth 16, that is at 17
    answer                   agents/mcts.py record_intermediate_metric, eval_maj.py: the end of highest PPM score

Not offered: the released bootstrap goes on after one failed step (errors_threshold 2). A first rollout of the released
code ends one step earlier than later ones (solver.py: they begin at a child of the root).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BOTH: dict[str, Any] = {"exploration": 2.0, "progressive_widening": None, "parallel_rollouts": 1}
_TEST: dict[str, Any] = {"answer_rule": "best", "step_aggregation": "last"}

# Section 3.2 and the settings of section 4.1: 8 candidates, 16 rollouts, depth 16, c = 2.
_PAPER = _BOTH | {
    "candidates": 8,
    "rollouts": 16,
    "max_depth": 16,
    "unvisited_value": "inf",
    "keep_failed": False,  # "only nodes with successfully executed code are kept": section 3.2
    "finish_first": False,
    "reenter": True,
    "back_up_finished": "on_visit",
    "squash_scale": 1.0,
}
_RELEASED = _BOTH | {
    "candidates": 12,
    "rollouts": 48,
    "max_depth": 17,
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 0,
    "max_step_tokens": 2048,
    "unvisited_value": "zero",
    "keep_failed": True,
    "finish_first": True,
    "reenter": False,
    "back_up_finished": "at_creation",
    "squash_scale": 5.0,
}
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": _PAPER,
    "paper_bootstrap": _PAPER | {"candidates": 5, "rollouts": 8},  # round 1
    "paper_test": _PAPER | _TEST | {"candidates": 32, "rollouts": 4},  # as the models' card says
    "released": _RELEASED,
    "released_bootstrap": _RELEASED | {"temperature": 0.7},
    "released_test": _RELEASED | _TEST | {"candidates": 32, "rollouts": 12},
}
