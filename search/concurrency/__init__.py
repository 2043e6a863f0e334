"""Run coroutines and functions side by side, and mark what each of them does."""

from __future__ import annotations

from search.concurrency.groups import cancel_all, gather_or_cancel, run_at_once, run_both, run_in_background

__all__ = ["cancel_all", "gather_or_cancel", "run_at_once", "run_both", "run_in_background"]
