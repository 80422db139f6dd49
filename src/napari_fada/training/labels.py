"""Names the model is trained on: classes, groups, views, and which tasks a class takes part in."""

from __future__ import annotations

from napari_fada.records.reading import INTERPRETATION_KEYS

#: The 36 structure names, in a fixed order (auxiliary heads index by it).
CLASSES: tuple[str, ...] = (
    "AB", "B", "Brain", "C", "CRL", "CRL_KP", "CSP", "DP", "G", "H", "LV", "MDS", "MLS", "MX",
    "NB", "NT", "NTAPS", "NTKpoints", "RBP", "ScaleBar", "ScaleBarKpoints", "abdomen", "arm",
    "artery", "cardiac", "fetal_head", "head", "legs", "liver", "nasal_bone", "nasal_skin",
    "nasal_tip", "pubic_symphysis", "stomach", "thorax", "vein",
)  # fmt: skip

#: Names that are answered with points.
KEYPOINT_CLASSES: tuple[str, ...] = ("CRL_KP", "NTKpoints", "ScaleBarKpoints")

#: Names that are answered with a polygon when an outline is asked for.
MASK_CLASSES: tuple[str, ...] = (
    "Brain", "NT", "artery", "cardiac", "fetal_head", "liver", "pubic_symphysis", "stomach",
    "thorax", "vein",
)  # fmt: skip

#: The 20 view labels.
VIEWS: tuple[str, ...] = (
    "huvf", "huvb", "hdvf", "hdvb", "legs", "arms", "abdomen", "Abd_plane", "head", "BPD_PLANE",
    "FL_PLANE", "NO_PLANE", "Aorta", "Flows", "V sign", "X sign", "Other", "AC_PLANE", "FL",
    "liver",
)  # fmt: skip

#: Class lists that are asked for in one prompt, in the order they are asked.
DETECT_LISTS: tuple[tuple[str, ...], ...] = (
    ("Brain", "CSP", "LV"),
    ("cardiac", "thorax"),
    ("NT", "nasal_bone", "nasal_skin", "nasal_tip"),
    ("B", "CRL", "H", "NB"),
    ("artery", "liver", "stomach", "vein"),
    ("fetal_head", "pubic_symphysis"),
    ("abdomen", "arm", "head", "legs"),
    ("legs",),
    ("abdomen",),
    ("abdomen", "arm"),
    ("abdomen", "legs"),
    ("head",),
    ("AB", "C", "DP", "G", "MDS", "MLS", "MX", "RBP"),
    ("NTAPS",),
    ("ScaleBar",),
)

SEGMENT_LISTS: tuple[tuple[str, ...], ...] = (
    ("Brain",),
    ("cardiac", "thorax"),
    ("NT",),
    ("artery", "liver", "stomach", "vein"),
    ("fetal_head", "pubic_symphysis"),
)

KEYPOINT_LISTS: tuple[tuple[str, ...], ...] = (
    ("CRL_KP", "ScaleBarKpoints"),
    ("NTKpoints", "ScaleBarKpoints"),
    ("CRL_KP",),
    ("NTKpoints",),
    ("ScaleBarKpoints",),
)

#: The eight fields of an interpretation, in order.
FIELDS: tuple[str, ...] = INTERPRETATION_KEYS
