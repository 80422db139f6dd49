"""Phrases come from the project's own reports and a curated list, the most used first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fada.records.phrases import (
    PastText,
    Phrases,
    clause_before,
    clauses,
    past_texts,
)
from napari_fada.records.project import Project
from napari_fada.records.reading import INTERPRETATION_KEYS
from napari_fada.vocabulary import vocabulary
from napari_fada.vocabulary.phrases import ANY, curated_phrases
from record_samples import make_reading, make_scan

FIELD = "image_quality"
CURATED = {FIELD: {"any": ("Good", "Limited by shadow"), "BPD_PLANE": ("Good, midline clear",)}}


def past(text: str, number: int, view: str = "BPD_PLANE", field: str = FIELD) -> PastText:
    return PastText((f"{number}", 0), field, view, text)


def texts(offers) -> list[str]:
    return [offer.text for offer in offers]


def test_those_used_most_with_this_view_come_first():
    phrases = Phrases(CURATED)
    phrases.learn([past("Good gain", n) for n in range(2)])
    phrases.learn([past("Good depth", 10 + n) for n in range(3)])
    phrases.learn([past("Good everywhere", 20 + n, "AC_PLANE") for n in range(9)])
    assert texts(phrases.offers(FIELD, "BPD_PLANE", "goo", 9)) == [
        "Good depth",
        "Good gain",
        "Good everywhere",
        "Good, midline clear",
        "Good",
    ]
    assert texts(phrases.offers(FIELD, "AC_PLANE", "good", 2)) == ["Good everywhere", "Good depth"]
    assert phrases.offers("gestational_age", "BPD_PLANE", "goo") == []


def test_what_is_written_in_full_is_not_offered():
    assert texts(Phrases(CURATED).offers(FIELD, "BPD_PLANE", "good")) == ["Good, midline clear"]


@given(
    st.lists(
        st.tuples(st.sampled_from(["Good", "good gain", "Bad. Dark", "x"]), st.integers(0, 3))
    ),
    st.text("goBax ", max_size=5),
    st.integers(1, 4),
)
def test_every_offer_continues_what_was_typed(reports, typed, limit):
    phrases = Phrases(CURATED)
    phrases.learn([past(text, n) for text, n in reports])
    offers = phrases.offers(FIELD, "BPD_PLANE", typed, limit)
    assert len(offers) <= limit
    assert len({o.text for o in offers}) == len(offers)
    for offer in offers:
        assert offer.text.casefold().startswith(typed.casefold())
        assert offer.uses or offer.text in (*CURATED[FIELD]["any"], "Good, midline clear")


@given(st.lists(st.sampled_from(["Good", "Good. Dark", "Dark; wide"]), max_size=6))
def test_a_changed_report_is_counted_anew(rewrites):
    phrases = Phrases({})
    for text in rewrites:
        phrases.learn_frame(("0", 0), [past(text, 0)])
    alone = Phrases({})
    alone.learn([past(text, 0) for text in rewrites[-1:]])
    assert phrases.offers(FIELD, "BPD_PLANE", "", 9) == alone.offers(FIELD, "BPD_PLANE", "", 9)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Good", ["Good"]),
        ("Good. Dark; 2.5 mm wide.\nSeen", ["Good", "Dark", "2.5 mm wide", "Seen"]),
        (" . ", []),
    ],
)
def test_clauses(text, found):
    assert clauses(text) == found


@pytest.mark.parametrize(
    ("text", "typed"),
    [("Go", "Go"), ("Good. Da", "Da"), ("Good; d", "d"), ("Good\n", ""), ("2.5 m", "2.5 m")],
)
def test_what_was_typed_of_the_clause(text, typed):
    assert clause_before(text, len(text)) == typed


def test_past_reports_are_those_of_experts(tmp_path):
    with Project.open(tmp_path / "p.fada", rater="ann") as project:
        scan = make_scan()
        project.add_scan(scan)
        project.save_reading(make_reading(scan))
        project.set_report(scan.sha256, 0, fields={FIELD: "Good. Dark"})
        project.set_report(scan.sha256, 2, fields={FIELD: "Wide"}, view="AC_PLANE")
        found = [t for texts in past_texts(project) for t in texts]
        assert found == [
            PastText((scan.sha256, 0), FIELD, "BPD_PLANE", "Good. Dark"),
            PastText((scan.sha256, 2), FIELD, "AC_PLANE", "Wide"),
        ]
        (one,) = past_texts(project, of=(scan.sha256, 2))
        assert one == found[1:]


def test_curated_phrases_name_fields_and_views_that_exist():
    views = {ANY, *(v.name for v in vocabulary().views)}
    assert set(curated_phrases()) == set(INTERPRETATION_KEYS)
    for by_view in curated_phrases().values():
        assert set(by_view) <= views
        assert by_view[ANY]
        for found in by_view.values():
            assert len(set(found)) == len(found)
            assert all(clauses(text) == [text] for text in found)


def test_ten_thousand_reports_are_read_in_short_queries(tmp_path, monkeypatch):
    """No query gives more than a portion, and an offer asks the file nothing."""
    with Project.open(tmp_path / "p.fada") as project:
        scan = make_scan()
        project.add_scan(scan)
        with project._store.write() as c:
            c.executemany(
                "INSERT INTO cells VALUES (?, ?, ?, ?)",
                (
                    (scan.sha256, n, f"field/{key}", f"Good in case {n % 500}")
                    for n in range(10_000)
                    for key in (FIELD, "imaging_plane")
                ),
            )
        phrases = Phrases(curated_phrases())
        sizes = []
        for texts_ in past_texts(project):
            sizes.append(len(texts_))
            phrases.learn(texts_)
        assert sum(sizes) == 20_000
        assert max(sizes) <= 400
        plan = "EXPLAIN QUERY PLAN SELECT 1 FROM cells c WHERE c.name >= 'field/' "
        plan += "AND c.name < 'field0' AND (c.sha256, c.frame, c.name) > ('', -2, '')"
        with project._store.read() as c:
            assert "cells_of_reports" in c.execute(plan).fetchone()[3]
        monkeypatch.setattr(Project, "report_texts", None)
        offers = phrases.offers(FIELD, None, "good in case 42")
        assert {offer.uses for offer in offers} == {20}
