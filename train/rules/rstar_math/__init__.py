"""rStar-Math's harvest (arXiv 2501.04519, sections 3.3 and 3.4): trajectories to imitate, and pairs of steps to rank.

options.py        what may be chosen, and the presets
valued_tree.py    Q of every node, and which leaves it leads to
trajectories.py   the best correct solutions of a problem, for the policy
step_pairs.py     siblings, and answer_pairs.py whole solutions, for the process preference model (PPM)
pair_filter.py    which pairs are left out
harvest.py        the files, and the registry entry
"""
