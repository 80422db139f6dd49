"""Procedural fetal ultrasound: images with exact labels, for every view the model can name.

A phantom is a cartoon with the physics of a B-mode scan (field of view, speckle, attenuation,
shadows), not a simulation. It stands in where no freely licensed annotated images exist, and
gives tests and sample data their pictures. Needs numpy and scikit-image only.

Which scene carries which view label:

===================================  ==========================================================
view label                           scene
===================================  ==========================================================
BPD_PLANE                            axial head with midline, cavum and ventricle
X sign / V sign / Aorta              four-chamber heart / vessels meeting in a V / aortic arch
liver / Flows                        abdominal organs magnified / with Doppler and a waveform
AC_PLANE                             whole round abdomen: stomach bubble, umbilical vein, spine
Abd_plane                            abdomen with an arm beside it
FL_PLANE / FL                        whole thigh with the femur / femur magnified
huvf, huvb, hdvf, hdvb               whole body, head up or down, from the front or the back
legs, arms, abdomen, head            that part alone (head: from the side)
Other                                transperineal, crown–rump, and nuchal profile
NO_PLANE                             no fetal structure
===================================  ==========================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from napari_fada.training import scenes, scenes_early
from napari_fada.training.bmode import Canvas
from napari_fada.training.labels import MASK_CLASSES

#: Scene name → view label and the function that draws it.
SCENES: dict[str, tuple[str, Callable[[Canvas], scenes.Drawn]]] = {
    "brain": ("BPD_PLANE", scenes.brain),
    "four_chamber": ("X sign", scenes.four_chamber),
    "three_vessel": ("V sign", scenes.three_vessel),
    "aortic_arch": ("Aorta", scenes.aortic_arch),
    "abdominal_organs": ("liver", scenes.abdominal_organs),
    "doppler": ("Flows", scenes.doppler),
    "abdominal_circumference": ("AC_PLANE", scenes.abdominal_circumference),
    "abdomen_arm": ("Abd_plane", scenes.abdomen_arm),
    "femur": ("FL_PLANE", scenes.femur),
    "femur_close": ("FL", scenes.femur_close),
    "transperineal": ("Other", scenes.transperineal),
    "crown_rump": ("Other", scenes_early.crown_rump),
    "nuchal": ("Other", scenes_early.nuchal),
    "head_up_front": ("huvf", scenes_early.head_up_front),
    "head_up_back": ("huvb", scenes_early.head_up_back),
    "head_down_front": ("hdvf", scenes_early.head_down_front),
    "head_down_back": ("hdvb", scenes_early.head_down_back),
    "legs_only": ("legs", scenes_early.legs_only),
    "arm_only": ("arms", scenes_early.arm_only),
    "trunk_only": ("abdomen", scenes_early.trunk_only),
    "head_profile": ("head", scenes_early.head_profile),
    "no_plane": ("NO_PLANE", scenes_early.no_plane),
}


@dataclass(frozen=True)
class PhantomStructure:
    """A labelled structure in pixels of the image (corner convention, x then y).

    Attributes
    ----------
    name
        Class name.
    box
        ``(x1, y1, x2, y2)``.
    outline
        ``(n, 2)`` closed outline that the box bounds.
    polygon
        The outline, for classes that are segmented; ``None`` for the others.
    keypoints
        ``(k, 2)`` end points of a measurement; ``None`` for the other classes.
    """

    name: str
    box: tuple[float, float, float, float]
    outline: npt.NDArray[np.float64]
    polygon: npt.NDArray[np.float64] | None
    keypoints: npt.NDArray[np.float64] | None


@dataclass(frozen=True)
class Phantom:
    """A rendered scan with everything that is true about it."""

    image: npt.NDArray[np.uint8]
    structures: tuple[PhantomStructure, ...]
    view: str
    scene: str
    interpretation: dict[str, str] = field(default_factory=dict)


def scene_names(view: str) -> list[str]:
    """Scenes for a view label; a scene's own name is taken as it is."""
    if view in SCENES:
        return [view]
    names = [name for name, (label, _) in SCENES.items() if label == view]
    if not names:
        raise ValueError(f"No phantom for the view {view!r}. Known: {sorted(SCENES)} and labels.")
    return names


def render_phantom(view: str, seed: int, size: int | tuple[int, int] = (384, 512)) -> Phantom:
    """Render a phantom scan.

    Parameters
    ----------
    view
        One of the 20 view labels, or a scene name from ``SCENES``.
    seed
        The same seed gives the same scan.
    size
        ``(height, width)`` in pixels, or one number for a square.

    Returns
    -------
    Phantom
        Image, structures that lie in it, view label and interpretation.
    """
    from napari_fada.training.reports import write_report

    height, width = (size, size) if isinstance(size, int) else size
    rng = np.random.default_rng([seed, 20])
    names = scene_names(view)
    scene = names[int(rng.integers(len(names)))]
    label, draw = SCENES[scene]
    canvas = Canvas(rng, height, width)
    drawn = draw(canvas)
    image = canvas.develop()
    limits = np.array([width, height], dtype=np.float64)
    structures = []
    for name, outline, points in drawn:
        inside = np.clip(outline * height, 0.0, limits)
        extent, full = np.ptp(inside, axis=0), np.ptp(outline * height, axis=0)
        hidden = not name.startswith("ScaleBar") and canvas.seen(outline) < 0.5
        if hidden or extent.prod() < 0.4 * full.prod():
            continue
        if points is not None and ((points < 0).any() or (points * height >= limits).any()):
            continue
        x1, y1 = inside.min(axis=0)
        x2, y2 = inside.max(axis=0)
        structures.append(
            PhantomStructure(
                name,
                (float(x1), float(y1), float(x2), float(y2)),
                inside,
                inside if name in MASK_CLASSES else None,
                None if points is None else points * height,
            )
        )
    report = write_report(scene, {s.name: s.outline / limits for s in structures})
    return Phantom(image, tuple(structures), label, scene, report)
