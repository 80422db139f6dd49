"""Spelling without a network: words of English, of the field and of the project are known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fada.records.spelling import Speller, Unknown, english_words
from napari_fada.vocabulary.phrases import curated_phrases, field_words


@pytest.fixture(scope="module")
def speller():
    made = Speller(field_words())
    for portion in english_words():
        made.add_english(portion)
    return made


def test_unknown_words_are_found_where_they_stand(speller):
    text = "The midlien is seen;\nHydronephrosis, mild"
    assert speller.unknown(text) == [Unknown(4, 11, "midlien")]
    assert text[4:11] == "midlien"


@pytest.mark.parametrize(
    "text",
    [
        "Colour Doppler of the oesophagus, centred; grey",
        "22w3d BPD HC 2.5mm CSP",
        "The fetus's head isn’t turned. A well-defined falx",
        "胎児の頭部 и голова",
        "transcerebellar ventriculomegaly",
        "",
    ],
)
def test_what_is_right_is_not_marked(speller, text):
    assert speller.unknown(text) == []


def test_all_curated_phrases_are_spelt_rightly(speller):
    for by_view in curated_phrases().values():
        for phrases in by_view.values():
            for phrase in phrases:
                assert speller.unknown(phrase) == [], phrase


@pytest.mark.parametrize(
    ("word", "meant"),
    [("midlien", "midline"), ("Hydronephrsis", "Hydronephrosis"), ("QUAILTY", "QUALITY")],
)
def test_suggestions(speller, word, meant):
    assert meant in speller.suggestions(word)
    assert len(speller.suggestions(word)) <= 5


def test_a_word_of_the_project_is_known_and_suggested():
    speller = Speller(["midline"])
    assert speller.unknown("Kowalczyk midlines") == [Unknown(0, 9, "Kowalczyk")]
    speller.add(["Kowalczyk"])
    assert speller.unknown("Kowalczyk’s midlines") == []
    assert speller.suggestions("Kowalczky") == ["Kowalczyk"]


@given(st.text(max_size=60))
def test_any_text_can_be_checked(text):
    for start, end, word in Speller(["head"]).unknown(text):
        assert text[start:end] == word
