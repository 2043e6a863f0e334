"""Algebra on answers that exact reading does not decide, in child processes."""
