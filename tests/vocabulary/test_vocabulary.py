"""The vocabulary's numbers and colours are frozen: changing one breaks projects and exports."""

from __future__ import annotations

import copy
import tomllib
from importlib.resources import files
from typing import Any

import pytest

from napari_fada.vocabulary import VocabularyError, vocabulary
from napari_fada.vocabulary.loader import read_vocabulary

FROZEN = {
    "AB": (1, "#ffb594"),
    "B": (2, "#fdbdf8"),
    "Brain": (3, "#9481ed"),
    "C": (4, "#73b480"),
    "CRL": (5, "#ac5b52"),
    "CRL_KP": (6, "#ffe6a3"),
    "CSP": (7, "#00910e"),
    "DP": (8, "#bd945b"),
    "G": (9, "#37bf00"),
    "H": (10, "#9e39f5"),
    "LV": (11, "#22fab4"),
    "MDS": (12, "#ca75a7"),
    "MLS": (13, "#9ea122"),
    "MX": (14, "#fb939c"),
    "NB": (15, "#f7be26"),
    "NT": (16, "#00c5c5"),
    "NTAPS": (17, "#05987e"),
    "NTKpoints": (18, "#c6affe"),
    "RBP": (19, "#ff2368"),
    "ScaleBar": (20, "#a86011"),
    "ScaleBarKpoints": (21, "#8365a1"),
    "abdomen": (22, "#e8f22c"),
    "arm": (23, "#65fefe"),
    "artery": (24, "#d32188"),
    "cardiac": (25, "#ff9709"),
    "fetal_head": (26, "#f85e08"),
    "head": (27, "#88700b"),
    "legs": (28, "#008ed2"),
    "liver": (29, "#e31106"),
    "nasal_bone": (30, "#6b7832"),
    "nasal_skin": (31, "#2967f5"),
    "nasal_tip": (32, "#48fe00"),
    "pubic_symphysis": (33, "#89b0ff"),
    "stomach": (34, "#cdf4b1"),
    "thorax": (35, "#ff43fa"),
    "vein": (36, "#55c7fd"),
}

VIEWS = (
    "huvf huvb hdvf hdvb legs arms abdomen Abd_plane head BPD_PLANE FL_PLANE NO_PLANE Aorta Flows "
    "V_sign X_sign Other AC_PLANE FL liver"
)

GROUPS = {
    "brain": ("Brain CSP LV", "Brain", "nt_nasal"),
    "cardiac": ("cardiac thorax", "cardiac thorax", ""),
    "nt_nasal": ("NT nasal_bone nasal_skin nasal_tip", "NT", "brain crl"),
    "crl": ("B CRL H NB", "", "nt_nasal"),
    "doppler": ("artery liver stomach vein", "artery liver stomach vein", ""),
    "pelvimetry": ("fetal_head pubic_symphysis", "fetal_head pubic_symphysis", ""),
    "body_full": ("abdomen arm head legs", "", ""),
    "femur": ("legs", "", ""),
}

MANUAL = "AB C DP G MDS MLS MX NTAPS RBP ScaleBar CRL_KP NTKpoints ScaleBarKpoints"  # never mapped
OUTLINED = "Brain NT cardiac thorax artery vein liver stomach fetal_head pubic_symphysis"


def test_ids_and_colours_are_frozen() -> None:
    assert {c.name: (c.id, c.colour) for c in vocabulary().categories} == FROZEN


def test_views_are_frozen() -> None:
    expected = [name.replace("_sign", " sign") for name in VIEWS.split()]
    assert [v.name for v in vocabulary().views] == expected
    assert [v.id for v in vocabulary().views] == list(range(1, 21))


def test_groups() -> None:
    found = {
        g.name: (" ".join(g.detect), " ".join(g.segment), " ".join(g.may_join))
        for g in vocabulary().groups.values()
    }
    assert found == GROUPS
    assert vocabulary().groups["crl"].keypoints == ("CRL_KP", "ScaleBarKpoints")
    assert vocabulary().groups["nt_nasal"].keypoints == ("NTKpoints", "ScaleBarKpoints")


def test_manual_classes_are_those_no_group_asks_for() -> None:
    v = vocabulary()
    assert {c.name for c in v.categories if c.manual} == set(MANUAL.split())
    asked = {name for g in v.groups.values() for name in g.detect}
    assert asked == {c.name for c in v.categories if not c.manual}
    assert len(asked) == 23


def test_kinds_and_points() -> None:
    v = vocabulary()
    assert {c.name for c in v.categories if "polygon" in c.kinds} == set(OUTLINED.split())
    assert {c.name: c.points for c in v.categories if "keypoints" in c.kinds} == {
        "CRL_KP": ("crown", "rump"),
        "NTKpoints": ("inner_border_skin", "inner_border_tissue"),
        "ScaleBarKpoints": ("first_end", "second_end"),
    }


@pytest.mark.parametrize("name", list(FROZEN))
def test_resolve_finds_every_name_in_any_case(name: str) -> None:
    category = vocabulary().by_name[name]
    assert vocabulary().by_id[category.id] is category
    for text in (name, name.upper(), name.lower(), f" {name} ", name.replace("_", " ")):
        assert vocabulary().resolve(text) is category


@pytest.mark.parametrize("text", ["", " ", "foetal head", "heads", "nasal", "brain, whole outline"])
def test_resolve_does_not_guess(text: str) -> None:
    assert vocabulary().resolve(text) is None


def test_head_is_not_h() -> None:
    found = [vocabulary().resolve(t) for t in ("head", "HEAD", "H", "h", "fetal head")]
    assert [c.name for c in found if c] == ["head", "head", "H", "H", "fetal_head"]


def test_resolve_view() -> None:
    v = vocabulary()
    for text, name in (("bpd_plane", "BPD_PLANE"), ("v SIGN", "V sign"), ("FL", "FL")):
        view = v.resolve_view(text)
        assert view is not None
        assert view.name == name
    assert v.resolve_view("brain") is None


def test_colours_stand_out_from_grey_and_from_each_other() -> None:
    colour = pytest.importorskip("skimage.color")
    import numpy as np

    rgb = np.array([[int(c.colour[i : i + 2], 16) for i in (1, 3, 5)] for c in
                    vocabulary().categories]) / 255.0  # fmt: skip
    lab = colour.rgb2lab(rgb)
    assert lab[:, 0].min() > 45
    assert np.hypot(lab[:, 1], lab[:, 2]).min() > 30
    distance = colour.deltaE_ciede2000(lab[:, None], lab[None])
    np.fill_diagonal(distance, np.inf)
    assert distance.min() > 7


@pytest.fixture
def data() -> dict[str, Any]:
    text = files("napari_fada.vocabulary").joinpath("vocabulary.toml").read_text(encoding="utf-8")
    return copy.deepcopy(tomllib.loads(text))


@pytest.mark.parametrize(
    ("where", "field", "value", "message"),
    [
        (0, "id", 2, "id given twice"),
        (0, "id", 0, "below 1"),
        (0, "name", "B", "name given twice"),
        (0, "group", ["nowhere"], "unknown group"),
        (0, "group", [], "unknown group"),
        (0, "kinds", ["blob"], "unknown kinds"),
        (0, "kinds", ["keypoints"], "keypoints need names"),
        (0, "colour", "red", "colour red"),
        (0, "key", "b", "key given twice"),
        (1, "group", ["brain"], "does not name its group"),
        (1, "manual", True, "is manual"),
        (2, "kinds", ["box"], "has no polygon"),
    ],
)
def test_a_contradiction_is_refused(
    data: dict[str, Any], where: int, field: str, value: object, message: str
) -> None:
    data["categories"][where][field] = value
    with pytest.raises(VocabularyError, match=message):
        read_vocabulary(data)
