"""Frames for the tests of forms: made by hypothesis, and from real labels."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.items import Tally
from napari_fada.exchange.names import Names
from napari_fada.exchange.writers import Problem, ReadOptions, WriteOptions
from napari_fada.records.annotation import Annotation
from napari_fada.records.geometry import mask_to_annotation
from napari_fada.vocabulary import vocabulary

WIDTH, HEIGHT = 160, 120
SIZE = (WIDTH, HEIGHT)


def _number(limit):
    return st.integers(0, limit * 8).map(lambda n: n / 8)


def _point():
    return st.tuples(_number(WIDTH), _number(HEIGHT))


@st.composite
def boxes(draw):
    x, y = draw(_number(WIDTH - 10)), draw(_number(HEIGHT - 10))
    corner = (x + draw(_number(9)) + 1, y + draw(_number(9)) + 1)
    return Annotation(_name(draw, "box"), "box", ((x, y), corner), **_about(draw))


@st.composite
def polygons(draw, holes=True):
    """Draw a star around a centre: simple, never flat, perhaps with a hole."""
    x, y = draw(st.integers(30, WIDTH - 30)), draw(st.integers(30, HEIGHT - 30))
    count = draw(st.integers(3, 12))
    reach = [draw(st.integers(10, 28)) for _ in range(count)]
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    ring = tuple(
        (round(x + r * float(np.cos(a)), 3), round(y + r * float(np.sin(a)), 3))
        for r, a in zip(reach, angles, strict=True)
    )
    rings = ()
    if holes and draw(st.booleans()):
        rings = (((x - 2.0, y - 2.0), (x + 2.0, y - 2.0), (x + 2.0, y + 2.0), (x - 2.0, y + 2.0)),)
    return Annotation(_name(draw, "polygon"), "polygon", ring, rings=rings, **_about(draw))


@st.composite
def keypoints(draw):
    name = _name(draw, "keypoints")
    count = len(vocabulary().by_name[name].points)
    seen = (*(draw(st.sampled_from((0, 1, 2))) for _ in range(count - 1)), 2)
    points = tuple(draw(_point()) if v else (0.0, 0.0) for v in seen)
    return Annotation(name, "keypoints", points, visibility=seen, **_about(draw))


def _name(draw, kind):
    return draw(st.sampled_from([c.name for c in vocabulary().categories if kind in c.kinds]))


def _about(draw):
    return {
        "status": draw(st.sampled_from(("accepted", "corrected", "proposed"))),
        "source": draw(st.sampled_from(("model", "expert", "import"))),
        "rater": draw(st.sampled_from(("", "rater-1a2b", 'Ärztin <&> "x"'))),
        "score": draw(st.one_of(st.none(), st.sampled_from((0.0, 0.5, 0.875, 1.0)))),
        "parent": draw(st.sampled_from((None, "f" * 32))),
    }


def frames(records=None, max_size=5):
    """Return a strategy of frames with structures."""
    found = records if records is not None else st.one_of(boxes(), polygons(), keypoints())
    return st.builds(
        lambda annotations, view, spacing: FrameRecords(
            "images/a.png",
            WIDTH,
            HEIGHT,
            tuple(annotations),
            view=view,
            spacing_mm=spacing,
            spacing_origin="dicom-region" if spacing else "",
            sha256="5ca1ab1e",
            group="0123abcd",
        ),
        st.lists(found, max_size=max_size),
        st.sampled_from((None, "BPD_PLANE", "V sign")),
        st.sampled_from((None, (0.25, 0.125))),
    )


def written(form, root, *found, choices=None, **options):
    """Write frames as the export does; return what was counted."""
    defaults = {name: values[0] for name, values in form.choices.items()}
    tally = Tally()
    writer = form.writer(root, WriteOptions(choices={**defaults, **(choices or {})}, **options))
    for frame in found:
        if not (root / frame.image).exists():
            picture(root / frame.image, (frame.width, frame.height))
        writer.add(frame, tally)
    writer.finish(tally)
    return tally


def picture(path, size=SIZE, seed=0):
    """Write a picture of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, size[::-1], np.uint8)
    Image.fromarray(noise).save(path)
    return path


def read_back(form, root, mapping=None, size=SIZE, **options):
    """Read a data set; return frames and problems."""
    wish = ReadOptions(size_of=lambda _image: size, names=Names(mapping), **options)
    found = list(form.reader(root, wish))
    return (
        [f for f in found if isinstance(f, FrameRecords)],
        [p for p in found if isinstance(p, Problem)],
    )


def same_records(got, want, *, atol, about=True):
    """Assert that two lists of records are the same within a precision."""
    assert [(a.category, a.kind) for a in got] == [(a.category, a.kind) for a in want]
    for a, b in zip(got, want, strict=True):
        for one, two in zip((a.points, *a.rings), (b.points, *b.rings), strict=True):
            assert np.allclose(one, two, atol=atol, rtol=0), (one, two)
        assert a.visibility == b.visibility
        if about:
            assert (a.uid, a.status, a.source, a.rater, a.score, a.parent) == (
                *(b.uid, b.status, b.source, b.rater, b.score, b.parent),
            )


def real_frames(data_dir, count=3):
    """Yield frames with labels of real scans."""
    for folder, labels, names in (
        ("hc18/images", "hc18/masks", {255: "Brain", 1: "Brain"}),
        ("psfhs/images", "psfhs/labels", {1: "pubic_symphysis", 2: "fetal_head"}),
    ):
        for path in sorted((data_dir / folder).glob("*.png"))[:count]:
            with Image.open(data_dir / labels / path.name) as im:
                values = np.asarray(im).astype(int)
            found = [
                mask_to_annotation(values == v, names[v], source="expert", status="accepted")
                for v in sorted(set(np.unique(values)) - {0})
            ]
            height, width = values.shape
            yield FrameRecords(f"images/{path.stem}.png", width, height, tuple(found))


def validate(code, *arguments):
    """Run a script where the formats' own readers are installed; return what it prints."""
    default = Path(__file__).parents[2] / ".venv" / "validators"
    python = Path(os.environ.get("NAPARI_FADA_VALIDATORS", default)) / "bin" / "python"
    if not python.exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"there is no {python}: make setup-test makes it")
        pytest.skip("the readers of other projects are not installed (make setup-test)")
    done = subprocess.run(
        [python, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env={k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
