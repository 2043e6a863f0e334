"""Harvest rules that label the steps of solutions, for PRM, Q-regression and ORM."""
