"""What the chosen model needs and whether it is loaded: in its tooltip and the status bar.

It is looked up when the pointer or the keys come to the list of models, in a thread: reading
the header of a large model takes a tenth of a second, and looking for graphics cards a whole one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from qtpy.QtCore import QEvent, QObject
from qtpy.QtCore import Signal as QtSignal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QComboBox

from napari_fada.workstation.background import Background, Broken
from napari_fada.workstation.engines import chosen_options
from napari_fada.workstation.runner import Runner
from napari_fada.workstation.settings import settings

TIP = "The model that reads the scan; it runs on this computer"


class ModelState(QObject):
    """Keeps the tooltip of a list of models up to date.

    Parameters
    ----------
    models : QComboBox
        The list; its data are names or paths of models.
    runner : Runner
        Whose engine is looked at.
    viewer : napari.Viewer
        Whose status bar tells of a model that was unloaded.
    """

    _unloaded = QtSignal(str, str)

    def __init__(self, models: QComboBox, runner: Runner, viewer: Any) -> None:
        super().__init__(models)
        self._models, self._runner, self._viewer = models, runner, viewer
        self._needs = ""
        self._background = Background(self._on_needs)
        self._unloaded.connect(self._on_unloaded)
        self.listen()
        models.installEventFilter(self)
        models.currentIndexChanged.connect(self._on_choice)
        settings().events.unload_minutes.connect(self._on_minutes)
        models.destroyed.connect(self._background.close)

    def listen(self) -> None:
        """Hear of it when the runner's engine is unloaded."""
        self._runner.engines.told = self._unloaded.emit

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Look anew when somebody comes to the list."""
        if event is not None and event.type() in (QEvent.Type.Enter, QEvent.Type.FocusIn):
            self.look()
        return bool(super().eventFilter(watched, event))

    def look(self) -> None:
        """Find out what the chosen model needs and what is free."""
        if self._background.running:
            return
        model, options = str(self._models.currentData() or ""), chosen_options()

        def work(_cancel: threading.Event) -> Iterator[tuple[str, str]]:
            yield model, _needs(model, options)

        self._background.start(work)

    def _on_needs(self, event: Any) -> None:
        if isinstance(event, Broken):
            self._needs = event.text
        elif event[0] == self._models.currentData():
            self._needs = event[1]
        self._show()

    def _on_choice(self, _index: int) -> None:
        self._needs = ""
        self._show()

    def _show(self) -> None:
        rest = self._runner.engines.rest(str(self._models.currentData() or ""))
        lines = (TIP, self._needs, rest and f"Now {rest}")
        self._models.setToolTip("\n".join(line for line in lines if line))

    def _on_unloaded(self, model: str, text: str) -> None:
        self._viewer.status = f"{model}: {text}"
        self._show()

    def _on_minutes(self, minutes: int) -> None:
        self._runner.engines.set_idle_minutes(minutes)


def _needs(model: str, options: dict[str, Any]) -> str:
    """Return what a model needs, what is free, and how it would be loaded."""
    from napari_fada.engines.hardware import memory
    from napari_fada.errors import ModelError
    from napari_fada.models import find_pack
    from napari_fada.models.fitting import Options, estimate
    from napari_fada.models.fitting_text import options_text

    try:
        pack = find_pack(model)
        need = estimate(pack, Options.of(options))
    except ModelError as error:
        return str(error)
    free = memory()
    sentence = need.sentence(free) + ("" if need.fits(free) else ": it does not fit")
    how = options_text(need).replace("; ", "\n")
    return f"{sentence[0].upper()}{sentence[1:]}\n{how}\nAsked with the prompts {pack.prompt_set}"
