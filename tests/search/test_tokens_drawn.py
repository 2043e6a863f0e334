"""Ids of steps as the policy drew them: when a step keeps them, and who reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from search import serialization
from search.core.expansion import merge_identical
from search.data import Candidate, Finish, Problem, Proposal, State, Step
from search.formats.code_format import END_OF_CODE, END_OF_STEP, CodeFormat
from search.formats.plain_format import PlainFormat
from search.protocols import SearchServices
from search.tokens import TokenEncoder, Vocabulary, read_vocabulary, vocabulary_digest
from search.tree import Tree
from tests.fakes.token_families import FAMILIES, Family
from train.data.encoding import Encoder

PROBLEM = Problem(id="p", question="How many apples?", answer="42", source="test")
NOBODY: Any = None  # a service that is not called
TEXTS = ["First we add.\n\n", " Then\n\n", "é 数学 <b>\n\n", "x = 3\n    y\n\n"]


class Model:
    """A model directory, its encoder with the vocabulary's digest, and the ids of texts spelt in another way."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.tokenizer = AutoTokenizer.from_pretrained(directory)
        self.tokens = TokenEncoder.of(self.tokenizer, vocabulary=vocabulary_digest(directory))
        found = read_vocabulary(directory)
        assert found is not None
        self.vocabulary: Vocabulary = found

    def spell(self, text: str) -> tuple[int, ...]:
        """Return ids that say a text, one or more a character: as a model may draw it, and no tokenizer encodes it."""
        return tuple(index for character in text for index in self.tokens.ids_by_piece(("?", character))[1])

    def candidate(self, *texts: str, end: tuple[int, ...] = ()) -> Candidate:
        ids = tuple(index for text in texts for index in self.spell(text))
        return Candidate("".join(texts), (*ids, *end), Finish.STOP, self.vocabulary.digest)


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda family: family.name)
def family(request: pytest.FixtureRequest) -> Family:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def model(family: Family, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model(family.save(tmp_path_factory.mktemp(family.name)))


def services(*models: Model) -> SearchServices:
    vocabularies = {model.vocabulary.digest: model.vocabulary for model in models}
    return SearchServices(policy=NOBODY, executor=NOBODY, format=PlainFormat(), vocabularies=vocabularies)


def test_tokens_say_what_the_tokenizer_decodes(model: Model) -> None:
    for text in TEXTS:
        for ids in (model.spell(text), model.tokens.ids_by_piece(("?", text))[1]):
            assert b"".join(map(model.vocabulary.token_bytes, ids)).decode() == model.tokens.text(ids) == text


def test_search_and_training_read_the_drawn_ids(model: Model) -> None:
    candidate = model.candidate(*TEXTS, end=(model.tokenizer.eos_token_id,))
    form = PlainFormat()
    steps = services(model).keep_ids(form.parse(candidate), candidate)
    assert [step.text for step in steps] == TEXTS
    state = State(PROBLEM, steps)
    prompt = model.tokens.ids([segment.piece for segment in form.segments(State(PROBLEM))])
    ids = model.tokens.ids([segment.piece for segment in form.segments(state)])
    assert ids == [*prompt, *candidate.token_ids[:-1]]
    assert ids != model.tokens.ids([form.segments(State(PROBLEM))[0].piece, *TEXTS])
    assert Encoder(model.tokens, form, 0).encode(state, end=False).tokens == ids


def test_ids_of_another_vocabulary_are_not_read(model: Model) -> None:
    candidate = model.candidate(*TEXTS)
    steps = services(model).keep_ids(PlainFormat().parse(candidate), candidate)
    other = TokenEncoder.of(model.tokenizer, vocabulary="another")
    segments = PlainFormat().segments(State(PROBLEM, steps))
    assert other.ids([segment.piece for segment in segments]) == other.ids([segments[0].piece, *TEXTS])


def test_policy_of_an_unknown_vocabulary_leaves_no_ids(model: Model) -> None:
    candidate = model.candidate(*TEXTS)
    assert services().keep_ids((Step(candidate.text),), candidate) == (Step(candidate.text),)


def test_step_within_a_token_has_no_ids(model: Model) -> None:
    (index,) = model.tokens.ids_by_piece(("?", " apples"))[1][:1]
    word = model.tokens.text([index])
    assert len(word) > 2
    candidate = Candidate(f"x{word}", (*model.spell("x"), index), Finish.STOP, model.vocabulary.digest)
    first, second = services(model).keep_ids((Step(f"x{word[:2]}"), Step(word[2:])), candidate)
    assert first.drawn_ids == second.drawn_ids == ""
    first, second = services(model).keep_ids((Step("x"), Step(word)), candidate)
    assert first.drawn_ids and second.drawn_ids


def test_changed_text_has_no_ids(model: Model) -> None:
    candidate = model.candidate("First we add.\n\n")
    changed = Candidate(f"Step 1: {candidate.text}", candidate.token_ids, Finish.STOP, candidate.vocabulary)
    keep = services(model).keep_ids
    assert keep((Step(changed.text),), changed) == (Step(changed.text),)
    assert keep((Step("First we subtract."),), candidate)[0].drawn_ids == ""


def test_text_cut_within_the_last_token_has_no_ids(model: Model) -> None:
    """A stop ends within a token, or a character was cut off: the ids say more, or no text."""
    keep = services(model).keep_ids
    within = model.tokens.ids_by_piece(("?", " apples"))[1]
    stopped = Candidate(" app", within, Finish.STOP, model.vocabulary.digest)
    assert bool(keep((Step(" app"),), stopped)[0].drawn_ids) == (model.tokens.text(within[:-1]) == " app")
    torn = model.spell("数")[:-1]
    cut = Candidate(model.tokens.text(torn), torn, Finish.LENGTH, model.vocabulary.digest)
    assert keep((Step(cut.text),), cut)[0].drawn_ids == ""


def test_merged_candidates_keep_the_first_ones_ids(model: Model) -> None:
    text = "We add.\n\n"
    plain = Candidate(text, model.tokens.ids_by_piece(("?", text))[1], Finish.STOP, model.vocabulary.digest)
    proposal = Proposal((model.candidate(text), plain))
    (drawn,) = merge_identical(Tree(PROBLEM), proposal, State(PROBLEM), services(model), False, False)
    assert drawn.multiplicity == 2
    assert drawn.step == services(model).keep_ids((Step(text),), model.candidate(text))[0]


def test_line_break_after_a_tag_is_encoded_anew(model: Model) -> None:
    form, step = CodeFormat(), f"x = 3\n{END_OF_STEP}"
    last = f"print(x)\n{END_OF_CODE}"
    candidate = model.candidate(step, "\n", last)
    steps = services(model).keep_ids(form.parse(candidate), candidate)
    _, first, second, *_ = form.segments(State(PROBLEM, steps))
    assert (first.text, second.text) == (f"{step}\n", f"{last}\n")
    _, first_ids, second_ids = model.tokens.ids_by_piece(("?", first.piece, second.piece))
    line_break = model.tokens.ids_by_piece(("?", "\n"))[1]
    assert first_ids == (*model.spell(step), *line_break)
    assert second_ids == (*model.spell(last), *line_break)


def test_steps_without_ids_are_stored_as_before() -> None:
    assert "drawn_ids" not in serialization.dump(Step("x"))
    kept = Step("x", drawn_ids="abc:AAAA")
    assert serialization.load(Step, serialization.dump(kept)) == kept


def test_digest_names_the_vocabulary_alone(family: Family, tmp_path: Path) -> None:
    directory = family.save(tmp_path / "a")
    tokenizer = AutoTokenizer.from_pretrained(directory)
    tokenizer.chat_template = "another"
    tokenizer.save_pretrained(tmp_path / "b")
    tokenizer.add_tokens(["<new>"])
    tokenizer.save_pretrained(tmp_path / "c")
    assert vocabulary_digest(tmp_path / "b") == vocabulary_digest(directory) != vocabulary_digest(tmp_path / "c")
    assert vocabulary_digest(tmp_path) == ""
