"""Count the floating-point operations of a model's matrix products.

A model of P parameters takes 2 P operations to read or write a token, a product and a sum for each weight, and 6 P to
learn from one: forward 2 P, and 4 P backward for the gradients of weights and of activations (Kaplan et al.,
arXiv 2001.08361, section 2.1). Attention over the context is left out: a model of 7e9 parameters takes a tenth more for
a token after 4096 others.

A model of 7e9 parameters that writes 1000 tokens takes 1.4e13 operations, and 4.2e13 to learn from them once.
"""

from __future__ import annotations

from typing import TypeVar

FORWARD, TRAINING = 2, 6  # operations for one parameter and one token
Tokens = TypeVar("Tokens", int, float)


def operations(factor: int, tokens: Tokens, parameters: int | None) -> Tokens | None:
    """Return ``factor`` operations for each token and parameter; None where tokens meet a model of unknown size."""
    if not tokens:
        return tokens
    return None if parameters is None else factor * tokens * parameters
