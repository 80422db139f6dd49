"""Labels on their scans before they come in: one image at a time, with what the files call them."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from napari_fada.exchange.frames import FrameRecords
from napari_fada.exchange.importing import ImportPlan
from napari_fada.vocabulary import vocabulary
from napari_fada.workstation.background import Background, Broken
from napari_fada.workstation.datasets.jobs import Picture, picture


class Preview(QWidget):
    """Shows what a plan holds, drawn on the scans. Pictures are drawn in a thread."""

    def __init__(self) -> None:
        super().__init__()
        self._plan: ImportPlan | None = None
        self._index = 0
        self._pixmap = QPixmap()
        self._work = Background(self._on_event, self._after)
        self._next: int | None = None
        self.destroyed.connect(self._work.close)
        self.picture = QLabel()
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setMinimumSize(QSize(300, 220))
        self.picture.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self.picture.setToolTip("Labels as they would come in, on their scan")
        self.caption = QLabel()
        self.caption.setWordWrap(True)
        self.caption.setTextFormat(Qt.TextFormat.RichText)
        self.place = QLabel()
        self.place.setAlignment(Qt.AlignmentFlag.AlignCenter)
        row = QHBoxLayout()
        self.buttons: dict[int, QToolButton] = {}
        for step, text, tip in ((-1, "◀", "The image before"), (1, "▶", "The next image")):
            button = QToolButton()
            button.setText(text)
            button.setToolTip(tip)
            button.setAccessibleName(tip)
            button.setAutoRepeat(True)
            button.clicked.connect(lambda _=False, step=step: self.go(self._index + step))
            self.buttons[step] = button
        row.addWidget(self.buttons[-1])
        row.addWidget(self.place, 1)
        row.addWidget(self.buttons[1])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.picture, 1)
        layout.addLayout(row)
        layout.addWidget(self.caption)
        self.hide()

    @property
    def running(self) -> bool:
        """Whether a picture is being drawn."""
        return self._work.running

    def look_at(self, plan: ImportPlan | None) -> None:
        """Show a plan from its first image that has labels; None: nothing."""
        if plan is None or not len(plan.items):
            self._plan, self._next = None, None
            self.hide()
            return
        self._plan = plan
        self.show()
        first = (i for i in range(min(len(plan.items), 50)) if plan.items[i].frame.annotations)
        self.go(next(first, 0))

    def go(self, index: int) -> None:
        """Show an image of the plan; the last that is asked for counts."""
        if self._plan is None:
            return
        self._index = index % len(self._plan.items)
        self.place.setText(f"{self._index + 1} of {len(self._plan.items)} images")
        if self._work.running:
            self._next = self._index
            return
        self._work.start(picture(self._plan.items[self._index]))

    def _after(self) -> None:
        wanted, self._next = self._next, None
        if wanted is not None:
            self.go(wanted)

    def _on_event(self, event: Picture | Broken) -> None:
        if self._plan is None:
            return
        if isinstance(event, Broken):
            self._pixmap = QPixmap()
            self.picture.setText(event.text)
            self.caption.clear()
            return
        height, width = event.pixels.shape[:2]
        data = event.pixels.tobytes()
        image = QImage(data, width, height, 3 * width, QImage.Format.Format_RGB888)
        self._pixmap = QPixmap.fromImage(image.copy())
        self.caption.setText(told(event.frame))
        self._fit()

    def _fit(self) -> None:
        if self._pixmap.isNull():
            return
        ratio = self.devicePixelRatioF()
        shown = self._pixmap.scaled(
            self.picture.size() * ratio,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        shown.setDevicePixelRatio(ratio)
        self.picture.setPixmap(shown)

    def resizeEvent(self, event: Any) -> None:  # noqa: N802
        """Fit the picture into its place."""
        super().resizeEvent(event)
        self._fit()


def told(frame: FrameRecords) -> str:
    """Return what comes in on an image, in rich text: name, classes, what the files call them."""
    known = vocabulary().by_name
    lines = [f"<b>{frame.image}</b>{f' · frame {frame.frame + 1}' if frame.frame else ''}"]
    values = {name: value for value, name in frame.said.items()}
    counts: dict[tuple[str, str], int] = {}
    for a in frame.annotations:
        key = (a.category, {"polygon": "outline", "box": "box"}.get(a.kind, a.kind))
        counts[key] = counts.get(key, 0) + 1
    for (name, kind), count in counts.items():
        colour = known[name].colour if name in known else "#b0b0b0"
        long = f" ({known[name].long_name})" if name in known else ""
        value = f"value {values[name]} → " if name in values else ""
        times = f", {count} ×" if count > 1 else ""
        lines.append(f'<span style="color:{colour}">■</span> {value}{name}{long}: {kind}{times}')
    if not counts:
        lines.append("nothing is labelled on it")
    if frame.view:
        lines.append(f"view {frame.view}")
    return "<br>".join(lines)
