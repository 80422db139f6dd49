"""Scores in the style of two challenges, from folders in their layout.

HC18 (van den Heuvel et al. 2018): difference of the head circumference and its size, Dice and
Hausdorff distance in mm. FH-PS-AOP (MICCAI 2023): Dice, Hausdorff and surface distances of
symphysis, head and both, the difference of the angle of progression, and their sum by the
challenge's weights. The challenges' own programs fit ellipses to the centres of border pixels
(OpenCV); here they come from the corners of outlines or the moments of masks, without that bias of
about a pixel, so figures may differ from theirs in the second digit.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from napari_fada.errors import ExchangeError, FadaError, MeasureError
from napari_fada.evaluate.bootstrap import Draws, Figure
from napari_fada.exchange.hc18 import pixel_sizes
from napari_fada.exchange.writers import Problem
from napari_fada.measure import Scale
from napari_fada.measure.ellipse import circumference, measured_ellipse
from napari_fada.measure.progression import angle_of_progression
from napari_fada.records.annotation import Annotation
from napari_fada.records.ellipse import Ellipse
from napari_fada.records.geometry import mask_to_annotation, rasterise

Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.uint16]

#: HC18's shipped outlines are drawn around the published ellipse; filled, they are larger by the
#: half width of the line, which is the same number of pixels of perimeter on every image (measured
#: by second moments on 125 heads: 8.72 px).
OUTLINE_PX = 8.72

_EMPTY_DISTANCE = 100.0


@dataclass(frozen=True, slots=True)
class Head:
    """A head of HC18: its image, the truth's outline, the size of a pixel, its circumference.

    ``hc_mm`` is the published one.
    """

    name: str
    image: Path
    outline: Annotation
    spacing_mm: float
    hc_mm: float
    size: tuple[int, int]


def read_hc18(root: Path) -> Iterator[Head | Problem]:
    """Read a folder in HC18's layout: ``*_HC.png``, ``*_HC_Annotation.png`` and the csv beside.

    Raises
    ------
    ExchangeError
        If there is no table of pixel sizes.
    """
    sizes = pixel_sizes(root)
    published = _published(root)
    images = sorted(p for p in root.rglob("*HC.png") if "Annotation" not in p.name)
    if not images:
        raise ExchangeError(f"There are no images *HC.png in {root}.")
    for image in images:
        truth = image.with_name(f"{image.stem}_Annotation.png")
        if not truth.exists():
            yield Problem(image.name, "", f"there is no {truth.name}")
            continue
        scale = sizes.of(image)
        if scale is None or image.name not in published:
            yield Problem(image.name, "", "the table has no pixel size or circumference of it")
            continue
        try:
            mask = filled(_mask(truth) > 0)
        except ValueError as error:
            yield Problem(truth.name, "", str(error))
            continue
        outline = mask_to_annotation(mask, "head")
        if outline is None:
            yield Problem(truth.name, "", "it is empty")
            continue
        height, width = mask.shape
        yield Head(
            *(image.stem, image, outline, scale.x, published[image.name]),
            (width, height),
        )


def _published(root: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    for table in sorted(root.rglob("*.csv")):
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, skipinitialspace=True)
            name = next((c for c in rows.fieldnames or () if c.lower() in ("filename", "file")), "")
            hc = next((c for c in rows.fieldnames or () if "circumference" in c.lower()), "")
            if name and hc:
                found |= {row[name]: float(row[hc]) for row in rows if row[hc]}
    return found


@dataclass(frozen=True, slots=True)
class HeadScore:
    """How a head was found; None: no outline was given.

    ``off_mm`` is ours minus the published circumference.
    """

    name: str
    off_mm: float | None
    dice: float
    hausdorff_mm: float | None


def score_head(head: Head, answer: Annotation | None) -> HeadScore:
    """Score an outline of a head against the truth.

    Both are taken as ellipses in millimetres (``measure.ellipse``); the truth's is brought
    to the published circumference (see ``OUTLINE_PX``).
    """
    if answer is None:
        return HeadScore(head.name, None, 0.0, None)
    try:
        scale = Scale(head.spacing_mm, head.spacing_mm, "csv")
        truth, said = (measured_ellipse(r, scale, head.size).mm for r in (head.outline, answer))
    except MeasureError:
        return HeadScore(head.name, None, 0.0, None)
    width = OUTLINE_PX * head.spacing_mm / (2 * np.pi)
    truth = Ellipse(truth.x, truth.y, truth.a - width, truth.b - width, truth.angle)
    one, two = (_area(e, head) for e in (truth, said))
    dice = 2 * float((one & two).sum()) / float(one.sum() + two.sum())
    apart = max(_farthest(truth, said), _farthest(said, truth))
    return HeadScore(head.name, circumference(said.a, said.b) - head.hc_mm, dice, apart)


def _area(ellipse: Ellipse, head: Head) -> Mask:
    ring = tuple((x / head.spacing_mm, y / head.spacing_mm) for x, y in ellipse.polygon(256))
    return rasterise(Annotation("head", "polygon", ring), head.size[::-1])


def _farthest(one: Ellipse, two: Ellipse) -> float:
    """Return the greatest distance from points of one ellipse to the other."""
    a, b = np.array(one.polygon(360)), np.array(two.polygon(360))
    return float(np.hypot(*(a[:, None] - b[None]).transpose(2, 0, 1)).min(axis=1).max())


def hc18_figures(scores: Sequence[HeadScore], times: int, seed: int) -> dict[str, Figure]:
    """Return the challenge's figures; examinations are the first digits of names."""
    draws = Draws([s.name.split("_")[0] for s in scores], times, seed)
    nan = float("nan")
    places = range(len(scores))

    def figure(values: Sequence[float | None]) -> Figure:
        return draws.mean([nan if v is None else v for v in values], places)

    return {
        "DF_mm": figure([s.off_mm for s in scores]),
        "ADF_mm": figure([None if s.off_mm is None else abs(s.off_mm) for s in scores]),
        "HD_mm": figure([s.hausdorff_mm for s in scores]),
        "DSC_percent": figure([100 * s.dice for s in scores]),
        "found": figure([float(s.off_mm is not None) for s in scores]),
    }


# FH-PS-AOP

SYMPHYSIS, HEAD = 1, 2


@dataclass(frozen=True, slots=True)
class LabourScore:
    """How symphysis (1) and head (2) of a frame were found.

    Means over symphysis, head and both together; ``aop_off`` is the difference of the angle of
    progression in degrees, ``score`` the challenge's sum.
    """

    name: str
    dice: float
    hausdorff: float
    asd: float
    aop_truth: float
    aop_answer: float
    score: float

    @property
    def aop_off(self) -> float:
        """The difference of both angles, without sign."""
        return abs(self.aop_truth - self.aop_answer)


def read_labour(root: Path) -> Iterator[tuple[Path, Labels] | Problem]:
    """Read a folder of images and one of labels (0, 1 symphysis, 2 head), names alike.

    Folders are called ``images`` or ``image…`` and ``labels`` or ``label…``. Files of .mha need
    SimpleITK.

    Raises
    ------
    ExchangeError
        If there are no such folders.
    """
    folders = [p for p in sorted(root.iterdir()) if p.is_dir()] if root.is_dir() else []
    images = next((p for p in folders if p.name.lower().startswith("image")), None)
    labels = next((p for p in folders if p.name.lower().startswith(("label", "mask"))), None)
    if images is None or labels is None:
        raise ExchangeError(f"{root} has no folders of images and labels.")
    for image in sorted(p for p in images.iterdir() if p.is_file()):
        truth = next((p for p in labels.glob(f"{image.stem}.*")), None)
        if truth is None:
            yield Problem(image.name, "", f"there is no label of this name in {labels.name}")
            continue
        try:
            yield image, _mask(truth)
        except ValueError as error:
            yield Problem(truth.name, "", str(error))


def score_labour(name: str, truth: Labels, answer: Labels) -> LabourScore:
    """Score labels by the challenge's rules.

    Dice is smoothed by 1; where nothing was answered Dice is 0 and both distances are 100; an angle
    that cannot be measured is 0. The sum is 0.25·Dice + 0.125·(1 − HD/100) +
    0.125·(1 − ASD/100) + 0.5·(1 − |ΔAoP|/180).
    """
    parts = []
    for values in ((SYMPHYSIS,), (HEAD,), (SYMPHYSIS, HEAD)):
        one, two = np.isin(truth, values), np.isin(answer, values)
        parts.append(_distances(one, two))
    dice, hd, asd = (float(np.mean([p[i] for p in parts])) for i in range(3))
    wanted, found = aop_of(truth), aop_of(answer)
    off = abs(wanted - found)
    score = 0.25 * dice + 0.125 * (1 - hd / 100) + 0.125 * (1 - asd / 100) + 0.5 * (1 - off / 180)
    return LabourScore(name, dice, hd, asd, wanted, found, score)


def _distances(truth: Mask, answer: Mask) -> tuple[float, float, float]:
    from scipy.ndimage import binary_erosion, distance_transform_edt

    if not answer.any() or not truth.any():
        return 0.0, _EMPTY_DISTANCE, _EMPTY_DISTANCE
    dice = (2 * float((truth & answer).sum()) + 1) / (float(truth.sum() + answer.sum()) + 1)
    edges = [m & ~binary_erosion(m) for m in (truth, answer)]
    to_answer = distance_transform_edt(~edges[1])[edges[0]]
    to_truth = distance_transform_edt(~edges[0])[edges[1]]
    asd = float(to_answer.mean() + to_truth.mean()) / 2
    return dice, max(float(to_answer.max()), float(to_truth.max())), asd


def aop_of(labels: Labels, *, challenge: bool = True) -> float:
    """Return the angle of progression of labels in degrees; 0 where it cannot be measured.

    The largest part of each class counts, as the ellipse of its moments.
    """
    try:
        symphysis, head = (_ellipse(labels == value) for value in (SYMPHYSIS, HEAD))
        found = angle_of_progression(
            symphysis, head, tangent="challenge" if challenge else "larger"
        )
    except FadaError:
        return 0.0
    return found.degrees


def _ellipse(mask: Mask) -> Ellipse:
    record = mask_to_annotation(mask, "head")
    if record is None:
        raise MeasureError("There is nothing.")
    return measured_ellipse(record, None, mask.shape[::-1]).mm


def labour_labels(annotations: Sequence[Annotation], size: tuple[int, int]) -> Labels:
    """Return labels of a model's outlines; the head lies on top, as in the truth."""
    values = np.zeros(size[::-1], np.uint16)
    for name, value in (("pubic_symphysis", SYMPHYSIS), ("fetal_head", HEAD)):
        for record in annotations:
            if record.category == name and record.kind == "polygon":
                values[rasterise(record, size[::-1])] = value
    return values


def labour_figures(scores: Sequence[LabourScore], times: int, seed: int) -> dict[str, Figure]:
    """Return the means; frames are drawn in blocks of ten neighbours, which are alike."""
    draws = Draws([str(i // 10) for i in range(len(scores))], times, seed)
    rows: Mapping[str, list[float]] = {
        "score": [s.score for s in scores],
        "dice": [s.dice for s in scores],
        "hausdorff_px": [s.hausdorff for s in scores],
        "asd_px": [s.asd for s in scores],
        "aop_difference_deg": [s.aop_off for s in scores],
    }
    return {name: draws.mean(values, range(len(scores))) for name, values in rows.items()}


def filled(mask: Mask) -> Mask:
    """Return an outline as an area; an area stays as it is."""
    from scipy.ndimage import binary_fill_holes

    found: Mask = binary_fill_holes(mask)
    return found


def _mask(path: Path) -> Labels:
    if path.suffix.lower() == ".mha":
        try:
            import SimpleITK
        except ModuleNotFoundError as error:
            raise ExchangeError(
                ".mha files need SimpleITK.", todo="pip install SimpleITK, or convert them to PNG."
            ) from error
        values = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
        return np.squeeze(np.asarray(values)).astype(np.uint16)
    try:
        with Image.open(path) as picture:
            found = np.asarray(picture)
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"it cannot be read ({error})") from error
    if found.ndim == 3:
        found = found[..., 0]
    return found.astype(np.uint16)
