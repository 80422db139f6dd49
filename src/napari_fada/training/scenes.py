"""Phantom scenes of head, chest, abdomen, femur and labour.

A scene draws itself on a canvas and returns what it drew, in image coordinates (units of the
height). Numbers here are anatomy by eye: proportions that look right, each with some spread.
"""

from __future__ import annotations

import numpy as np

from napari_fada.training.bmode import Canvas, FloatArray, Pose, oval, tube

#: Class name, outline, end points (for the measuring classes).
Drawn = list[tuple[str, FloatArray, FloatArray | None]]


def place(c: Canvas, scale: tuple[float, float], turn: float, shift: float = 0.1) -> Pose:
    """Draw a random pose near the middle of the image."""
    rng = c.rng
    centre = (c.aspect / 2 + rng.normal(0, shift), 0.5 + rng.normal(0, 0.7 * shift))
    return Pose(centre, rng.uniform(*scale), rng.uniform(-turn, turn), bool(rng.random() < 0.5))


def fluid(c: Canvas, pose: Pose, chance: float = 0.6) -> None:
    """Surround the scene with amniotic fluid, mostly."""
    if c.rng.random() < chance:
        r = c.rng.uniform(1.1, 1.6)
        x, y = c.rng.normal(0, 0.3, 2)
        c.fill(pose(oval(x, y, r * 1.15, r)), c.rng.uniform(0.02, 0.12))


def brain(c: Canvas) -> Drawn:
    """Axial head: skull, midline, cavum, one ventricle with choroid plexus."""
    rng = c.rng
    pose = place(c, (0.22, 0.42), 25)
    fluid(c, pose, 0.4)
    ry = rng.uniform(0.7, 0.88)
    head = pose(oval(0, 0, 1, ry))
    c.fill(head, rng.uniform(0.12, 0.3), 0.05)
    c.ring(head, rng.uniform(0.75, 1.1), rng.uniform(0.015, 0.03), rng.uniform(0.3, 0.8))
    c.stroke(pose([(-0.9, 0), (-0.55, 0.0)]), 0.6, 0.008)
    c.stroke(pose([(-0.25, 0), (0.85, 0.0)]), 0.6, 0.008)
    for side in (-1, 1):
        c.fill(pose(oval(0.05, side * 0.17, 0.2, 0.11, side * 15)), 0.12)
    size = rng.uniform(0.8, 1.2)
    cavum = pose(oval(-0.42, 0, 0.12 * size, 0.055 * size, count=24))
    c.fill(cavum, 0.03, 0)
    c.ring(cavum, 0.55, 0.006)
    ventricle = pose(oval(0.5, rng.uniform(0.3, 0.42), 0.24 * size, 0.09 * size, 15))
    c.fill(ventricle, 0.04, 0)
    c.fill(pose(oval(0.53, 0.38, 0.15, 0.06, 15)), rng.uniform(0.5, 0.75))
    c.ring(ventricle, 0.5, 0.006)
    return [("Brain", head, None), ("CSP", cavum, None), ("LV", ventricle, None)]


def _chest(c: Canvas, pose: Pose, rx: float, ry: float) -> FloatArray:
    thorax = pose(oval(0, 0, rx, ry))
    c.fill(thorax, c.rng.uniform(0.32, 0.5), 0.06)
    c.ring(thorax, c.rng.uniform(0.6, 0.9), 0.016, 0.4)
    spine = pose(oval(0, ry * 0.8, 0.1, 0.09))
    c.fill(spine, 0.95)
    c.shadow(spine, 0.5)
    return thorax


def four_chamber(c: Canvas) -> Drawn:
    """Chest with a heart whose septa cross."""
    rng = c.rng
    pose = place(c, (0.26, 0.42), 60)
    fluid(c, pose)
    thorax = _chest(c, pose, rng.uniform(0.95, 1.1), rng.uniform(0.85, 0.98))
    x, y, axis = rng.uniform(-0.3, 0.0), rng.uniform(-0.15, 0.1), rng.uniform(30, 60)
    rx, ry = rng.uniform(0.48, 0.6), rng.uniform(0.36, 0.46)
    heart = pose(oval(x, y, rx, ry, axis))
    c.fill(heart, rng.uniform(0.5, 0.65))
    a = np.deg2rad(axis)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    for u, v in ((-0.42, -0.42), (-0.42, 0.42), (0.42, -0.42), (0.42, 0.42)):
        cx, cy = turn @ (u * rx, v * ry) + (x, y)
        c.fill(pose(oval(cx, cy, 0.34 * rx, 0.3 * ry, axis)), 0.03, 0)
    return [("cardiac", heart, None), ("thorax", thorax, None)]


def three_vessel(c: Canvas) -> Drawn:
    """Chest with two vessels that meet in a V."""
    rng = c.rng
    pose = place(c, (0.26, 0.42), 40)
    fluid(c, pose)
    thorax = _chest(c, pose, rng.uniform(0.95, 1.1), rng.uniform(0.85, 0.98))
    tip = np.array([rng.uniform(-0.1, 0.1), 0.35])
    spread = rng.uniform(0.22, 0.36)
    arms = [np.array([tip, tip + np.array([s * spread, -0.75])]) for s in (-1, 1)]
    region = pose(oval(tip[0], tip[1] - 0.36, spread + 0.16, 0.52))
    c.fill(region, rng.uniform(0.5, 0.65))
    for arm in arms:
        c.fill(pose(tube(arm, rng.uniform(0.13, 0.2))), 0.02, 0)
    c.fill(pose(oval(tip[0] + spread + 0.02, tip[1] - 0.6, 0.07, 0.07)), 0.03, 0)
    return [("cardiac", region, None), ("thorax", thorax, None)]


def aortic_arch(c: Canvas) -> Drawn:
    """Long chest with the cane of the aortic arch."""
    rng = c.rng
    pose = place(c, (0.24, 0.36), 25)
    fluid(c, pose)
    thorax = pose(oval(0, 0, rng.uniform(1.4, 1.7), rng.uniform(0.75, 0.9)))
    c.fill(thorax, rng.uniform(0.32, 0.48), 0.06)
    for x in np.linspace(-1.2, 1.2, 9):
        rib = pose(oval(x, -0.72, 0.05, 0.04))
        c.fill(rib, 0.9)
        c.shadow(rib, 0.25)
    t = np.linspace(np.pi, 2 * np.pi, 20)
    arch = np.concatenate([
        [(-0.35, 0.45)], np.stack([0.35 * np.cos(t), 0.05 + 0.35 * np.sin(t)], 1),
        [(0.4, 0.4), (1.2, 0.42)],
    ])  # fmt: skip
    region = pose(oval(-0.12, 0.12, 0.62, 0.52))
    c.fill(region, rng.uniform(0.5, 0.62))
    c.fill(pose(tube(arch, rng.uniform(0.15, 0.22), 40)), 0.02, 0)
    c.fill(pose(oval(-0.45, 0.38, 0.2, 0.16)), 0.04, 0)
    return [("cardiac", region, None), ("thorax", thorax, None)]


def _belly(c: Canvas, pose: Pose) -> FloatArray:
    abdomen = pose(oval(0, 0, 1, c.rng.uniform(0.84, 0.97)))
    c.fill(abdomen, c.rng.uniform(0.3, 0.45), 0.06)
    c.ring(abdomen, c.rng.uniform(0.6, 0.85), 0.014, 0.4)
    spine = pose(oval(0.72, 0.05, 0.1, 0.1))
    c.fill(spine, 0.95)
    c.shadow(spine, 0.5)
    return abdomen


def _organs(c: Canvas, pose: Pose) -> Drawn:
    rng = c.rng
    liver = pose(oval(-0.3, -0.3, rng.uniform(0.42, 0.52), rng.uniform(0.38, 0.46), 20))
    c.fill(liver, rng.uniform(0.52, 0.65), 0.03)
    rx, ry = rng.uniform(0.2, 0.3), rng.uniform(0.13, 0.2)
    stomach = pose(oval(0.1, 0.5, rx, ry, rng.uniform(-25, 25)))
    c.fill(stomach, 0.02, 0)
    vein = pose(tube([(-0.95, 0.02), (-0.5, 0.08), (-0.1, -0.1)], rng.uniform(0.1, 0.15)))
    c.fill(vein, 0.03, 0)
    artery = pose(oval(0.45, -0.12, 0.1, 0.1))
    c.fill(artery, 0.03, 0)
    c.ring(artery, 0.8, 0.01, 0.0)
    return [("artery", artery, None), ("liver", liver, None),
            ("stomach", stomach, None), ("vein", vein, None)]  # fmt: skip


def abdominal_organs(c: Canvas) -> Drawn:
    """Abdomen magnified for its organs."""
    pose = place(c, (0.42, 0.54), 45, 0.05)
    _belly(c, pose)
    return _organs(c, pose)


def doppler(c: Canvas) -> Drawn:
    """Organs with a Doppler window, flow in the vessels, and a waveform strip below."""
    rng = c.rng
    pose = Pose((c.aspect / 2 + rng.normal(0, 0.06), 0.36), rng.uniform(0.28, 0.36),
                rng.uniform(-35, 35), bool(rng.random() < 0.5))  # fmt: skip
    _belly(c, pose)
    drawn = _organs(c, pose)
    for name, outline, _ in drawn:
        if name in ("artery", "vein"):
            c.fill(outline, rng.uniform(0.8, 1.1), 0.1)
    left, right = rng.uniform(0.15, 0.3), c.aspect - rng.uniform(0.15, 0.3)
    c.ring(np.array([(left, 0.08), (right, 0.08), (right, 0.66), (left, 0.66)]), 1.1, 0.006, 0)
    strip = np.array([(0.0, 0.74), (c.aspect, 0.74), (c.aspect, 1.0), (0.0, 1.0)])
    c.fill(strip, 0.02, 0)
    x = np.linspace(0, c.aspect, 80)
    beat = (x * rng.uniform(4, 7) + rng.random()) % 1.0
    y = 0.95 - 0.16 * np.exp(-3 * beat) - 0.02
    for a, b, top in zip(x[:-1], x[1:], y[:-1], strict=True):
        c.fill(np.array([(a, top), (b, top), (b, 0.95), (a, 0.95)]), 0.7, 0)
    return drawn


def abdominal_circumference(c: Canvas) -> Drawn:
    """Whole round abdomen with stomach bubble, umbilical vein and spine."""
    rng = c.rng
    pose = place(c, (0.24, 0.36), 180)
    fluid(c, pose)
    abdomen = _belly(c, pose)
    c.fill(pose(oval(0.1, 0.42, rng.uniform(0.14, 0.24), rng.uniform(0.1, 0.16), 20)), 0.02, 0)
    c.fill(pose(tube([(-0.55, -0.02), (-0.25, 0.0), (-0.05, -0.15)], 0.1)), 0.03, 0)
    return [("abdomen", abdomen, None)]


def bone(c: Canvas, points: FloatArray, width: float) -> None:
    """Draw a long bone with its shadow."""
    c.stroke(points, c.rng.uniform(0.95, 1.2), width, 0.2)
    c.shadow(points, c.rng.uniform(0.4, 0.8))


def limb(c: Canvas, pose: Pose, x: float, y: float, length: float, degrees: float) -> FloatArray:
    """Draw soft tissue around one bone, and return the outline of the tissue."""
    a = np.deg2rad(degrees)
    along = np.array([np.cos(a), np.sin(a)]) * length / 2
    middle = np.array([x, y])
    tissue = pose(oval(x, y, length * 0.6, length * c.rng.uniform(0.18, 0.25), degrees))
    c.fill(tissue, c.rng.uniform(0.4, 0.55))
    scale = float(np.abs(np.linalg.det(pose.linear))) ** 0.5
    bone(c, pose([middle - along * 0.85, middle + along * 0.85]), 0.07 * length * scale)
    return tissue


def abdomen_arm(c: Canvas) -> Drawn:
    """Abdomen with an arm across beside it."""
    rng = c.rng
    pose = place(c, (0.2, 0.28), 30)
    fluid(c, pose, 0.9)
    abdomen = _belly(c, pose)
    arm = limb(c, pose, rng.uniform(-0.3, 0.3), -1.3, rng.uniform(1.0, 1.5), rng.uniform(-15, 15))
    return [("abdomen", abdomen, None), ("arm", arm, None)]


def femur(c: Canvas) -> Drawn:
    """Thigh with the whole femur."""
    rng = c.rng
    pose = place(c, (0.3, 0.45), 20)
    fluid(c, pose, 0.5)
    thigh = limb(c, pose, 0, 0, rng.uniform(1.3, 1.8), rng.uniform(-15, 15))
    return [("legs", thigh, None)]


def femur_close(c: Canvas) -> Drawn:
    """Femur magnified: muscle fills the image, the shaft runs across it, knee bend at one end."""
    rng = c.rng
    c.level[:] = rng.uniform(0.4, 0.55)
    pose = place(c, (0.42, 0.5), 12, 0.04)
    for y in np.linspace(-1, 1, 9):
        c.stroke(pose(tube([(-1.5, y), (1.5, y + 0.1)], 0.01)), 0.6, 0.006)
    bend = rng.uniform(0.03, 0.1)
    shaft = np.array([(-0.95, 0.0), (-0.5, -bend), (0, -bend * 1.2), (0.5, -bend), (0.95, 0.0)])
    bone(c, pose(shaft), rng.uniform(0.03, 0.05))
    c.fill(pose(oval(1.05, 0.05, 0.12, 0.12)), 0.1)
    return [("legs", pose(oval(0, 0, 1.2, 0.42)), None)]


def transperineal(c: Canvas) -> Drawn:
    """Labour: symphysis near the probe, the large head behind it."""
    rng = c.rng
    side = -1.0 if rng.random() < 0.5 else 1.0
    middle = c.aspect / 2
    rx, ry = rng.uniform(0.24, 0.33), rng.uniform(0.27, 0.36)
    head = oval(middle + side * rng.uniform(-0.05, 0.18), rng.uniform(0.52, 0.64), rx, ry,
                rng.uniform(-30, 30))  # fmt: skip
    c.fill(head, rng.uniform(0.08, 0.2), 0.05)
    c.ring(head, rng.uniform(0.7, 1.0), rng.uniform(0.012, 0.025), 0.7)
    if rng.random() < 0.6:
        c.shadow(head, rng.uniform(0.2, 0.6))
    symphysis = oval(
        middle - side * rng.uniform(0.12, 0.28),
        rng.uniform(0.14, 0.26),
        rng.uniform(0.08, 0.12),
        rng.uniform(0.035, 0.055),
        side * rng.uniform(-50, 0),
    )
    c.fill(symphysis, rng.uniform(0.5, 0.7))
    c.ring(symphysis, 0.85, 0.008, 0.3)
    return [("fetal_head", head, None), ("pubic_symphysis", symphysis, None)]
