"""Values of "auto": how they are read, written and counted before another value is chosen."""

from __future__ import annotations

import json
import pickle
from typing import Literal

import pytest
from pydantic import Field, ValidationError

from search.config import AutoConfig, AutoFloat, AutoInt, AutoText, auto_flag, is_auto


class Sizes(AutoConfig):
    count: int = Field(AutoInt(3), ge=1)
    share: float = Field(AutoFloat(0.5), gt=0)
    place: str = AutoText("here")
    is_kept: bool = auto_flag(False)
    mode: Literal["auto"] | int = "auto"
    fixed: int = 7


def test_auto_counts_as_its_number_until_another_is_chosen() -> None:
    sizes = Sizes()
    assert (sizes.count, sizes.share, sizes.place) == (3, 0.5, "here") and not sizes.is_kept
    assert list(range(sizes.count)) == [0, 1, 2] and sizes.count * sizes.share == 1.5
    assert [name for name in Sizes.model_fields if is_auto(getattr(sizes, name))] == [*Sizes.model_fields][:-1]
    assert not is_auto(sizes.model_copy(update={"count": 3}).count)


def test_auto_is_written_and_read_as_the_word() -> None:
    text = {"count": "auto", "share": "auto", "place": "auto", "is_kept": "auto", "mode": "auto", "fixed": 7}
    for sizes in (Sizes(), Sizes.model_validate(text), Sizes.model_validate(Sizes().model_dump())):
        assert json.loads(sizes.model_dump_json()) == text and sizes.model_dump(mode="json") == text
        assert f"{sizes.count} of {sizes.share:g} {sizes.place}" == "auto of auto auto"


def test_auto_stays_auto_in_another_process() -> None:
    sent = pickle.loads(pickle.dumps(Sizes(count=4)))
    assert (sent.count, is_auto(sent.count)) == (4, False)
    assert all(is_auto(value) for value in (sent.share, sent.place, sent.is_kept))
    assert (sent.share, sent.place, sent.is_kept) == (0.5, "here", False)


def test_values_that_are_given_are_checked_as_ever() -> None:
    assert (Sizes(count="5").count, Sizes(share=2).share, Sizes(is_kept=True).is_kept) == (5, 2.0, True)
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Sizes(count=0)
    with pytest.raises(ValidationError, match="a number is needed, or auto"):
        Sizes(count="some")
    with pytest.raises(ValidationError, match="valid integer"):
        Sizes(fixed="auto")
