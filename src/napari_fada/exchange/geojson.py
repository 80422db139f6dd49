"""GeoJSON: a feature collection for each image, as QuPath and GIS programs read it.

Coordinates are pixels of the image, x to the right and y down, and the file says so. Outlines are
Polygon or MultiPolygon with holes, rings closed and turned by the right-hand rule (of the numbers);
boxes are polygons that say they are boxes; keypoints are MultiPoint. Precision: numbers are
written as they are; the rings of an outline come back in another order, with the same area.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from napari_fada.errors import ExchangeError
from napari_fada.exchange.checking import MAX_VERTICES, checked
from napari_fada.exchange.corners import polygon_rings, said, with_corners
from napari_fada.exchange.extras import about_frame, about_record, frame_with_about, with_about
from napari_fada.exchange.files import write_atomic
from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.exchange.jsonfiles import as_list, as_number, as_object, read_json
from napari_fada.exchange.writers import Format, Problem, ReadOptions, WriteOptions, told
from napari_fada.records.annotation import Annotation, Point, Ring
from napari_fada.records.geometry import outlines, region_in
from napari_fada.vocabulary import vocabulary

FOLDER = "labels"
COORDINATES = "pixels of the image: x right, y down, (0, 0) the upper left corner of the first"
CROSSED = "outlines that cross themselves (written as the area they cover)"


def feature(record: Annotation, size: tuple[int, int]) -> tuple[dict[str, Any], bool]:
    """Return a record as a feature, and whether its outline had to be changed.

    Parameters
    ----------
    record : Annotation
        In pixels.
    size : (width, height)
        Of the image.
    """
    category = vocabulary().by_name[record.category]
    colour = [int(category.colour[i : i + 2], 16) for i in (1, 3, 5)]
    geometry, changed = _geometry(record, size)
    properties = {
        "objectType": "annotation",
        "classification": {"name": record.category, "color": colour},
        "class": record.category,
        "kind": record.kind,
        **about_record(record),
    }
    if record.kind == "polygon":
        properties |= said(record)
    if record.visibility:
        properties["visibility"] = list(record.visibility)
    found = {"type": "Feature", "id": record.uid, "geometry": geometry, "properties": properties}
    return found, changed


def _geometry(record: Annotation, size: tuple[int, int]) -> tuple[dict[str, Any], bool]:
    if record.kind == "keypoints":
        return {"type": "MultiPoint", "coordinates": [list(p) for p in record.points]}, False
    if record.kind == "box":
        (ring,) = outlines(record)
        return {"type": "Polygon", "coordinates": [_closed(ring)]}, False
    from shapely import Polygon
    from shapely.geometry.polygon import orient

    lines = polygon_rings(record, size)
    if len(lines) == 1 and Polygon(lines[0]).is_valid:
        whole: Any = Polygon(lines[0])
        parts = [whole]
        changed = False
    else:
        whole = region_in(lines)
        parts = [p for p in getattr(whole, "geoms", [whole]) if p.geom_type == "Polygon"]
        changed = not record.rings
    rings = []
    for part in parts:
        turned = orient(part)
        rings.append([_closed(tuple(r.coords)[:-1]) for r in (turned.exterior, *turned.interiors)])
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings[0]}, changed
    return {"type": "MultiPolygon", "coordinates": rings}, changed


def _closed(ring: Ring) -> list[list[float]]:
    return [list(p) for p in (*ring, ring[0])]


class GeojsonWriter:
    """Writes a feature collection for each image (see ``writers.Writer``)."""

    def __init__(self, root: Path, _options: WriteOptions) -> None:
        self._root = root

    def add(self, frame: FrameRecords, tally: Tally) -> None:
        """Write the file of an image."""
        features = []
        for record in frame.annotations:
            found, changed = feature(record, (frame.width, frame.height))
            tally.notes[CROSSED] += changed
            features.append(found)
        data = {
            "type": "FeatureCollection",
            "features": features,
            # Foreign members, as RFC 7946 allows them.
            "coordinates": COORDINATES,
            "image": frame.image,
            "width": frame.width,
            "height": frame.height,
            "fada": about_frame(frame),
        }
        name = Path(frame.image).relative_to("images").with_suffix(".geojson")
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        write_atomic(self._root / FOLDER / name, text.encode(), flush=False)
        tally.written["features"] += len(features)

    def finish(self, tally: Tally) -> None:
        """Do nothing more: every file is whole."""
        tally.written["features"] += 0


def read(root: Path, options: ReadOptions) -> Iterator[FrameRecords | Problem]:
    """Read the feature collections of a folder, or one.

    Raises
    ------
    ExchangeError
        If there is none.
    """
    files = [root] if root.is_file() else sorted(root.rglob("*.geojson"))
    if not files:
        raise ExchangeError(f"There are no .geojson files in {root}.", todo="Name another folder.")
    for path in files:
        yield from _read(path, options)


def _read(path: Path, options: ReadOptions) -> Iterator[FrameRecords | Problem]:
    try:
        data = as_object(read_json(path, options.max_bytes), "the file")
        features = as_list(data["features"], "features")
        image = str(data.get("image") or f"{path.stem}.png")
        wide, high = data.get("width"), data.get("height")
        whole = isinstance(wide, int) and isinstance(high, int)
        size = (wide, high) if whole else options.size_of(image)
    except ExchangeError as error:
        yield Problem(path.name, "", error.what)
        return
    except (ValueError, KeyError, OSError) as error:
        yield Problem(path.name, "", told(error))
        return
    kept = []
    for number, row in enumerate(features, 1):
        where = f"feature {number}"
        try:
            record = _record(as_object(row, "it"), options)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            yield Problem(path.name, where, told(error))
            continue
        if record is None:
            continue
        found, what = checked(record, (int(size[0]), int(size[1])))  # type: ignore[arg-type]
        if what:
            yield Problem(path.name, where, f"{record.category} {what}")
        if found:
            kept.append(found)
    frame = FrameRecords(image, int(size[0]), int(size[1]), tuple(kept))  # type: ignore[arg-type]
    about = data.get("fada")
    yield frame_with_about(frame, about) if isinstance(about, dict) else frame


def _record(row: Mapping[str, Any], options: ReadOptions) -> Annotation | None:
    told = row.get("properties")
    properties: Mapping[str, Any] = told if isinstance(told, dict) else {}
    label = properties.get("class")
    if label is None:
        classification = properties.get("classification")
        label = classification.get("name") if isinstance(classification, dict) else None
    if not isinstance(label, str):
        raise ValueError("it has no class")
    category = options.names.category(label)
    if category is None:
        if options.names.left_out(label):
            return None
        raise ValueError(f"unknown class {label!r}")
    geometry = as_object(row["geometry"], "its geometry")
    kind, places = geometry["type"], geometry["coordinates"]
    if kind in ("Point", "MultiPoint"):
        points = tuple(_point(p) for p in ([places] if kind == "Point" else places))
        seen = properties.get("visibility") or [2] * len(points)
        record = Annotation(category, "keypoints", points, visibility=tuple(int(v) for v in seen))
    elif kind in ("Polygon", "MultiPolygon"):
        parts = [places] if kind == "Polygon" else as_list(places, "its parts")
        rings = [_ring(ring) for part in parts for ring in as_list(part, "a polygon")]
        if properties.get("kind") == "box":
            xs, ys = zip(*rings[0], strict=True)
            record = Annotation(category, "box", ((min(xs), min(ys)), (max(xs), max(ys))))
        else:
            record = Annotation(category, "polygon", rings[0], rings=tuple(rings[1:]))
            record = with_corners(record, properties)
    else:
        raise ValueError(f"a {kind} is no structure of ours")
    return with_about(record, {**properties, "uid": properties.get("uid", row.get("id"))})


def _ring(value: Any) -> Ring:
    rows = as_list(value, "a ring")
    if len(rows) > MAX_VERTICES:
        raise ValueError(f"{len(rows):,} vertices; {MAX_VERTICES:,} are the limit")
    points = [_point(p) for p in rows]
    return tuple(points[:-1] if len(points) > 1 and points[0] == points[-1] else points)


def _point(value: Any) -> Point:
    x, y, *_ = as_list(value, "a point")
    return as_number(x, "a coordinate"), as_number(y, "a coordinate")


FORMAT = Format(
    name="geojson",
    title="GeoJSON",
    image=lambda stem, split: f"images/{split}/{stem}.png" if split else f"images/{stem}.png",
    writer=GeojsonWriter,
    reader=read,
)
