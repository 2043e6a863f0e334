"""Say which searches of a config a command runs: only they must fit the models' contexts and formats."""

from __future__ import annotations

from cluster.config.run_config import RunConfig
from search.config import SearchConfig

SEARCH, ROUNDS, EVALUATION, COMPARE = "search", "rounds", "evaluation.search", "compare.strategies"
SECTIONS = {  # of commands that do not run all of them
    "search": (SEARCH,),
    "solve": (SEARCH,),
    "evaluate": (EVALUATION,),
    "compare": (COMPARE,),
    "eval-reward-model": (EVALUATION,),
    "select": (EVALUATION,),
}


def used_searches(config: RunConfig, command: str | None = None) -> dict[str, SearchConfig]:
    """Return the searches of a command by the field that holds each; without a command those of ``raystar evolve``."""
    sections = SECTIONS.get(command or "", (SEARCH, ROUNDS, EVALUATION))
    searches = {}
    if SEARCH in sections:
        searches[SEARCH] = config.search
    if ROUNDS in sections:
        for number, entry in enumerate(config.rounds):
            for attempt, search in enumerate(config.round_searches(entry), start=1):
                searches.setdefault(f"rounds.{number}.{entry.search_place(attempt)}", search)
    if EVALUATION in sections:
        searches[EVALUATION] = config.evaluation.search
    if COMPARE in sections:
        for name, contender in config.compare.strategies.items():
            searches[f"{COMPARE}.{name}.settings"] = contender.search(config.evaluation.search)
    return searches
