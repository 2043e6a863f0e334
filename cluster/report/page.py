"""Render the report of a run as an HTML page without scripts or references to other files."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from cluster.evaluation.records import METHODS, Measure
from cluster.formatting import format_count, format_duration, format_percent
from cluster.report import curves, data, example, markup, searches, several_trees, waiting
from cluster.report.data import RunData, format_fact
from cluster.report.summary import METHOD_NAMES, margins

SHOWN_ELSEWHERE = {"tokens", "seconds", "finished", "failures", "quarantined", "models"}  # facts of a stage


def render(root: Path) -> str:
    """Return the report of the run at ``root``, finished or not."""
    run = data.read_run(root)
    sections = (
        _header,
        _accuracy,
        _results,
        several_trees.section,
        _losses,
        _searches,
        waiting.section,
        _models,
        _failures,
        example.section,
        _provenance,
    )
    body = "".join(section(run) for section in sections)
    body += f"<footer>Made by raystar report from {escape(run.name)}; all numbers are in summary.json.</footer>"
    return markup.document(f"{run.name}: RayStar report", body)


def _header(run: RunData) -> str:
    manifest = run.manifest
    rounds = sum(1 for record in run.rounds if record.round > 0 and record.evaluation is not None)
    commit = (manifest.commit or "no commit")[:10] + (" with local changes" if manifest.dirty else "")
    facts = f"{rounds} rounds finished, seed {manifest.seed}, commit {commit}, {manifest.machine.get('host', '')}, "
    facts += f"started {manifest.created}"
    title = f'<h1>{escape(run.name)}</h1><p class="soft">{escape(facts)}</p>'
    tiles = [markup.tile(*tile) for tile in _tiles(run)]
    if manifest.isolation_warning:
        title += f'<p class="warning">{escape(manifest.isolation_warning)}</p>'
    return title + (f'<div class="tiles">{"".join(tiles)}</div>' if tiles else "")


def _tiles(run: RunData) -> list[tuple[str, str]]:
    """Return the headline numbers as (value, label): greedy accuracy of base and last round, share solved and cost."""
    tiles = []
    if len(run.evaluated) > 1:
        first, last = run.evaluated[0], run.evaluated[-1]
        for split in run.splits:
            old, new = run.measure(first.round, split, "greedy"), run.measure(last.round, split, "greedy")
            if old and new:
                change = f"{format_percent(old.accuracy)} → {format_percent(new.accuracy)} %"
                tiles.append((change, f"greedy on {split}"))
    solved = [record.solved for record in run.rounds if record.solved is not None]
    if solved:
        tiles.append((f"{format_percent(solved[-1])} %", "training problems solved"))
    tiles.append((format_count(sum(record.tokens for record in run.rounds)), "generated tokens"))
    tiles.append((format_duration(sum(record.seconds for record in run.rounds)), "in all stages"))
    return tiles


def _accuracy(run: RunData) -> str:
    if not run.evaluated:
        return ""
    by_round = markup.section(
        "Accuracy by round",
        "Lines are shares of correct answers, areas their 95 % intervals. Held-out problems are only measured: "
        "every choice was made on the validation problems." + _fewer_problems_note(run),
        curves.accuracy_by_round(run),
    )
    note = (
        "What each accuracy cost: tokens of an answer, and of the run so far. A line's points are rounds. "
        "Up and left is better."
    )
    return by_round + markup.section("Accuracy by cost", note, curves.accuracy_by_tokens(run))


def _fewer_problems_note(run: RunData) -> str:
    """Return a note on the splits of which some measures cover fewer problems than others; empty if there are none."""
    sizes = {split: [m.n for method in METHODS for _, m in run.measures(split, method)] for split in run.splits}
    fewer = [f"{min(counts)} of {max(counts)} ({split})" for split, counts in sizes.items() if len(set(counts)) > 1]
    return f" Points with wide areas were measured on the first {', '.join(fewer)} problems." if fewer else ""


def _results(run: RunData) -> str:
    """Return a table of accuracies and costs for each split, and the margins of search over other methods."""
    head = ("round", "solved", *METHOD_NAMES.values(), "tokens", "time")
    bodies = []
    for split in run.splits:
        rows = [
            (
                _round_label(record.round),
                format_percent(record.solved),
                *(_cell(run.measure(record.round, split, method)) for method in METHODS),
                format_count(record.tokens),
                format_duration(record.seconds),
            )
            for record in run.evaluated
        ]
        bodies.append(f"<h3 style='margin-top:18px'>{escape(split)}</h3>")
        bodies.append(markup.table(head, rows, numbers=range(1, len(head))))
    if lines := margins(run.rounds):
        bodies.append("<h3 style='margin-top:18px'>Margins of search, last round</h3>")
        bodies += [f"<p class='note'>{escape(line)}</p>" for line in lines]
    note = (
        "Accuracy in % with its 95 % interval; solved: share of the training problems; tokens and time of all stages."
    )
    return markup.section("Results", note, *bodies)


def _cell(measure: Measure | None) -> str:
    if measure is None:
        return "–"
    interval = f"{format_percent(measure.low)} to {format_percent(measure.high)}"
    return f"{format_percent(measure.accuracy)}<small>{interval}</small>"


def _losses(run: RunData) -> str:
    cards = [curves.loss(curve) for curve in data.loss_curves(run)]
    note = "TensorBoard files with more are in the run directory."
    return markup.section("Training losses", note, markup.grid(cards, 3) if cards else "")


def _searches(run: RunData) -> str:
    """Return charts and tables of what searches solved and of what all stages cost."""
    rows = [
        (
            _round_label(record.round),
            escape(stage.name.replace("_", " ")),
            format_count(stage.tokens) if stage.tokens else "–",
            format_duration(stage.seconds),
            escape("; ".join(f"{name} {format_fact(value)}" for name, value in _scalar_facts(stage.facts).items())),
        )
        for record in run.rounds
        for stage in record.stages
    ]
    if not rows:
        return ""
    head = ("round", "stage", "tokens", "time", "facts")
    cards = [card for card in (curves.solved(run), curves.time_by_stage(run)) if card]
    stages = markup.foldable("Every stage", markup.table(head, rows, numbers=(2, 3)))
    return markup.section("Searching and its cost", "", markup.grid(cards), searches.table(run), stages)


def _scalar_facts(facts: dict[str, Any]) -> dict[str, object]:
    """Return the facts that the report shows nowhere else: single values, and those inside of mappings."""
    flat: dict[str, object] = {}
    for key, value in facts.items():
        if key not in SHOWN_ELSEWHERE:
            inner = value.items() if isinstance(value, dict) else [("", value)]
            flat.update({f"{key} {name}".strip(): scalar for name, scalar in inner})
    return {name: value for name, value in flat.items() if isinstance(value, int | float | str)}


def _models(run: RunData) -> str:
    """Return the decisions on new models and the lineage of all models."""
    rows = [
        (
            str(number),
            escape(str(decision.get("role", ""))),
            '<span class="yes">promoted</span>'
            if decision.get("promoted")
            else '<span class="no">kept the old one</span>',
            escape(f"{decision.get('metric', '')}: {_share(decision.get('old'))} → {_share(decision.get('new'))}"),
            escape(str(decision.get("reason", ""))),
        )
        for number, decision in data.decisions(run)
    ]
    decisions = markup.table(("round", "model", "decision", "validation", "reason"), rows) if rows else ""
    entries = [
        (
            escape(f"{entry.get('role')} r{entry.get('round')}"),
            escape(_relative(run, entry.get("start", "–"))),
            escape(str(entry.get("objective", "–"))),
            f"<code>{escape(_relative(run, entry.get('path', '')))}</code>",
        )
        for entry in run.manifest.lineage
    ]
    lineage = markup.table(("model", "trained from", "by", "where"), entries) if entries else ""
    note = "A new model is promoted only if it is no worse than the old one on the validation problems."
    return markup.section("Models", note, decisions, lineage)


def _share(measure: dict[str, Any] | None) -> str:
    return f"{format_percent(measure['accuracy'])} %" if measure else "none"


def _relative(run: RunData, path: object) -> str:
    """Return a path relative to the run directory, if it lies there."""
    return str(path).removeprefix(f"{run.root.resolve()}/")


def _failures(run: RunData) -> str:
    names = sorted({name for record in run.rounds for name in record.failures})
    rounds = [record for record in run.rounds if record.stages]
    rows = [
        (escape(name.replace("_", " ")), *(str(record.failures.get(name, 0)) for record in rounds)) for name in names
    ]
    head = ("failure", *(curves.round_name(record.round) for record in rounds))
    tier = f"Model-written code ran under isolation: {run.manifest.sandbox or 'not recorded'}."
    counts = markup.table(head, rows, numbers=range(1, len(head))) if rows else '<p class="note">None were counted.</p>'
    return markup.section("Failures and quarantine", f"Counted, and the run went on. {tier}", counts)


def _provenance(run: RunData) -> str:
    """Return the starts of the run, its machine and packages, and its config."""
    manifest = run.manifest
    rows = [(escape(name), escape(version)) for name, version in manifest.versions.items()]
    rows += [(escape(name), escape(format_fact(value))) for name, value in manifest.machine.items()]
    starts = [
        (
            escape(str(start.get("at"))),
            escape(str(start.get("host"))),
            f"<code>{escape(str(start.get('command')))}</code>",
        )
        for start in manifest.starts
    ]
    return markup.section(
        "How it was made",
        "",
        markup.table(("start", "machine", "command"), starts),
        markup.foldable("Versions and machine", markup.table(("name", "value"), rows)),
        markup.foldable("Resolved config", markup.pre(run.config)),
    )


def _round_label(number: int) -> str:
    return "base" if number == 0 else str(number)
