"""A long clip: the layers hold what lies near, every frame shows its own, edits stay quick."""

from __future__ import annotations

from napari_fada.records.annotation import Annotation
from napari_fada.workstation import frame_window


def square(x, y, side):
    return ((x, y), (x + side, y), (x + side, y + side), (x, y + side))


def fill(bench, frames):
    """Put a structure on each frame whose place tells the frame."""
    session = bench.session
    for frame in frames:
        shape = Annotation("Brain", "polygon", square(float(frame % 100), 20.0, 30.0))
        session.project.edit(session.scan.sha256, frame, add=[shape])
    session.refresh()


def frames_in(layer):
    return {int(v[0][0]) for v in layer.data}


def test_layers_hold_the_frames_near_the_one_that_is_shown(long_clip):
    fill(long_clip, range(40, 100))
    layer = long_clip.layer("polygons")
    assert len(layer.data) == 0
    for frame in (60, 61, 66, 70, 45, 99, 0, 299, 41):
        long_clip.session.go_to_frame(frame)
        assert all(abs(f - frame) <= 2 * frame_window.REACH for f in frames_in(layer))
        if 40 <= frame < 100:
            (here,) = [v for v in layer.data if int(v[0][0]) == frame]
            assert here[:, 2].min() == frame % 100 - 0.5
            assert long_clip.layer("masks").data[frame].any()
        else:
            assert frame not in frames_in(layer)


def test_stepping_never_shows_a_frame_without_its_structures(long_clip):
    fill(long_clip, range(50, 80))
    for frame in (*range(50, 80), *reversed(range(50, 80))):
        long_clip.session.go_to_frame(frame)
        assert frame in frames_in(long_clip.layer("polygons"))


def test_an_edit_reads_its_own_frame_alone(long_clip, monkeypatch):
    fill(long_clip, range(50, 60))
    session = long_clip.session
    session.go_to_frame(55)
    monkeypatch.setattr(
        session.project, "annotations_by_frame", lambda *_a, **_k: (_ for _ in ()).throw(OSError)
    )
    layer = long_clip.layer("polygons")
    at = next(i for i, v in enumerate(layer.data) if int(v[0][0]) == 55)
    layer.selected_data = {at}
    layer.remove_selected()
    assert long_clip.kept(55) == []
    assert 55 not in session.records
    assert len(session.records) == 9
    session.undo()
    assert len(session.records[55]) == 1
    assert 55 in frames_in(layer)
