"""Work over frames reports a few times a second, however fast it goes."""

from __future__ import annotations

from napari_fada.records.cine.carry import Finished, Lost, Step
from napari_fada.records.deriving import Derived
from napari_fada.workstation import carrier


def test_fast_work_does_not_flood_the_window(monkeypatch):
    monkeypatch.setattr(carrier, "EVERY", 3600.0)
    steps = [Step(k + 1, 5000, Derived(k)) for k in range(5000)]
    end = Finished("copied", ())
    handed = list(carrier._gathered(iter([*steps, end])))
    assert [type(e).__name__ for e in handed] == ["Steps", "Finished"]
    assert handed[0].steps == tuple(steps)


def test_order_is_kept(monkeypatch):
    monkeypatch.setattr(carrier, "EVERY", 0.0)
    one, two = Step(1, 2, Derived(4)), Step(2, 2, Derived(5))
    lost = Lost(5, None, "it leaves the picture")
    end = Finished("followed", ())
    handed = list(carrier._gathered(iter([one, lost, two, end])))
    flat = [s for e in handed for s in (e.steps if isinstance(e, carrier.Steps) else [e])]
    assert flat == [one, lost, two, end]


def test_what_cannot_be_done_is_said(long_clip):
    said = long_clip.said
    work = carrier.Carrier(long_clip.session)
    assert not work.copy()
    assert "nothing on this frame" in said[-1][0]
    assert not work.interpolate()
    assert "two key frames" in said[-1][0]
    assert not work.go(1)
    assert "No frame after this one" in said[-1][0]
    assert not work.running
