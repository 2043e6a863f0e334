"""Exact values: sums of fractions, radicals, constants and symbols."""
