"""Grade answers: read them into kinds and compare them exactly."""

from search.grading.algebra.pool import GraderUnavailable
from search.grading.equivalence import Explanation, equivalent, equivalent_async, explain
from search.grading.extract import extract_answer

__all__ = ["Explanation", "GraderUnavailable", "equivalent", "equivalent_async", "explain", "extract_answer"]
