"""Build the HTML of a page: document, sections, cards, tables and tiles. Text is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

STYLE = Path(__file__).with_name("style.css")


def document(title: str, body: str) -> str:
    """Return a page that needs no other file. ``body`` is HTML."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE.read_text(encoding='utf-8')}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def card(body: str, title: str = "") -> str:
    return f'<div class="card">{f"<h3>{escape(title)}</h3>" if title else ""}{body}</div>'


def grid(cards: Iterable[str], columns: int = 2) -> str:
    return f'<div class="grid{columns}">{"".join(cards)}</div>'


def section(title: str, note: str, *bodies: str) -> str:
    """Return a heading, a note on how to read the section, and the bodies (HTML). Empty if all bodies are."""
    body = "".join(bodies)
    if not body:
        return ""
    paragraph = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<section><h2>{escape(title)}</h2>{paragraph}{body}</section>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Iterable[int] = ()) -> str:
    """Return a table. The cells of ``rows`` are HTML, those of ``head`` text. Columns ``numbers`` are right-aligned."""
    right_aligned = set(numbers)

    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(f"<{tag}{' class=n' if i in right_aligned else ''}>{cell}</{tag}>" for i, cell in enumerate(row))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    heading = cells("th", [escape(cell) for cell in head])
    return f'<div class="scroll"><table><thead><tr>{heading}</tr></thead><tbody>{body}</tbody></table></div>'


def tile(value: str, label: str) -> str:
    return f'<div class="card tile"><b>{escape(value)}</b><span>{escape(label)}</span></div>'


def foldable(title: str, body: str) -> str:
    """Return HTML that shows its title and unfolds its body."""
    return f"<details><summary>{escape(title)}</summary>{body}</details>"


def pre(text: str, kind: str = "") -> str:
    return f"<pre{f' class={kind}' if kind else ''}>{escape(text)}</pre>"
