"""What helps while a report is written: spelling and phrases, read in small portions.

Both are read when the report is first looked at, a portion for each turn of the event loop, so
that no key waits for them. The English words are read once for all windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import ClassVar

from psygnal import Signal
from qtpy.QtCore import QObject, QTimer

from napari_fada.errors import FadaError
from napari_fada.records.phrases import Offer, Phrases, past_texts
from napari_fada.records.project_settings import WORDS
from napari_fada.records.spelling import Speller, english_words
from napari_fada.vocabulary.phrases import curated_phrases, field_words
from napari_fada.workstation.session import Session
from napari_fada.workstation.settings import settings

PAUSE_MS = 5

_english: dict[str, int] = {}


class WritingAids(QObject):
    """Spelling and phrases of the session's project.

    Parameters
    ----------
    session : Session
        Whose project.
    parent : QObject
        When it goes, the reading ends.
    """

    changed: ClassVar[Signal] = Signal()

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self.problem = ""
        self.ready = False
        self._wanted = False
        self._timer = QTimer(self)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self._step)
        self._begin()
        session.project_changed.connect(self._on_project)

    def _begin(self) -> None:
        self.speller = Speller(field_words())
        self.phrases = Phrases(curated_phrases())
        self.ready = False
        self._reading = self._read()

    def want(self) -> None:
        """Begin to read, if that was not begun yet."""
        if not self._wanted:
            self._wanted = True
            self._session.project.setting_changed.connect(self._on_setting)
            self._timer.start()

    def _on_project(self) -> None:
        self._timer.stop()
        self._begin()
        if self._wanted:
            self._wanted = False
            self.want()

    def _step(self) -> None:
        try:
            next(self._reading)
        except StopIteration:
            self._timer.stop()
            self.ready = True
            self.changed.emit()
        except FadaError:  # the project is closed, or gone: what was read stands
            self._timer.stop()

    def _read(self) -> Iterator[None]:
        project = self._session.project
        self.speller.add(project.words())
        for texts in past_texts(project):
            self.phrases.learn(texts)
            yield
        self.speller.add(self.phrases.words())
        if not _english:
            found: dict[str, int] = {}
            try:
                for words in english_words():
                    found.update(words)
                    yield
            except OSError as error:
                self.problem = f"Spelling is off: {error}."
                return
            _english.update(found)
        self.speller.add_english(_english)

    def _on_setting(self, name: str) -> None:
        if name == WORDS:
            self.speller.add(self._session.project.words())
            self.changed.emit()

    @property
    def spelling_on(self) -> bool:
        """Whether words are to be marked now."""
        return settings().check_spelling and self.ready and not self.problem

    def offers(self, field: str, typed: str) -> list[Offer]:
        """Return phrases that continue what was typed, for the view that is shown."""
        if not settings().offer_phrases:
            return []
        return self.phrases.offers(field, self._session.report().view, typed)

    def learn_frame(self, sha256: str, frame: int) -> None:
        """Take up what was written on a frame, when a field of it was left."""
        spot = (sha256, frame)
        with suppress(FadaError):
            texts = [t for texts in past_texts(self._session.project, of=spot) for t in texts]
            self.phrases.learn_frame(spot, texts)

    def add_word(self, word: str) -> None:
        """Take a word as rightly spelt for everybody who works with this project."""
        try:
            self._session.project.add_word(word)
        except FadaError as error:
            self._session.say_error(error)
            return
        self._session.say(f"“{word}” is now among this project's words.")
