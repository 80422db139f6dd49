"""Phantom scenes of the first trimester (crown–rump, nuchal), of body pose, and of nothing."""

from __future__ import annotations

import numpy as np

from napari_fada.training.bmode import Canvas, FloatArray, Pose, oval, tube
from napari_fada.training.scenes import Drawn, fluid, limb, place


def _segment(a: FloatArray, b: FloatArray, pad: float = 0.01) -> FloatArray:
    low, high = np.minimum(a, b) - pad, np.maximum(a, b) + pad
    return np.array([low, (high[0], low[1]), high, (low[0], high[1])])


def _scale_bar(c: Canvas) -> Drawn:
    """Ruler at the right or left edge; its ends are key points."""
    rng = c.rng
    x = rng.choice([rng.uniform(0.05, 0.1), c.aspect - rng.uniform(0.05, 0.1)])
    top = rng.uniform(0.08, 0.3)
    bottom = top + rng.uniform(0.35, 0.6)
    c.ruler = (x, top, bottom)
    ends = np.array([(x, top), (x, bottom)])
    return [("ScaleBar", _segment(ends[0], ends[1], 0.015), None),
            ("ScaleBarKpoints", _segment(ends[0], ends[1], 0.015), ends)]  # fmt: skip


def crown_rump(c: Canvas) -> Drawn:
    """First-trimester embryo lying along the image."""
    rng = c.rng
    pose = place(c, (0.3, 0.42), 22, 0.05)
    c.fill(pose(oval(0, 0, 1.35, 0.85)), rng.uniform(0.01, 0.08))
    hx = -0.62
    hr = rng.uniform(0.33, 0.4)
    bl, bh = rng.uniform(0.5, 0.6), rng.uniform(0.27, 0.34)
    head, body = oval(hx, -0.03, hr, hr * 0.88), oval(0.28, 0.05, bl, bh, 6)
    for shape in (body, head):
        c.fill(pose(shape), rng.uniform(0.4, 0.55), 0.06)
    c.ring(pose(head), 0.8, 0.012, 0.3)
    c.stroke(pose([(-0.25, 0.26), (0.3, 0.32), (0.75, 0.22)]), 0.85, 0.012)
    parts = {
        "NB": oval(hx - 0.16, -hr * 0.72, 0.09, 0.03, -25, 24),
        "MX": oval(hx + 0.05, -hr * 0.62, 0.09, 0.04, 10, 24),
        "MDS": oval(hx + 0.2, -hr * 0.66, 0.05, 0.04, 0, 24),
        "MLS": oval(hx + 0.28, -hr * 0.5, 0.08, 0.03, 30, 24),
        "DP": oval(hx - 0.02, -0.06, 0.1, 0.07, 0, 24),
        "RBP": oval(hx + 0.15, 0.1, 0.08, 0.06, 0, 24),
        "C": oval(0.02, 0.02, 0.2, 0.2, 0, 32),
        "AB": oval(0.42, 0.05, 0.24, 0.22, 0, 32),
        "G": oval(0.78, -0.14, 0.06, 0.04, -40, 24),
    }
    dark = {"DP": 0.05, "RBP": 0.05, "C": 0.25, "AB": 0.4}
    for name, shape in parts.items():
        c.fill(pose(shape), dark.get(name, rng.uniform(0.85, 1.05)))
    crown, rump = pose([(hx - hr, -0.03), (0.28 + bl * 0.98, 0.1)])
    whole = np.concatenate([head, body])
    c.stroke(pose([(-0.1, -0.25), (-0.15, -0.42)]), 0.6, 0.03)
    extent = _box_outline(pose(whole))
    drawn: Drawn = [(n, pose(s), None) for n, s in parts.items()]
    drawn += [("B", pose(body), None), ("H", pose(head), None), ("CRL", extent, None)]
    drawn.append(("CRL_KP", extent, np.stack([crown, rump])))
    return drawn + _scale_bar(c)


def _box_outline(points: FloatArray) -> FloatArray:
    return _segment(points.min(axis=0), points.max(axis=0), 0.0)


def nuchal(c: Canvas) -> Drawn:
    """Magnified first-trimester profile with the fluid behind the neck."""
    rng = c.rng
    pose = place(c, (0.44, 0.54), 14, 0.04)
    c.fill(pose(oval(0, -0.4, 2.2, 1.2)), rng.uniform(0.02, 0.08))
    head, body = oval(-0.45, -0.12, 0.5, 0.44), oval(0.65, 0.12, 0.8, 0.46, 5)
    for shape in (body, head):
        c.fill(pose(shape), rng.uniform(0.4, 0.52), 0.06)
    c.ring(pose(head), 0.8, 0.01, 0.3)
    thickness = rng.uniform(0.06, 0.14)
    line = np.array([(-0.25, 0.36), (0.0, 0.44), (0.3, 0.52), (0.65, 0.6)])
    pocket = tube(line, thickness)
    c.fill(pose(pocket), 0.02, 0)
    for side in (-0.5, 0.5):
        c.stroke(pose(line + np.array([0, side * (thickness + 0.03)])), 0.9, 0.01)
    bone = oval(-0.72, -0.47, 0.1, 0.026, -25, 24)
    skin = oval(-0.76, -0.56, 0.12, 0.022, -25, 24)
    tip = oval(-0.9, -0.44, 0.05, 0.045, 0, 24)
    for shape in (bone, skin, tip):
        c.fill(pose(shape), rng.uniform(0.85, 1.05), 0)
    middle = line[1:3].mean(axis=0)
    half = np.array([0, thickness / 2])
    ends = pose([middle - half, middle + half])
    both = _box_outline(pose(np.concatenate([skin, tip])))
    drawn: Drawn = [("NT", pose(pocket), None), ("nasal_bone", pose(bone), None),
                    ("nasal_skin", pose(skin), None), ("nasal_tip", pose(tip), None),
                    ("NTAPS", both, None),
                    ("NTKpoints", _segment(ends[0], ends[1]), ends)]  # fmt: skip
    return drawn + _scale_bar(c)


def _body(c: Canvas, up: bool, front: bool) -> Drawn:
    """Whole fetus standing (head up) or on its head, from the front or the back."""
    rng = c.rng
    pose = Pose((c.aspect / 2 + rng.normal(0, 0.07), 0.5 + rng.normal(0, 0.03)),
                rng.uniform(0.34, 0.42), rng.uniform(-14, 14) + (0 if up else 180),
                bool(rng.random() < 0.5))  # fmt: skip
    fluid(c, pose, 0.9)
    head, trunk = oval(0, -0.72, 0.3, 0.34), oval(0, 0.08, 0.36, 0.5)
    legs = [limb(c, pose, s * 0.2, 0.82, 0.5, 90 - s * rng.uniform(0, 25)) for s in (-1, 1)]
    c.fill(pose(trunk), rng.uniform(0.4, 0.52), 0.06)
    c.fill(pose(head), rng.uniform(0.25, 0.4), 0.05)
    c.ring(pose(head), 0.9, 0.014, 0.3)
    c.ring(pose(trunk), 0.55, 0.008, 0.3)
    arms: list[FloatArray] = []
    if front:
        for s in (-1, 1):
            c.fill(pose(oval(s * 0.12, -0.72, 0.07, 0.06)), 0.03, 0)
            arms.append(limb(c, pose, s * 0.3, -0.08, 0.4, 90 + s * rng.uniform(-30, 10)))
        c.stroke(pose([(-0.08, -0.54), (0.08, -0.54)]), 0.9, 0.01)
        c.fill(pose(oval(0.0, 0.3, 0.1, 0.07)), 0.02, 0)
    else:
        for y in np.linspace(-0.4, 0.5, 12):
            for s in (-1, 1):
                c.fill(pose(oval(s * 0.045, y, 0.025, 0.02, 0, 12)), 1.05, 0)
        c.stroke(pose([(0, -0.98), (0, -0.5)]), 0.5, 0.006)
    drawn: Drawn = [("abdomen", pose(trunk), None), ("head", pose(head), None)]
    if arms:
        drawn.append(("arm", _box_outline(np.concatenate(arms)), None))
    drawn.append(("legs", _box_outline(np.concatenate(legs)), None))
    return drawn


def head_up_front(c: Canvas) -> Drawn:
    """Head up, seen from the front."""
    return _body(c, True, True)


def head_up_back(c: Canvas) -> Drawn:
    """Head up, seen from the back."""
    return _body(c, True, False)


def head_down_front(c: Canvas) -> Drawn:
    """Head down, seen from the front."""
    return _body(c, False, True)


def head_down_back(c: Canvas) -> Drawn:
    """Head down, seen from the back."""
    return _body(c, False, False)


def legs_only(c: Canvas) -> Drawn:
    """Two bent legs in fluid."""
    rng = c.rng
    pose = place(c, (0.3, 0.42), 30)
    fluid(c, pose, 1.0)
    parts = []
    for y in (-0.35, 0.35):
        parts.append(limb(c, pose, -0.45, y, 0.95, rng.uniform(-12, 12)))
        parts.append(limb(c, pose, 0.45, y + 0.12, 0.8, rng.uniform(25, 45)))
    return [("legs", _box_outline(np.concatenate(parts)), None)]


def arm_only(c: Canvas) -> Drawn:
    """Forearm and an open hand in fluid."""
    rng = c.rng
    pose = place(c, (0.3, 0.42), 30)
    fluid(c, pose, 1.0)
    parts = [limb(c, pose, -0.4, 0, 1.1, rng.uniform(-8, 8))]
    for a in np.linspace(-40, 40, 5):
        t = np.deg2rad(a)
        finger = pose(tube([(0.28, 0), (0.28 + 0.45 * np.cos(t), 0.45 * np.sin(t))], 0.07))
        c.fill(finger, 0.75)
        parts.append(finger)
    return [("arm", _box_outline(np.concatenate(parts)), None)]


def trunk_only(c: Canvas) -> Drawn:
    """Long section of the belly with bladder and ribs."""
    rng = c.rng
    pose = place(c, (0.3, 0.4), 15)
    fluid(c, pose)
    trunk = pose(oval(0, 0, 1.25, rng.uniform(0.5, 0.62)))
    c.fill(trunk, rng.uniform(0.36, 0.5), 0.07)
    c.ring(trunk, 0.6, 0.01, 0.3)
    c.fill(pose(oval(0.75, 0.12, 0.18, 0.12)), 0.02, 0)
    for x in np.linspace(-1.0, -0.2, 5):
        rib = pose(oval(x, -0.42, 0.035, 0.03, 0, 12))
        c.fill(rib, 0.95)
        c.shadow(rib, 0.3)
    return [("abdomen", trunk, None)]


def head_profile(c: Canvas) -> Drawn:
    """Head from the side: skull, forehead, nose, chin; no midline."""
    rng = c.rng
    pose = place(c, (0.28, 0.38), 20)
    fluid(c, pose, 1.0)
    skull = oval(0.05, 0, 0.9, 0.8)
    face = np.array([(-0.6, -0.45), (-0.9, -0.1), (-1.12, 0.12), (-0.92, 0.25), (-1.0, 0.4),
                     (-0.85, 0.55), (-0.9, 0.72), (-0.4, 0.8), (-0.2, 0.2)])  # fmt: skip
    c.fill(pose(face), rng.uniform(0.45, 0.6))
    c.fill(pose(skull), rng.uniform(0.22, 0.38), 0.07)
    c.ring(pose(skull), 0.95, 0.02, 0.4)
    c.stroke(pose([(-0.85, -0.1), (-1.0, 0.08)]), 1.0, 0.018)
    c.fill(pose(oval(-0.62, 0.12, 0.12, 0.1)), 0.03, 0)
    return [("head", _box_outline(pose(np.concatenate([skull, face]))), None)]


def no_plane(c: Canvas) -> Drawn:
    """Tissue and fluid without a fetal structure."""
    rng = c.rng
    for _ in range(rng.integers(2, 6)):
        x, y = rng.uniform(0, c.aspect), rng.uniform(0, 1)
        rx, ry = rng.uniform(0.1, 0.5, 2)
        c.fill(oval(x, y, rx, ry, rng.uniform(0, 180)), float(rng.choice([0.04, 0.3, 0.6])))
    for _ in range(rng.integers(1, 4)):
        across = np.linspace(0, c.aspect, 12)
        down = rng.uniform(0.1, 0.9) + 0.02 * np.cumsum(rng.normal(size=12))
        c.stroke(np.stack([across, down], axis=1), 0.7, 0.02)
    return []
