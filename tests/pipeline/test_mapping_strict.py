"""Mode ``strict``: whole words, and only what the report affirms."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_fada.pipeline import manual_mapping, map_classes
from napari_fada.records.reading import INTERPRETATION_KEYS, Mapping
from napari_fada.vocabulary import vocabulary

POSE = ("abdomen", "arm", "head", "legs")


def structures(text: object, label: str | None = None) -> Mapping:
    return map_classes({"anatomical_structures": text}, label)  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "text",
    [
        "measurement of the bladder",
        "adjacent to the placenta, different amount of fluid",
        "no harmful artefact",
        "charming view, warm gel",
        "the fetal skeleton",  # no leg in it
        "face and surface",  # no AC in it
        "amniotic fluid and inflow-free region",
        "placenta",
        "heartburn of the mother",
        "ahead of schedule",
        "head to the left",
        "nuchal cord",
        "umbilical cord insertion",
        "cervical spine",
        "cervical length 32 mm",
    ],
)
def test_words_inside_words_do_not_fire(text: str) -> None:
    assert structures(text).tier == "fallback_no_match"


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("NT 1.2 mm", "nt_nasal"),
        ("the NT.", "nt_nasal"),
        ("Nuchal translucency", "nt_nasal"),
        ("both arms", "body_full"),
        ("legs", "body_full"),
        ("lungs and heart", "cardiac"),
        ("echogenic focus in the left ventricle", "cardiac"),
        ("lateral ventricles", "brain"),
        ("mild ventriculomegaly", "brain"),
        ("parieto occipital sulcus", "brain"),
        ("stomach, liver", "doppler"),
        ("arm and stomach", "doppler"),
        ("FL 32 mm", "femur"),
        ("pubic symphysis", "pelvimetry"),
        ("crown-rump length", "crl"),
        ("Crown Rump length", "crl"),
        ("V sign", "cardiac"),
        ("fetal_head engaged", "body_full"),
        (["brain", {"part": "cavum"}], "brain"),
        ({"value": "heart"}, "cardiac"),
    ],
)
def test_whole_words_fire(text: object, group: str) -> None:
    assert structures(text).tier == f"interp_{group}"


DENIED = [
    "no {}",
    "No {} seen",
    "no {} is seen.",
    "No evidence of {} in this view",
    "{} not seen",
    "{} is not seen",
    "{} was not clearly visualised",
    "the {} not well seen",
    "{} cannot be seen",
    "{} can not be assessed",
    "{} could not be adequately visualized due to shadowing",
    "{}: not visible",
    "{} absent",
    "the {} is absent.",
    "absent {}",
    "absence of {}",
    "without {}",
    "without visible {}",
    "unable to identify {}",
    "{} unable to be assessed",
    "fails to show the {}",
    "does not show the {}",
    "did not include {}",
    "{} is not included",
    "{} isn't visible",
    "{} missing",
    "{} out of view",
    "{} outside the field",
    "neither {} nor bladder",
    "this is not the {}",
    "lack of {}",
    "placenta rather than {}",
    "{} not yet visible",
    "{} non-visualised",
    "non-visualisation of {}",
    "bladder seen, no {}",
    "bladder seen and {} not seen",
    "no bladder, kidney or {} seen",
    "{}, bladder and kidney not seen",
    "{} unseen; bladder normal",
]


@pytest.mark.parametrize("sentence", DENIED)
@pytest.mark.parametrize("word", ["heart", "nuchal fold"])
def test_denied_mentions_do_not_count(sentence: str, word: str) -> None:
    assert structures(sentence.format(word)).tier == "fallback_no_match"


AFFIRMED = [
    "{} seen",
    "{} seen, bladder not seen",
    "bladder not seen, {} seen",
    "no bladder seen, {} normal",
    "no bladder seen and {} is normal",
    "no bladder but {}",
    "no bladder; {} present",
    "No bladder. {} 4.5 mm",
    "no bladder however {} is present",
    "no bladder (but {})",
    "cannot exclude anomaly of the {}",
    "not only the {}",
    "no doubt {}",
    "{} normal, no abnormality detected",
    "{} 45 mm, bladder not visible",
    "{} 45 mm; bladder not visible",
    "{} is normal and bladder not seen",
    "no abnormalities, {} normal",
    "no structures except the {}",
    "bladder absent, {} present",
    "is the {} enlarged? not measured",
    "although the bladder is not seen, {} is",
    "{} present with bladder not visible",
    "unable to measure bladder\n{} visible",
    "the {} is not enlarged",
]


@pytest.mark.parametrize("sentence", AFFIRMED)
@pytest.mark.parametrize(("word", "group"), [("heart", "cardiac"), ("nuchal fold", "nt_nasal")])
def test_a_denial_stays_in_its_scope(sentence: str, word: str, group: str) -> None:
    assert structures(sentence.format(word)).tier == f"interp_{group}"


def test_a_denied_measurement_leaves_the_others() -> None:
    report = {
        "biometric_measurements": "HC 310 mm, BPD 84 mm; FL not visible",
        "anatomical_structures": "thigh, arm",
    }
    assert map_classes(report, None).tier == "interp_brain"
    report["biometric_measurements"] = "FL 45 mm; HC not visible"
    assert map_classes(report, None).tier == "interp_femur"


def test_planes() -> None:
    def tier(plane: str) -> str:
        return map_classes({"imaging_plane": plane}, None).tier

    assert tier("Four-chamber view") == "plane_four chamber"
    assert tier("axial, Trans-Thalamic") == "plane_trans-thalamic"
    assert tier("trans thalamic plane") == "plane_trans-thalamic"
    assert tier("not a four chamber view, but outflow tract") == "plane_outflow tract"
    assert tier("B-mode without Doppler") == "fallback_no_match"
    assert tier("transvaginal cervical length") == "fallback_no_match"
    assert tier("transperineal sagittal") == "interp_pelvimetry"


def test_a_second_group_joins() -> None:
    # Below 0.3 of the first's score the second stays out.
    report = {"anatomical_structures": "nuchal translucency, brain", "biometric_measurements": "NT"}
    assert map_classes(report, None).tier == "interp_nt_nasal"
    even = map_classes({"anatomical_structures": "nuchal translucency, brain"}, None)
    assert even.tier == "interp_brain+nt_nasal"
    assert even.detect == ("Brain", "CSP", "LV", "NT", "nasal_bone")
    assert even.segment == ("Brain", "NT")


@pytest.mark.parametrize(
    ("label", "tier", "detect"),
    [
        ("liver", "cls_specific_liver", ("artery", "liver", "stomach", "vein")),
        ("Abd_plane", "cls_generic_Abd_plane", ("abdomen", "arm")),
        ("huvf", "cls_generic_huvf", POSE),
        ("Nuchal translucency", "cls_keyword_nuchal",
         ("NT", "nasal_bone", "nasal_skin", "nasal_tip")),
        ("Trans-thalamic", "cls_keyword_trans-thalamic", ("Brain", "CSP", "LV")),
        ("fetal abdomen", "cls_keyword_abdomen", ("abdomen",)),
        ("placenta", "fallback_no_match", POSE),
        ("charm", "fallback_no_match", POSE),
        ("", "fallback_no_match", POSE),
        (None, "fallback_no_match", POSE),
    ],
)  # fmt: skip
def test_labels(label: str | None, tier: str, detect: tuple[str, ...]) -> None:
    found = map_classes(None, label)
    assert (found.tier, found.detect) == (tier, detect)


@pytest.mark.parametrize("mode", ["strict", "reference"])
@pytest.mark.parametrize("report", [None, {}, [], "brain", 7, {"imaging_plane": None}, {1: 2}])
def test_reports_of_the_wrong_type_say_nothing(report: object, mode: str) -> None:
    found = map_classes(report, 3, mode)  # type: ignore[arg-type]
    assert found == Mapping(POSE, (), "fallback_no_match")


def test_an_unknown_mode_is_an_error() -> None:
    with pytest.raises(ValueError, match="no such mode"):
        map_classes({}, None, "lax")  # type: ignore[arg-type]


def test_a_manual_choice() -> None:
    found = manual_mapping(("H", "Brain", "CRL_KP"))
    assert found == Mapping(("H", "Brain", "CRL_KP"), ("Brain",), "manual")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
words = st.lists(
    st.sampled_from(
        ["no", "not", "seen", "heart", "NT", "arm", ",", ";", ".", "and", "or", "without",
         "but", "absent", "is", "|", "brain", "unable to", "cannot be", "left ventricle"]
    )
).map(" ".join)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from(INTERPRETATION_KEYS), json_values | words),
    st.none() | st.text() | st.sampled_from([v.name for v in vocabulary().views]),
    st.sampled_from(["strict", "reference"]),
)
def test_any_report_gives_classes_of_the_vocabulary(
    report: dict[str, object], label: str | None, mode: str
) -> None:
    found = map_classes(report, label, mode)  # type: ignore[arg-type]
    assert found.detect
    assert found.tier
    assert len(found.detect) <= 5
    by_name = vocabulary().by_name
    assert not any(by_name[name].manual for name in found.detect)
    assert all("polygon" in by_name[name].kinds for name in found.segment)
    assert set(found.segment) <= set(found.detect)
