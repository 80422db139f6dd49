"""The eight-field interpretation of a scene, in short sentences with a small vocabulary.

The plane names decide which classes are asked for next, so each scene's words lead the class map
to its own group, in strict and in reference mode. Nothing is said that pixels cannot show: no
age, no millimetres, no verdict.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from napari_fada.training.contours import FloatArray, moments
from napari_fada.training.labels import FIELDS

#: Scene → structures, plane, what could be measured.
SCENE_TEXTS: dict[str, tuple[str, str, str]] = {
    "brain": (
        "Fetal brain inside the skull",
        "Axial plane of the head, as for biparietal diameter",
        "Outline of the brain for head circumference",
    ),
    "four_chamber": (
        "Fetal heart and thorax, chambers crossed by septa",
        "Four chamber plane",
        "Outlines of heart and thorax for their ratio",
    ),
    "three_vessel": (
        "Great vessels of the heart inside the thorax, meeting in a V",
        "Three vessel plane",
        "Outlines of heart region and thorax",
    ),
    "aortic_arch": (
        "Fetal heart and arch of the aorta inside the thorax",
        "Long aortic arch plane",
        "Outlines of heart region and thorax",
    ),
    "abdominal_organs": (
        "Liver, stomach, umbilical vein and artery",
        "Abdominal organ plane, magnified",
        "Outlines of liver, stomach, vein and artery",
    ),
    "doppler": (
        "Liver, stomach, umbilical vein and artery with flow",
        "Doppler plane with a waveform",
        "Waveform of the vessel; outlines of the organs",
    ),
    "abdominal_circumference": (
        "Fetal abdomen, round, with spine",
        "Abdominal circumference plane",
        "Outline of the abdomen",
    ),
    "abdomen_arm": (
        "Fetal abdomen with an arm beside it",
        "Cross plane of the body, fetal pose",
        "Boxes of abdomen and arm",
    ),
    "femur": (
        "Fetal thigh with the whole femur",
        "Longitudinal view of femur",
        "Femur length between the ends of the shaft",
    ),
    "femur_close": (
        "Shaft of the femur, magnified",
        "Longitudinal view of femur, magnified",
        "Femur length between the ends of the shaft",
    ),
    "transperineal": (
        "Pubic symphysis and fetal head in the birth canal",
        "Transperineal sagittal plane, as for cervical length",
        "Angle of progression from pubic symphysis and fetal head",
    ),
    "crown_rump": (
        "First trimester embryo with head and body",
        "Sagittal crown-rump plane",
        "Crown-rump length between its two ends",
    ),
    "nuchal": (
        "First trimester profile with nuchal translucency and nasal bone",
        "Sagittal nuchal plane",
        "Nuchal translucency at its widest place",
    ),
    "head_up_front": (
        "Whole fetus: head, abdomen, arm and legs",
        "Long plane of the body, fetal pose, face side",
        "Boxes of head, abdomen, arm and legs",
    ),
    "head_up_back": (
        "Whole fetus: head, abdomen and legs, spine in sight",
        "Long plane of the body, fetal pose, back side",
        "Boxes of head, abdomen and legs",
    ),
    "head_down_front": (
        "Whole fetus: head, abdomen, arm and legs",
        "Long plane of the body, fetal pose, face side",
        "Boxes of head, abdomen, arm and legs",
    ),
    "head_down_back": (
        "Whole fetus: head, abdomen and legs, spine in sight",
        "Long plane of the body, fetal pose, back side",
        "Boxes of head, abdomen and legs",
    ),
    "legs_only": ("Fetal legs", "Plane of the legs, fetal pose", "Box of the legs"),
    "arm_only": ("Fetal arm with hand", "Plane of the arm, fetal pose", "Box of the arm"),
    "trunk_only": ("Fetal abdomen, long", "Long plane of the abdomen, fetal pose",
                   "Box of the abdomen"),
    "head_profile": ("Fetal head from the side", "Side plane of the head, fetal pose",
                     "Box of the head"),
    "no_plane": ("No fetal structure", "No plane", "Nothing to measure"),
}  # fmt: skip

#: Scenes whose orientation is that of the named structure's long axis.
LONG_AXIS: dict[str, tuple[str, str]] = {
    "brain": ("Brain", "Midline"),
    "femur": ("legs", "Femur"),
    "femur_close": ("legs", "Femur"),
    "crown_rump": ("CRL", "Body"),
    "trunk_only": ("abdomen", "Body"),
}


def axis_word(outline: FloatArray, aspect: float) -> str:
    """Name the direction of an outline's long axis: level, oblique or upright."""
    _, axes, _ = moments(outline * (aspect, 1.0))
    values, vectors = np.linalg.eigh(axes)
    if values[1] < 1.08 * values[0]:
        return "of no clear direction"
    x, y = np.abs(vectors[:, 1])
    angle = np.degrees(np.arctan2(y, x))
    return "level" if angle < 25 else "oblique" if angle < 65 else "upright"


def orientation(scene: str, outlines: Mapping[str, FloatArray], aspect: float) -> str:
    """Say how the fetus lies in the image, as far as the outlines show it."""
    if scene in LONG_AXIS and LONG_AXIS[scene][0] in outlines:
        name, noun = LONG_AXIS[scene]
        return f"{noun} {axis_word(outlines[name], aspect)} in the image"
    if scene == "transperineal" and {"fetal_head", "pubic_symphysis"} <= outlines.keys():
        head = outlines["fetal_head"].mean(axis=0)[0]
        bone = outlines["pubic_symphysis"].mean(axis=0)[0]
        side = "right" if head > bone else "left"
        return f"Head to the image {side} of the symphysis"
    if scene.startswith("head_up"):
        return "Head up in the image"
    if scene.startswith("head_down"):
        return "Head down in the image"
    return "Not judged from this plane"


def quality(brightness: float | None) -> str:
    """Judge the gain from the mean grey value (0–1) of the image."""
    if brightness is None or 0.1 <= brightness <= 0.3:
        return "Adequate"
    return "Limited, dark image" if brightness < 0.1 else "Limited, bright image"


def write_report(
    scene: str,
    outlines: Mapping[str, FloatArray],
    aspect: float = 4 / 3,
    brightness: float | None = None,
) -> dict[str, str]:
    """Write the interpretation of a scene.

    Parameters
    ----------
    scene
        A key of ``SCENE_TEXTS``.
    outlines
        Outlines by class name, in 0–1 coordinates of the image.
    aspect
        Width over height of the image.
    brightness
        Mean grey value, 0–1, where it is known.

    Returns
    -------
    dict
        The eight fields, in order.
    """
    structures, plane, biometry = SCENE_TEXTS[scene]
    values = (
        structures,
        orientation(scene, outlines, aspect),
        plane,
        biometry,
        "Not estimated, the image has no scale",
        quality(brightness),
        "Not assessed by this demonstration model",
        "Review by a qualified sonographer",
    )
    return dict(zip(FIELDS, values, strict=True))
