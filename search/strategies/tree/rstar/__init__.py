"""rStar: its options (config.py), actions, votes, the check by a second policy, and the strategy itself (strategy.py)."""
