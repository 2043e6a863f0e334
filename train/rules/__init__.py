"""Harvest rules: what each method learns from the trees of a search. ``registry.py`` has them by name."""
