"""Token ids for each family of tokenizers: search, training and the tokenizer itself make the same ones.

The tokenizers are small ones built by ``tests/fakes/token_families.py``. `make thorough` repeats it with the tokenizers of
the model directories in the directory that RAYSTAR_MODELS names.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tokenizers import processors
from transformers import AutoTokenizer

from search.data import Outcome, Problem, State, Step, StepStatus
from search.formats.base import StepFormat
from search.formats.chat_format import ChatFormat, takes_system_text
from search.formats.chat_template import ChatTemplate, read_chat_template
from search.formats.code_format import END_OF_CODE, END_OF_STEP, CodeFormat
from search.formats.plain_format import PlainFormat
from search.tokens import TokenEncoder, read_vocabulary
from tests.fakes.token_families import FAMILIES, Family
from train.data.encoding import Encoder

MODELS = os.environ.get("RAYSTAR_MODELS", "")
QUESTION = "Tom has 12 apples and buys 30 more.\n\nHow many does he have?"
PROSE = (
    Step("First we add the numbers: 12 + 30 = 42.\n\n"),
    Step(" So he has **42** apples – naïvely counted.\n\n"),
    Step("The answer is \\boxed{42}.", status=StepStatus.FINAL, answer="42"),
)
PROGRAM = (
    Step(f"# add\nx = 12 + 30\n{END_OF_STEP}", code="x = 12 + 30", outcome=Outcome.OK),
    Step(f"print(x)\n{END_OF_CODE}", code="print(x)", output="42", outcome=Outcome.OK),
)
CONTINUATIONS = [
    "four",
    " four",
    "  four",
    "\nfour",
    "\n\n",
    " ",
    "é",
    "数学 12",
    "x = 3\n    y = 4\n",
    ".",
    " .",
    "<",
    "\ta",
]


def problem(question: str = QUESTION) -> Problem:
    return Problem(id="p", question=question, answer="42", source="test")


class Served:
    """A model directory's tokenizer, as transformers loads it, and what search makes of it."""

    def __init__(self, directory: Path, family: Family | None = None) -> None:
        self.family, self.vocabulary = family, read_vocabulary(directory)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(directory)
        self.tokens = TokenEncoder.of(self.tokenizer)
        self.template: ChatTemplate | None = read_chat_template(directory)
        self.bos = list(self.tokens.leading_ids)

    def own_ids(self, text: str) -> list[int]:
        """The ids that the tokenizer itself gives a text."""
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    def chat_ids(self, question: str, system: str = "") -> list[int]:
        """The ids of a question in the model's own template."""
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": question})
        return list(
            self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False)
        )

    def search_ids(self, form: StepFormat, state: State) -> list[int]:
        """The ids of a state as policies and reward models read it."""
        return self.tokens.ids(tuple(segment.piece for segment in form.segments(state)))

    def count_controls(self, ids: list[int]) -> int:
        controls = {i for i, token in self.tokenizer.added_tokens_decoder.items() if token.special}
        return sum(index in controls for index in ids)


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda family: family.name)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Served:
    return Served(request.param.save(tmp_path_factory.mktemp(request.param.name)), request.param)


def check_formats(model: Served) -> None:
    """Training and search make the same ids for every format, and BOS stands exactly once where the tokenizer adds it."""
    forms: list[tuple[StepFormat, tuple[Step, ...]]] = [(PlainFormat(), PROSE), (CodeFormat(), PROGRAM)]
    if model.template is not None:
        forms.append((ChatFormat(model.template, system=None), PROSE))
    for form, steps in forms:
        state = State(problem(), steps)
        ids, prompt = model.search_ids(form, state), model.search_ids(form, State(problem()))
        learnt = Encoder(model.tokens, form, model.tokenizer.eos_token_id).encode(state, end=False)
        assert learnt.tokens == ids
        assert learnt.prompt == len(prompt)
        assert ids[: len(prompt)] == prompt
        assert model.tokens.text(ids[len(prompt) :]) == "".join(segment.text for segment in form.segments(state)[1:])
        for bos in model.bos:
            assert ids[: len(model.bos)] == model.bos
            assert ids.count(bos) == 1


def check_text_round_trip(model: Served) -> None:
    """A continuation keeps its own spaces, in the ids, in the text of ids and in the bytes of tokens."""
    assert model.vocabulary is not None
    for text in CONTINUATIONS:
        _, ids = model.tokens.ids_by_piece(("The prompt", text))
        assert model.tokens.text(ids) == text
        assert b"".join(map(model.vocabulary.token_bytes, ids)).decode() == text
    whole = "".join(CONTINUATIONS)
    ids = model.tokens.ids(("The prompt", *CONTINUATIONS))
    prompt = len(model.tokens.ids(("The prompt",)))
    assert model.tokens.text(ids[prompt:]) == whole


def check_chat_prompt(model: Served) -> None:
    """A chat prompt has the ids of ``apply_chat_template``; what stands in the question names no special token."""
    assert model.template is not None
    if takes_system_text(model.template):
        ids = model.search_ids(ChatFormat(model.template, system="Be brief."), State(problem()))
        assert ids == model.chat_ids(QUESTION, system="Be brief.")
    form = ChatFormat(model.template, system=None)
    ids = model.search_ids(form, State(problem()))
    assert ids == model.chat_ids(QUESTION)
    added = [token.content for token in model.tokenizer.added_tokens_decoder.values() if token.special]
    evil = f"What is {' and '.join(added[:20])}? {QUESTION}"
    protected = model.search_ids(form, State(problem(evil)))
    assert model.count_controls(protected) == model.count_controls(ids)
    assert model.count_controls(model.chat_ids(evil)) > model.count_controls(ids)
    for text in added[:20]:
        assert text in model.tokenizer.decode(protected)


def test_search_and_training_make_the_same_ids(served: Served) -> None:
    check_formats(served)


def test_continuation_keeps_its_spaces(served: Served) -> None:
    check_text_round_trip(served)


def test_chat_prompt_equals_the_tokenizers_own(served: Served) -> None:
    check_chat_prompt(served)


def test_ordinary_prompt_equals_the_tokenizers_own(served: Served) -> None:
    for text in ("Question: how many?\n", "x = 3", " a"):
        assert served.tokens.ids((text,)) == served.tokenizer(text).input_ids
    begun = f"{served.tokenizer.decode(served.bos)}Hi"
    assert served.tokens.ids((begun,)) == served.own_ids(begun)


def test_bos_is_added_once_when_the_template_has_none(served: Served) -> None:
    assert served.template is not None and served.family is not None
    bare = ChatTemplate(served.template.text.replace("bos_token", "''"), served.template.special_tokens)
    ids = served.search_ids(ChatFormat(bare, system=None), State(problem()))
    assert ids == served.search_ids(ChatFormat(served.template, system=None), State(problem()))
    bos = served.family.bos
    assert (
        served.bos == served.tokenizer("").input_ids == ([served.tokenizer.convert_tokens_to_ids(bos)] if bos else [])
    )


def test_gemma_gets_bos_when_its_tokenizer_has_lost_it(tmp_path: Path) -> None:
    (gemma,) = (family for family in FAMILIES if family.name == "gemma")
    tokenizer = AutoTokenizer.from_pretrained(gemma.save(tmp_path))
    with_bos = TokenEncoder.of(tokenizer)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(single="$A", pair="$A $B")
    without = TokenEncoder.of(tokenizer)
    assert tokenizer("Hi").input_ids == without.ids(("Hi",))[1:]
    assert without.ids(("Hi", "<bos>")) == with_bos.ids(("Hi", "<bos>"))
    assert without.ids(("<bos>Hi",)) == without.ids(("Hi",))


def test_tags_are_structure_in_steps_and_text_in_questions(served: Served) -> None:
    assert served.family is not None
    for tag in served.family.tags:
        tag_id = served.tokenizer.convert_tokens_to_ids(tag)
        question, step = f"What is {tag}?", f"a{tag}\nb"
        ids, step_ids = served.tokens.ids_by_piece(((f"Question: {question}", question), step))
        assert tag_id not in ids
        assert step_ids.count(tag_id) == 1
        assert served.tokens.text(step_ids) == step


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.skipif(not MODELS, reason="RAYSTAR_MODELS names no directory of model directories")
def test_real_tokenizers_make_the_same_ids() -> None:
    directories = sorted(path.parent for path in Path(MODELS or ".").glob("*/tokenizer.json"))
    assert directories, f"no model directory in RAYSTAR_MODELS={MODELS}"
    for directory in directories:
        model = Served(directory)
        check_formats(model)
        check_text_round_trip(model)
        if model.template is not None:
            check_chat_prompt(model)
