"""Where generated text is cut."""

from __future__ import annotations

import pytest

from actors.engines.tokenization import cut


@pytest.mark.parametrize(
    ("text", "stops", "expected"),
    [
        ("a<b>c<d>e", ("<d>", "<b>"), ("a<b>", True)),
        ("a\n\nb", ("\n\n",), ("a\n\n", True)),
        ("aXYZ", ("X", "XYZ"), ("aXYZ", True)),
        ("abc", ("d",), ("abc", False)),
        ("", ("d",), ("", False)),
    ],
)
def test_cut_ends_after_the_first_stop(text: str, stops: tuple[str, ...], expected: tuple[str, bool]) -> None:
    assert cut(text, stops) == expected
