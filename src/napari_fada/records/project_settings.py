"""Settings of a project: what its people agreed on, kept in the file they share.

A setting is a name and a value that JSON can hold. The latest row of a name counts; earlier ones
stay, with who set them and when.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple

from psygnal import Signal

from napari_fada.records.annotation import now
from napari_fada.records.project_history import ProjectHistory
from napari_fada.records.reading import INTERPRETATION_KEYS

REQUIRED = "required_fields"
WORDS = "words"

#: What may be required of a report: its eight fields, and the view.
REQUIRABLE: tuple[str, ...] = ("view", *INTERPRETATION_KEYS)


class SettingRow(NamedTuple):
    """One line of a setting's history; a value of None took it back to its default."""

    value: Any
    rater: str
    at: str


class ProjectSettings(ProjectHistory):
    """The part of a project that holds its settings."""

    setting_changed: ClassVar[Signal] = Signal(str)

    def setting(self, name: str, default: Any = None) -> Any:
        """Return the value of a setting."""
        rows = self.setting_history(name)
        return default if not rows or rows[-1].value is None else rows[-1].value

    def set_setting(self, name: str, value: Any) -> None:
        """Set a setting for everybody who works with this file; None: back to the default."""
        if self.setting(name) == value:
            return
        text = None if value is None else json.dumps(value, ensure_ascii=False)
        with self._store.write() as c:
            c.execute(
                "INSERT INTO settings (name, value, rater, at) VALUES (?, ?, ?, ?)",
                (name, text, self.rater, now()),
            )
        self.setting_changed.emit(name)

    def setting_history(self, name: str) -> list[SettingRow]:
        """Return who set a setting to what when, oldest first."""
        with self._store.read() as c:
            rows = c.execute(
                "SELECT value, rater, at FROM settings WHERE name = ? ORDER BY seq", (name,)
            ).fetchall()
        return [
            SettingRow(None if value is None else json.loads(value), rater, at)
            for value, rater, at in rows
        ]

    # Those that the program knows

    def required_fields(self) -> tuple[str, ...]:
        """Return what every accepted scan must have, in the order of the report."""
        found = self.setting(REQUIRED, [])
        return tuple(key for key in REQUIRABLE if key in found)

    def set_required_fields(self, keys: Iterable[str]) -> None:
        """Say what every accepted scan must have: names of fields, or ``view``.

        Raises
        ------
        KeyError
            If one is neither a field of the report nor the view.
        """
        wanted = set(keys)
        for key in wanted - set(REQUIRABLE):
            raise KeyError(key)
        self.set_setting(REQUIRED, [key for key in REQUIRABLE if key in wanted] or None)

    def words(self) -> tuple[str, ...]:
        """Return the words that people added to this project's spelling."""
        return tuple(self.setting(WORDS, []))

    def add_word(self, word: str) -> None:
        """Take a word as rightly spelt in this project."""
        known = self.words()
        if word not in known:
            self.set_setting(WORDS, [*known, word])
