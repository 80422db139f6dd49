"""Everything that can be measured on what is annotated on one frame, and why the rest cannot.

HC, BPD, OFD and cephalic index from the head; AC, TAD and APAD; FL; CRL; NT; the lateral
ventricle; the cardiothoracic ratio; the angle of progression; areas and lengths of any outline.
Conventions: skull and skin are outlined on their outer side (ISUOG, INTERGROWTH-21st).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from napari_fada.errors import MeasureError
from napari_fada.measure.calibration import Scale, Scales, scale_for, visible_points
from napari_fada.measure.ellipse import (
    NEARLY,
    MeasuredEllipse,
    bpd_outer_inner,
    measured_ellipse,
)
from napari_fada.measure.lengths import Line, area_mm2, between, longest, perimeter_mm, thickest
from napari_fada.measure.limits import senseless
from napari_fada.measure.progression import Tangent, angle_of_progression
from napari_fada.measure.results import Measurement, Shape, Unmeasured
from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import area, bounds, outlines

HEADS = ("Brain", "head", "fetal_head", "H")
ABDOMENS = ("abdomen", "AB")
FEMUR = "legs"
CROWN_RUMP = ("CRL_KP", "CRL")
FEMUR_VIEWS = frozenset({"FL_PLANE", "FL"})
NT_WINDOW = (45.0, 84.0)
"""CRL in mm (11+0 to 13+6) for which the thickness of the nuchal translucency means something."""

_NAMED_POINTS = frozenset({*CROWN_RUMP, "NTKpoints", "NT", "LV", FEMUR, "ScaleBarKpoints"})
"""Classes of keypoints that are measured under a name of their own, or are the scale."""

NO_SCALE = "there is no scale: no millimetres"
SQUARE = "pixels taken as square: there is no scale"

Item = Measurement | Unmeasured


@dataclass(frozen=True, slots=True)
class FrameMeasurements:
    """What was measured on a frame, and what could not be."""

    measured: tuple[Measurement, ...] = ()
    unmeasured: tuple[Unmeasured, ...] = ()

    def get(self, name: str) -> Measurement | None:
        """Return the first measurement of a name."""
        return next((m for m in self.measured if m.name == name), None)


def measure_frame(
    annotations: Iterable[Annotation],
    scale: Scale | Scales | None,
    size: tuple[int, int],
    *,
    view: str | None = None,
    crl_mm: float | None = None,
    mirrored: bool | None = None,
    tangent: Tangent = "larger",
) -> FrameMeasurements:
    """Measure what is annotated on one frame.

    Parameters
    ----------
    annotations : iterable of Annotation
        Records of the frame; rejected ones do not count. Where a class is there twice the one
        that an expert has judged is taken, then the likelier, then the larger.
    scale : Scale, Scales or None
        ``Scales`` gives each object the scale of the region that holds it.
    size : (width, height)
        Of the image.
    view : str, optional
        View label, where it is known: legs are a femur in a femur view only.
    crl_mm : float, optional
        Crown-rump length from another frame, for the window of the nuchal translucency where
        this frame has none.
    mirrored : bool, optional
        For the angle of progression: whether the symphysis lies at the upper right.
    tangent : {"larger", "challenge"}
        For the angle of progression.

    Returns
    -------
    FrameMeasurements
        Nothing is raised for what cannot be measured: it is told there.
    """
    frame = _Frame(
        tuple(a for a in annotations if a.status != "rejected"),
        scale,
        size,
        view,
        crl_mm,
        mirrored,
        tangent,
    )
    items = [item for part in _PARTS for item in part(frame)]
    return FrameMeasurements(
        tuple(_with_sense(i) for i in items if isinstance(i, Measurement)),
        tuple(i for i in items if isinstance(i, Unmeasured)),
    )


def _with_sense(m: Measurement) -> Measurement:
    """Let a size that no fetus has say so, wherever it goes from here."""
    word = senseless(m.name, m.value) if m.unit == "mm" else ""
    return replace(m, note=_words(word, m.note)) if word else m


@dataclass(frozen=True, slots=True)
class _Frame:
    records: tuple[Annotation, ...]
    scale: Scale | Scales | None
    size: tuple[int, int]
    view: str | None
    crl_mm: float | None
    mirrored: bool | None
    tangent: Tangent

    def best(self, *names: str, kind: str | None = None) -> Annotation | None:
        """Return the record of the first of some classes that is there, outlines before boxes."""
        for name in names:
            found = [r for r in self.records if r.category == name and kind in (None, r.kind)]
            if found:
                return max(found, key=_weight)
        return None

    def has(self, name: str) -> bool:
        return any(r.category == name for r in self.records)

    def scale_at(self, record: Annotation) -> Scale | None:
        return scale_for(record, self.scale)

    def ellipse(self, record: Annotation, scale: Scale | None) -> MeasuredEllipse:
        return measured_ellipse(record, scale, self.size)

    def note(self, record: Annotation, ellipse: MeasuredEllipse | None = None) -> str:
        """Say what makes the measurement of a record doubtful."""
        words = []
        (x1, y1), (x2, y2) = bounds(record)
        width, height = self.size
        if x1 <= 0.5 or y1 <= 0.5 or x2 >= width - 0.5 or y2 >= height - 0.5:
            words.append("the outline touches the edge of the image")
        if ellipse is not None and ellipse.overlap < NEARLY:
            words.append(f"the outline covers {100 * ellipse.overlap:.0f} % of its ellipse")
        return "; ".join(words)


def _weight(record: Annotation) -> tuple[bool, bool, float, float]:
    return (
        record.kind != "box",
        record.status in ("accepted", "corrected"),
        record.score or 0.0,
        area(record),
    )


def _head(frame: _Frame) -> Iterator[Item]:
    record = frame.best(*HEADS, kind="polygon") or frame.best(*HEADS)
    if record is None:
        return
    if record.category == "fetal_head" and frame.has("pubic_symphysis"):
        yield _not("hc", record, "a head in labour is not seen in the plane of HC and BPD")
        return
    scale = frame.scale_at(record)
    try:
        found = frame.ellipse(record, scale)
    except MeasureError as error:
        yield _not("hc", record, error.what)
        return
    note = frame.note(record, found)
    both = (found.caliper("short", "bpd"), found.caliper("long", "ofd"))
    yield Measurement(
        *("cephalic_index", 100 * found.short_axis / found.long_axis, "%"),
        *(f"100 · BPD / OFD, {found.method}", record.category, record.source),
        *(scale.origin if scale else "none", (record.uid,), both),
        note=_words(note, "" if scale else SQUARE),
    )
    if scale is None:
        yield _not("hc", record, NO_SCALE)
        return

    def one(name: str, value: float, how: str, *shapes: Shape, more: str = "") -> Measurement:
        return _mm(name, value, f"{how}, {found.method}", record, scale, shapes, _words(note, more))

    wong = "outer to outer turned into outer to inner (Wong 2018)"
    short = found.caliper("short", "bpd")
    yield one("hc", found.circumference, "perimeter (Ramanujan)", found.outline("hc"))
    yield one("bpd_oo", found.short_axis, "short axis, outer to outer", short)
    yield one("bpd_oi", bpd_outer_inner(found.short_axis), "short axis", short, more=wong)
    yield one("ofd", found.long_axis, "long axis, outer to outer", found.caliper("long", "ofd"))


def _abdomen(frame: _Frame) -> Iterator[Item]:
    record = frame.best(*ABDOMENS, kind="polygon") or frame.best(*ABDOMENS)
    if record is None:
        return
    scale = frame.scale_at(record)
    if scale is None:
        yield _not("ac", record, NO_SCALE)
        return
    try:
        found = frame.ellipse(record, scale)
    except MeasureError as error:
        yield _not("ac", record, error.what)
        return
    note = frame.note(record, found)
    which = _words(note, "an outline does not tell which axis is which: the long one is taken")
    other = _words(note, "an outline does not tell which axis is which: the short one is taken")
    for name, value, how, shape, more in (
        ("ac", found.circumference, "perimeter (Ramanujan)", found.outline("ac"), note),
        ("tad", found.long_axis, "long axis", found.caliper("long", "tad"), which),
        ("apad", found.short_axis, "short axis", found.caliper("short", "apad"), other),
    ):
        yield _mm(name, value, f"{how}, {found.method}", record, scale, (shape,), more)


def _femur(frame: _Frame) -> Iterator[Item]:
    record = frame.best(FEMUR, kind="keypoints") or frame.best(FEMUR)
    if record is None:
        return
    if frame.view is not None and frame.view not in FEMUR_VIEWS:
        yield _not("fl", record, f"the view is {frame.view}: legs are a femur in a femur view only")
        return
    if frame.view is None and any(frame.has(name) for name in ("abdomen", "arm", "head")):
        yield _not("fl", record, "legs of a whole body are no femur")
        return
    yield from _line(
        *(frame, record, "fl", "a box of the femur has no length: outline it"),
        *("largest diameter of the outline", longest),
    )


def _crown_rump(frame: _Frame) -> Iterator[Item]:
    record = frame.best(*CROWN_RUMP)
    if record is not None:
        yield from _line(
            *(frame, record, "crl", "a box has no length: set crown and rump as points"),
            *("largest diameter of the outline", longest),
        )


def _nuchal(frame: _Frame) -> Iterator[Item]:
    record = frame.best("NTKpoints") or frame.best("NT")
    if record is None:
        return
    found = [i for i in _crown_rump(frame) if isinstance(i, Measurement)]
    crl = found[0].value if found else frame.crl_mm
    low, high = NT_WINDOW
    if crl is None:
        more = f"CRL is not known: it means something from {low:g} to {high:g} mm only"
    elif low <= crl <= high:
        more = f"CRL {crl:.1f} mm lies in the window of {low:g} to {high:g} mm"
    else:
        more = f"CRL {crl:.1f} mm lies outside the window of {low:g} to {high:g} mm"
    yield from _line(
        *(frame, record, "nt", "a box has no thickness: outline it or set two points"),
        *("largest circle inside the outline", thickest),
        more=more,
    )


def _ventricle(frame: _Frame) -> Iterator[Item]:
    record = frame.best("LV")
    if record is not None:
        yield from _line(
            *(frame, record, "lv_width", "a box has no width across the ventricle: outline it"),
            *("largest circle inside the outline", thickest),
        )


def _line(
    frame: _Frame,
    record: Annotation,
    name: str,
    if_box: str,
    how: str,
    measure: Callable[[Annotation, Scale], Line],
    *,
    more: str = "",
) -> Iterator[Item]:
    """Measure a length: of two keypoints, or of an outline by ``measure``."""
    scale = frame.scale_at(record)
    if record.kind == "box":
        yield _not(name, record, if_box)
        return
    if scale is None:
        yield _not(name, record, NO_SCALE)
        return
    try:
        if record.kind == "keypoints":
            ends = visible_points(record)
            if len(ends) != 2:
                yield _not(name, record, f"it has {len(ends)} visible points, two are needed")
                return
            how, line = "distance of two points", between(ends, scale)
        else:
            line = measure(record, scale)
    except MeasureError as error:
        yield _not(name, record, error.what)
        return
    shape = Shape("caliper", line.ends, name, record.uid)
    note = _words(frame.note(record), more)
    yield _mm(name, line.length, how, record, scale, (shape,), note)


def _heart(frame: _Frame) -> Iterator[Item]:
    heart, thorax = frame.best("cardiac"), frame.best("thorax")
    if heart is None or thorax is None:
        return
    scale, note = _common(frame, heart, thorax)
    if isinstance(scale, Unmeasured):
        yield scale
        return
    try:
        inner, outer = frame.ellipse(heart, scale), frame.ellipse(thorax, scale)
    except MeasureError as error:
        yield _not("ctr", heart, error.what, thorax)
        return
    shapes = (inner.outline("cardiac"), outer.outline("thorax"))
    note = _words(note, frame.note(heart, inner), frame.note(thorax, outer))
    for name, value, how in (
        ("ctr_circumference", inner.circumference / outer.circumference, "circumferences"),
        ("ctr_area", inner.area / outer.area, "areas"),
    ):
        yield Measurement(
            *(name, value, "ratio", f"ratio of {how} of the ellipses, {inner.method}"),
            *("cardiac", heart.source, scale.origin if scale else "none"),
            *((heart.uid, thorax.uid), shapes),
            note=note,
        )


def _progress(frame: _Frame) -> Iterator[Item]:
    symphysis, head = frame.best("pubic_symphysis"), frame.best("fetal_head")
    if symphysis is None or head is None:
        return
    scale, note = _common(frame, symphysis, head)
    if isinstance(scale, Unmeasured):
        yield scale
        return
    try:
        bone, skull = frame.ellipse(symphysis, scale), frame.ellipse(head, scale)
        mirrored = frame.mirrored
        if mirrored is None and bone.mm.x - skull.mm.x > 0.6 * skull.mm.a:
            reason = "the symphysis lies right of the head: say whether the image is mirrored"
            yield _not("aop", symphysis, reason, head)
            return
        found = angle_of_progression(
            bone.mm, skull.mm, mirrored=bool(mirrored), tangent=frame.tangent
        )
    except MeasureError as error:
        yield _not("aop", symphysis, error.what, head)
        return
    lines = [(found.vertex, found.superior), (found.vertex, found.touch)]
    drawn = [scale.to_pixels(line) if scale else line for line in lines]
    yield Measurement(
        *("aop", found.degrees, "deg"),
        f"symphysis to the tangent of the head ({frame.tangent}), {skull.method}",
        *("fetal_head", head.source, scale.origin if scale else "none"),
        *((symphysis.uid, head.uid),),
        (
            Shape("caliper", drawn[0], "symphysis", symphysis.uid),
            Shape("tangent", drawn[1], "aop"),
            skull.outline("fetal_head"),
        ),
        note=_words(note, frame.note(symphysis, bone), frame.note(head, skull)),
    )


def _any(frame: _Frame) -> Iterator[Item]:
    """Areas, borders and lengths of all outlines, lengths between all pairs of points."""
    for record in frame.records:
        scale = frame.scale_at(record)
        if record.kind == "keypoints" and scale is not None:
            yield from _pair(frame, record, scale)
        elif record.kind == "polygon" and scale is not None:
            ring = outlines(record)[0]
            shapes = (Shape("outline", ring, record.category, record.uid),)
            values = [
                ("area", area_mm2(record, scale), "mm²", "outline"),
                ("perimeter", perimeter_mm(record, scale), "mm", "outline"),
            ]
            with suppress(MeasureError):  # it has an area of zero, which is told by the number
                line = longest(record, scale)
                values.append(("length", line.length, "mm", "largest diameter of the outline"))
            for name, value, unit, how in values:
                yield Measurement(
                    *(name, value, unit, how, record.category, record.source),
                    *(scale.origin, (record.uid,), shapes),
                    note=_words(frame.note(record), scale.note),
                )
        elif record.kind == "polygon":
            yield _not("area", record, NO_SCALE)


def _pair(frame: _Frame, record: Annotation, scale: Scale) -> Iterator[Item]:
    """Return the distance of two points that have no name of their own."""
    ends = visible_points(record)
    if record.category in _NAMED_POINTS or len(ends) != 2:
        return
    line = between(ends, scale)
    shape = Shape("caliper", line.ends, "length", record.uid)
    yield _mm(
        *("length", line.length, "distance of two points", record, scale, (shape,)),
        frame.note(record),
    )


def _common(
    frame: _Frame, first: Annotation, second: Annotation
) -> tuple[Scale | Unmeasured | None, str]:
    """Return the scale that two records share."""
    a, b = frame.scale_at(first), frame.scale_at(second)
    if (a is None) != (b is None) or (a and b and (a.y, a.x) != (b.y, b.x)):
        reason = f"{first.category} and {second.category} lie in regions of different scales"
        return _not("aop" if second.category == "fetal_head" else "ctr", first, reason, second), ""
    return a, SQUARE if a is None else ""


def _mm(
    name: str,
    value: float,
    method: str,
    record: Annotation,
    scale: Scale,
    shapes: Sequence[Shape],
    note: str,
) -> Measurement:
    return Measurement(
        *(name, value, "mm", method, record.category, record.source, scale.origin),
        *((record.uid,), tuple(shapes)),
        note=_words(note, scale.note),
    )


def _not(name: str, record: Annotation, reason: str, *others: Annotation) -> Unmeasured:
    uids = (record.uid, *(o.uid for o in others))
    return Unmeasured(name, record.category, reason, uids)


def _words(*parts: str) -> str:
    return "; ".join(dict.fromkeys(part for part in parts if part))


_PARTS = (_head, _abdomen, _femur, _crown_rump, _nuchal, _ventricle, _heart, _progress, _any)
