"""Label images: a PNG or TIFF for each image, whose values are classes.

Values are the frozen numbers of the vocabulary; ``labels.json`` says so, with colours. A pixel has
one value, so where structures overlap the smaller one lies on top, and what is hidden is counted
(or choose a file for each class). Several structures of one class are one area. Boxes and
keypoints have no place in the form. Precision: exact to the pixel.

Read are masks of any program: one bit, grey, palette, 16 bits, stacks for the frames of a clip.
What a value means is said by ``labels.json``, by the user, or, if there is but one, by the class
that the user names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from napari_fada.errors import ExchangeError
from napari_fada.exchange.extras import (
    about_frame,
    about_record,
    frame_with_about,
    notes_by_image,
    with_about,
)
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.exchange.jsonfiles import read_json
from napari_fada.exchange.writers import Format, Problem, ReadOptions, WriteOptions
from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import mask_to_annotation, rasterise
from napari_fada.scans.source import MAX_PIXELS
from napari_fada.vocabulary import vocabulary

LABELS, RECORDS = "labels.json", "records.jsonl"
NO_AREA = "structures without an outline (boxes, keypoints)"
HIDDEN = "outlines that are partly hidden by a smaller one on top"
MERGED = "structures of one class on one image that became one area"

Labels = npt.NDArray[np.uint16]

_IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".dcm", ".webp")
PICTURES = (".png", ".tif", ".tiff", ".bmp")
#: What programs put behind the name of an image to name its mask.
ENDINGS = ("_mask", "_label", "_labels", "_seg", "_Annotation", "_annotation")


def label_image(frame: FrameRecords, tally: Tally) -> Labels:
    """Return the values of a frame's outlines.

    Returns
    -------
    uint16 array, (H, W)
        0 where nothing is.
    """
    shape = frame.height, frame.width
    outlines = [a for a in frame.annotations if a.kind == "polygon"]
    masks = [(rasterise(a, shape), vocabulary().by_name[a.category].id) for a in outlines]
    values = np.zeros(shape, np.uint16)
    for mask, value in sorted(masks, key=lambda m: -int(m[0].sum())):
        values[mask] = value
    tally.notes[HIDDEN] += sum(bool((values[mask] != value).any()) for mask, value in masks)
    return values


class MasksWriter:
    """Writes label images (see ``writers.Writer``)."""

    def __init__(self, root: Path, options: WriteOptions) -> None:
        self._root = root
        self._tiff = options.choices.get("file") == "tiff"
        self._each = options.choices.get("overlap") == "classes"
        self._records: IO[str] = (root / RECORDS).open("w", encoding="utf-8")
        self._palette = [0] * 768
        for c in vocabulary().categories:
            self._palette[3 * c.id : 3 * c.id + 3] = _rgb(c.colour)

    def add(self, frame: FrameRecords, tally: Tally) -> None:
        """Write the masks of an image."""
        outlines = [a for a in frame.annotations if a.kind == "polygon"]
        tally.left_out[NO_AREA] += len(frame.annotations) - len(outlines)
        classes = sorted({a.category for a in outlines})
        tally.notes[MERGED] += len(outlines) - len(classes)
        name = Path(frame.image).relative_to("images").with_suffix(".tif" if self._tiff else ".png")
        if self._each:
            for category in classes:
                mine = tuple(a for a in outlines if a.category == category)
                values = label_image(replace(frame, annotations=mine), Tally())
                self._write(self._root / "masks" / category / name, values)
        else:
            self._write(self._root / "masks" / name, label_image(frame, tally))
        about: dict[str, Any] = {
            "image": frame.image,
            **about_frame(frame),
            "records": [{"class": a.category, **about_record(a)} for a in outlines],
        }
        self._records.write(json.dumps(about, ensure_ascii=False, separators=(",", ":")) + "\n")
        tally.written["masks"] += len(classes) if self._each else 1

    def _write(self, path: Path, values: Labels) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if self._tiff:
            import tifffile

            tifffile.imwrite(path, values, compression="zlib", metadata=None)
            return
        picture = Image.fromarray(values.astype(np.uint8))
        picture.putpalette(self._palette)
        picture.save(path, "PNG")

    def finish(self, tally: Tally) -> None:
        """Write what the values mean."""
        self._records.close()
        labels = [
            {"value": c.id, "class": c.name, "name": c.long_name, "colour": c.colour}
            for c in vocabulary().categories
        ]
        text = json.dumps({"schema": "fada-labels/1", "background": 0, "labels": labels}, indent=1)
        (self._root / LABELS).write_text(text, "utf-8")
        tally.written["classes"] += len(labels)


def _rgb(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def read(root: Path, options: ReadOptions) -> Iterator[FrameRecords | Problem]:
    """Read masks.

    ``root`` is the folder of the images and ``options.masks`` that of the masks, which may be the
    same; or ``root`` holds ``images`` and ``masks``. A mask has the name of its image, folders
    below included; programs' endings like ``_mask`` are understood (where masks lie among the
    images they tell which is which), and outlines that end in ``_Annotation`` are filled.

    Raises
    ------
    ExchangeError
        If there are no masks.
    """
    yield from _folder(root, options).read()


def count(root: Path, options: ReadOptions) -> int:
    """Return how many images with masks there are.

    Raises
    ------
    ExchangeError
        If there are no masks.
    """
    return len(_folder(root, options).pairs()[0])


def _folder(root: Path, options: ReadOptions) -> _Folder:
    """Return where images and masks are, told by what the user named.

    Raises
    ------
    ExchangeError
        If there are no masks.
    """
    folder = options.masks
    if folder is not None and not folder.is_dir():
        raise ExchangeError(f"There is no folder {folder}.", todo="Name the folder of the masks.")
    if folder is None or folder.resolve() == root.resolve():
        below = root / "images", root / "masks"
        if all(f.is_dir() for f in below):
            return _Folder(root, *below, "images/", options)
        files = root.rglob("*") if folder is None else ()
        if folder is None and not any(
            p.stem.endswith(ENDINGS) for p in files if p.suffix.lower() in PICTURES
        ):
            raise ExchangeError(
                f"{root} has no folders images and masks.", todo="Name the masks' folder: --masks"
            )
    return _Folder(root, root, folder or root, "", options)


class _Folder:
    """A folder of masks beside one of images."""

    def __init__(
        self, root: Path, images: Path, masks: Path, prefix: str, options: ReadOptions
    ) -> None:
        among = masks.resolve() == images.resolve()
        images = images.absolute()
        masks = images if among else masks.absolute()
        self._images, self._prefix, self._options = images, prefix, options
        self._masks: dict[str, dict[str, Path]] = {}
        self._folder = masks
        classes = {c.name for c in vocabulary().categories}
        for path in sorted(p for p in masks.rglob("*") if p.suffix.lower() in PICTURES):
            parts = path.relative_to(masks).with_suffix("").parts
            # One file for each class: masks/<class>/<name>.
            category = parts[0] if len(parts) > 1 and parts[0] in classes else ""
            stem = "/".join(parts[1:] if category else parts)
            if among and not stem.endswith(ENDINGS):
                continue  # an image
            self._masks.setdefault(stem, {})[category] = path
        if not self._masks:
            todo = "Name another folder."
            if among:
                todo = f"Among images a mask's name ends in one of: {', '.join(ENDINGS)}."
            raise ExchangeError(f"There are no masks in {masks}.", todo=todo)
        self._values = dict(options.values) or _values_of(
            next((f / LABELS for f in (masks, masks.parent, root) if (f / LABELS).exists()), None),
            options,
        )
        self._about = notes_by_image(root / RECORDS)

    def pairs(self) -> tuple[dict[str, str], list[str]]:
        """Return images with the mask of each, and images without one."""
        found: dict[str, str] = {}
        without: list[str] = []
        masks = {path for files in self._masks.values() for path in files.values()}
        images = (p for p in self._images.rglob("*") if p.suffix.lower() in _IMAGES)
        for image in sorted(p for p in images if p not in masks):
            name = image.relative_to(self._images)
            stem = name.with_suffix("").as_posix()
            mask = next((stem + e for e in ("", *ENDINGS) if stem + e in self._masks), None)
            if mask is not None:
                found[name.as_posix()] = mask
            elif not stem.endswith(ENDINGS):  # a mask among the images
                without.append(name.as_posix())
        return found, without

    def read(self) -> Iterator[FrameRecords | Problem]:
        found, without = self.pairs()
        for name, mask in found.items():
            yield from self._image(f"{self._prefix}{name}", self._masks[mask])
        for stem in sorted(self._masks.keys() - set(found.values())):
            path = next(iter(self._masks[stem].values()))
            yield Problem(path.name, "", "there is no image of this name")
        if without:
            yield Problem(without[0], "", f"{len(without)} images have no mask, this is the first")

    def _image(self, image: str, files: Mapping[str, Path]) -> Iterator[FrameRecords | Problem]:
        pages: dict[int, list[Annotation]] = {}
        size = (0, 0)
        looked: set[str] = set()
        said: dict[str, str] = {}
        for category, path in sorted(files.items()):
            try:
                stack = _open(path)
                if path.stem.endswith("_Annotation"):
                    stack = np.stack([_filled(page) for page in stack])
                values = self._meanings(stack, category)
            except (ValueError, OSError) as error:
                yield Problem(path.relative_to(self._folder).as_posix(), "", str(error))
                return
            size = (stack.shape[2], stack.shape[1])
            looked |= set(values.values())
            there = {int(v) for v in np.unique(stack)}
            said |= {str(v): name for v, name in sorted(values.items()) if v in there}
            for index, page in enumerate(stack):
                found = pages.setdefault(index, [])
                for value, name in sorted(values.items()):
                    record = mask_to_annotation(page == value, name)
                    if record is not None:
                        found.append(with_about(record, {}))
        for index, records in pages.items():
            frame = FrameRecords(image, *size, tuple(records), frame=index)
            frame = replace(
                frame, asked={"segment": _by_group(looked)} if looked else {}, said=said
            )
            about = self._about.get(image)
            yield _told(frame, about) if about else frame

    def _meanings(self, stack: Labels, category: str) -> dict[int, str]:
        """Return the class of each value of a mask.

        Raises
        ------
        ValueError
            If nothing says what a value means.
        """
        there = sorted(int(v) for v in np.unique(stack) if v)
        if category:
            return dict.fromkeys(there, category)
        if self._values:
            unknown = [str(v) for v in there if v not in self._values]
            if unknown:
                raise ValueError(f"nothing says what the values {', '.join(unknown[:8])} mean")
            return {value: name for value, name in self._values.items() if name}
        if self._options.category is None:
            text = ", ".join(map(str, there[:8])) or "none"
            raise ValueError(f"nothing says what its values ({text}) mean: name the --class")
        if len(there) > 1:
            text = ", ".join(map(str, there[:8]))
            raise ValueError(f"it has {len(there)} values ({text}…): say what each means, --value")
        return dict.fromkeys(there or [1], self._options.category)


def _told(frame: FrameRecords, about: Mapping[str, Any]) -> FrameRecords:
    """Give records back what was said of them, where a class has but one."""
    rows = [r for r in about.get("records", ()) if isinstance(r, dict)]
    known = {r.get("class"): r for r in rows}
    single = {c: r for c, r in known.items() if sum(x.get("class") == c for x in rows) == 1}
    records = tuple(
        with_about(a, single[a.category]) if a.category in single else a for a in frame.annotations
    )
    return frame_with_about(replace(frame, annotations=records), about)


def _by_group(names: set[str]) -> tuple[tuple[str, ...], ...]:
    groups: dict[str, list[str]] = {}
    for c in vocabulary().categories:
        if c.name in names:
            groups.setdefault(c.group[0], []).append(c.name)
    return tuple(tuple(found) for found in groups.values())


def _open(path: Path) -> Labels:
    """Return a mask as (pages, H, W).

    Raises
    ------
    ValueError
        If it is no label image.
    OSError
        If it cannot be read.
    """
    if path.suffix.lower() in (".tif", ".tiff"):
        import tifffile

        try:
            found = np.asarray(tifffile.imread(path))
        except (tifffile.TiffFileError, ValueError, IndexError, KeyError) as error:
            raise ValueError(f"it cannot be read as TIFF ({error})") from error
    else:
        try:
            with Image.open(path) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise ValueError(f"{picture.width}×{picture.height} is no size of a mask")
                found = np.asarray(picture)  # of a palette image the numbers, not the colours
        except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError) as error:
            raise ValueError(f"it cannot be read as an image ({error})") from error
    if found.ndim == 3 and found.shape[2] in (3, 4) and found.shape[0] > 4:
        grey = found[..., :1]
        if not (found[..., :3] == grey).all():
            raise ValueError("it is a colour image; labels are numbers")
        found = found[..., 0]
    if found.ndim == 2:
        found = found[None]
    if found.ndim != 3 or found.size > 50 * MAX_PIXELS:
        raise ValueError(f"an array of {found.shape} is no label image")
    if found.dtype.kind not in "bui":
        whole = np.nan_to_num(found)
        if not (whole == np.round(whole)).all():
            raise ValueError("its values are no whole numbers")
        found = whole
    if found.size and (found.min() < 0 or found.max() > 65_535):
        raise ValueError("its values are not between 0 and 65535")
    return found.astype(np.uint16)


def _filled(page: Labels) -> Labels:
    """Return an outline as an area."""
    from scipy.ndimage import binary_fill_holes

    value = page.max(initial=0)
    return np.where(binary_fill_holes(page > 0), value, 0).astype(np.uint16)


def _values_of(path: Path | None, options: ReadOptions) -> dict[int, str]:
    if path is None:
        return {}
    found: dict[int, str] = {}
    data = read_json(path, options.max_bytes)
    rows = data.get("labels") if isinstance(data, dict) else None
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and isinstance(row.get("value"), int):
            name = options.names.category(str(row.get("class", "")))
            if name:
                found[row["value"]] = name
    return found


FORMAT = Format(
    name="masks",
    title="Label images",
    image=lambda stem, split: f"images/{split}/{stem}.png" if split else f"images/{stem}.png",
    writer=MasksWriter,
    reader=read,
    count=count,
    choices={"file": ("png", "tiff"), "overlap": ("stack", "classes")},
)
