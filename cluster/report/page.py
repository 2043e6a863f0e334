"""The whole report as one HTML text without scripts or references to anything outside. Knows the order of sections."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from cluster.evaluation.records import METHODS, Measure
from cluster.formatting import count, duration, percent
from cluster.report import curves, data, example, markup, searches
from cluster.report.data import RunData, text
from cluster.report.summary import leads


def render(root: Path) -> str:
    """The report of the run at ``root``, finished or not."""
    run = data.read(root)
    body = "".join((_head(run), _learning(run), _table(run), _training(run), _costs(run), _models(run)))
    body += "".join((_failures(run), example.section(run), _facts(run)))
    name = escape(run.name)
    body += f"<footer>Made by raystar report from {name}; all numbers are in summary.json.</footer>"
    return markup.document(f"{run.name}: RayStar report", body)


def _head(run: RunData) -> str:
    manifest = run.manifest
    rounds = sum(1 for record in run.rounds if record.round > 0 and record.evaluation is not None)
    commit = (manifest.commit or "no commit")[:10] + (" with local changes" if manifest.dirty else "")
    facts = f"{rounds} rounds finished, seed {manifest.seed}, commit {commit}, {manifest.machine.get('host', '')}, "
    facts += f"started {manifest.created}"
    title = f'<h1>{escape(run.name)}</h1><p class="soft">{escape(facts)}</p>'
    tiles = [markup.tile(*tile) for tile in _headlines(run)]
    if manifest.isolation_warning:
        title += f'<p class="warning">{escape(manifest.isolation_warning)}</p>'
    return title + (f'<div class="tiles">{"".join(tiles)}</div>' if tiles else "")


def _headlines(run: RunData) -> list[tuple[str, str]]:
    """(value, what) for the tiles: what the run set out to change."""
    found = []
    if len(run.evaluated) > 1:
        first, last = run.evaluated[0], run.evaluated[-1]
        for split in run.splits:
            old, new = run.measure(first.round, split, "greedy"), run.measure(last.round, split, "greedy")
            if old and new:
                found.append((f"{percent(old.accuracy)} → {percent(new.accuracy)} %", f"greedy on {split}"))
    solved = [record.solved for record in run.rounds if record.solved is not None]
    if solved:
        found.append((f"{percent(solved[-1])} %", "training problems solved"))
    found.append((count(sum(record.tokens for record in run.rounds)), "generated tokens"))
    found.append((duration(sum(record.seconds for record in run.rounds)), "in all stages"))
    return found


def _learning(run: RunData) -> str:
    if not run.evaluated:
        return ""
    by_round = markup.section(
        "Accuracy by round",
        "Lines are shares of right answers, areas their 95 % intervals. Held-out problems are only measured: "
        "every choice was made on the validation problems." + _partly(run),
        curves.accuracy_by_round(run),
    )
    note = "What each accuracy cost: to answer, and to get there. A line's points are rounds; up and left is better."
    return by_round + markup.section("Accuracy by cost", note, curves.accuracy_by_tokens(run))


def _partly(run: RunData) -> str:
    """Where some measures were taken on fewer problems than others of the same split: on how many."""
    sizes = {split: [m.n for method in METHODS for _, m in run.measures(split, method)] for split in run.splits}
    fewer = [f"{min(taken)} of {max(taken)} ({split})" for split, taken in sizes.items() if len(set(taken)) > 1]
    return f" Points with wide areas were measured on the first {', '.join(fewer)} problems." if fewer else ""


def _table(run: RunData) -> str:
    bodies = []
    for split in run.splits:
        rows = []
        for record in run.evaluated:
            cells = [_cell(run.measure(record.round, split, method)) for method in METHODS]
            name = "base" if record.round == 0 else str(record.round)
            rows.append((name, percent(record.solved), *cells, count(record.tokens), duration(record.seconds)))
        head = ("round", "solved", *METHODS.values(), "tokens", "time")
        bodies.append(f"<h3 style='margin-top:18px'>{escape(split)}</h3>")
        bodies.append(markup.table(head, rows, numbers=range(1, len(head))))
    note = (
        "Accuracy in % with its 95 % interval; solved: share of the training problems; tokens and time of all stages."
    )
    bodies += [f"<p class='note'>{escape(line)}</p>" for line in leads(run.rounds)]
    return markup.section("Results", note, *bodies)


def _cell(measure: Measure | None) -> str:
    if measure is None:
        return "–"
    return f"{percent(measure.accuracy)}<small>{percent(measure.low)} to {percent(measure.high)}</small>"


def _training(run: RunData) -> str:
    cards = [curves.loss(curve) for curve in data.losses(run)]
    note = "TensorBoard files with more are in the run directory."
    return markup.section("Training losses", note, markup.grid(cards, 3) if cards else "")


def _costs(run: RunData) -> str:
    rows = [
        (
            "base" if record.round == 0 else str(record.round),
            escape(stage.name.replace("_", " ")),
            count(stage.tokens) if stage.tokens else "–",
            duration(stage.seconds),
            escape("; ".join(f"{key} {text(value)}" for key, value in _plain(stage.facts).items())),
        )
        for record in run.rounds
        for stage in record.stages
    ]
    if not rows:
        return ""
    head = ("round", "stage", "tokens", "time", "facts")
    cards = [card for card in (curves.solved(run), curves.time_by_stage(run)) if card]
    every = markup.more("Every stage", markup.table(head, rows, numbers=(2, 3)))
    return markup.section("Searching and its cost", "", markup.grid(cards), searches.table(run), every)


def _plain(facts: dict[str, Any]) -> dict[str, object]:
    """Facts that are one value, or a mapping of values, and are not shown elsewhere."""
    hidden = {"tokens", "seconds", "finished", "failures", "quarantined", "models"}
    flat: dict[str, object] = {}
    for key, value in facts.items():
        inside = value.items() if isinstance(value, dict) else [("", value)]
        flat.update({f"{key} {name}".strip(): one for name, one in inside if key not in hidden})
    return {key: value for key, value in flat.items() if isinstance(value, int | float | str)}


def _models(run: RunData) -> str:
    rows = [
        (
            str(number),
            escape(str(decision.get("role", ""))),
            '<span class="yes">taken</span>'
            if decision.get("promoted")
            else '<span class="no">kept the old one</span>',
            escape(f"{decision.get('metric', '')}: {_share(decision.get('old'))} → {_share(decision.get('new'))}"),
            escape(str(decision.get("why", ""))),
        )
        for number, decision in data.decisions(run)
    ]
    taken = markup.table(("round", "model", "decision", "validation", "why"), rows) if rows else ""
    lineage = [
        (
            escape(f"{entry.get('role')} r{entry.get('round')}"),
            escape(_place(run, entry.get("start", "–"))),
            escape(str(entry.get("objective", "–"))),
            f"<code>{escape(_place(run, entry.get('path', '')))}</code>",
        )
        for entry in run.manifest.lineage
    ]
    tree = markup.table(("model", "trained from", "by", "where"), lineage) if lineage else ""
    note = "A new model is taken only if it is no worse than the old one on the validation problems."
    return markup.section("Models", note, taken, tree)


def _share(measure: dict[str, Any] | None) -> str:
    return f"{percent(measure['accuracy'])} %" if measure else "none"


def _place(run: RunData, path: object) -> str:
    """A path as seen from the run directory."""
    return str(path).removeprefix(f"{run.root.resolve()}/")


def _failures(run: RunData) -> str:
    names = sorted({name for record in run.rounds for name in record.failures})
    rounds = [record for record in run.rounds if record.stages]
    rows = [
        (escape(name.replace("_", " ")), *(str(record.failures.get(name, 0)) for record in rounds)) for name in names
    ]
    head = ("what", *("base" if record.round == 0 else f"round {record.round}" for record in rounds))
    tier = f"Model-written code ran under isolation: {run.manifest.sandbox or 'not recorded'}."
    counts = markup.table(head, rows, numbers=range(1, len(head))) if rows else '<p class="note">None were counted.</p>'
    return markup.section("Failures and quarantine", f"Counted, and the run went on. {tier}", counts)


def _facts(run: RunData) -> str:
    manifest = run.manifest
    rows = [(escape(name), escape(version)) for name, version in manifest.versions.items()]
    rows += [(escape(name), escape(text(value))) for name, value in manifest.machine.items()]
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
        markup.more("Versions and machine", markup.table(("what", "value"), rows)),
        markup.more("Resolved config", markup.pre(run.config)),
    )
