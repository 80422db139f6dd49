"""The diff of two texts is exact to the letter and goes by words."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from napari_fada.records.word_diff import Piece, word_diff

words = st.text(st.sampled_from("ab é\n,.\u00a0’-1"), max_size=40)


@given(words, words)
def test_both_texts_can_be_had_again(before, after):
    pieces = word_diff(before, after)
    assert "".join(p.text for p in pieces if p.kind != "added") == before
    assert "".join(p.text for p in pieces if p.kind != "removed") == after
    kinds = [p.kind for p in pieces]
    assert all(one != other for one, other in pairwise(kinds))
    assert all(p.text for p in pieces)


@given(words)
def test_nothing_is_marked_where_nothing_changed(text):
    assert [p.kind for p in word_diff(text, text)] == ["same"] * bool(text)


def test_words_are_changed_whole():
    assert word_diff("good image, midline seen", "good picture, midline not seen") == [
        Piece("same", "good "),
        Piece("removed", "image"),
        Piece("added", "picture"),
        Piece("same", ", midline "),
        Piece("added", "not "),
        Piece("same", "seen"),
    ]


def test_a_rewritten_phrase_reads_as_one():
    assert word_diff("poor gain", "very good") == [
        Piece("removed", "poor gain"),
        Piece("added", "very good"),
    ]
