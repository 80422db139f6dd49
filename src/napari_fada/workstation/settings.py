"""The user's settings: who works, with which project, and how the window behaves.

``settings()`` returns the one :class:`Settings` of this program. Its fields are read and written
like any others, and what is written is kept at once::

    settings().prepare_next                              # read
    settings().text_percent = 125                        # write; kept before the line ends
    settings().events.text_percent.connect(show_size)    # called with the new value

With napari 0.9 or newer they stand under *Preferences ▸ FADA annotate* (contribution
``configurations`` of the manifest, kept by napari), and a change made there arrives as the same
signal. With an older napari, or where that fails, they are kept in ``settings.json`` in the
user's configuration folder. A file that cannot be read gives the defaults, and ``problem`` says
so; a value that is not allowed raises ``ValueError`` and changes nothing.

A new setting: a field here with its ``title`` and ``tip``, and the same in ``napari.yaml`` (a
test compares the two). What the window only remembers, such as folds and the places of docks, is
no setting, nor is the theme: that is napari's own (*Preferences ▸ Appearance*). No Qt in here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Protocol

import platformdirs
from psygnal import SignalGroupDescriptor

PLUGIN = "napari-fada"
CATEGORY = "workstation"
MODES = ("autonomous", "step by step")


def _setting(default: Any, title: str, tip: str, **limits: Any) -> Any:
    return field(default=default, metadata={"title": title, "tip": tip, **limits})


@dataclass
class Settings:
    """What the user has set; ``events`` has a signal for each field, emitted after a change."""

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    rater: str = _setting("", "Rater", "Your name, kept with every edit")
    last_project: str = _setting("", "Last project", "Project file that is opened at the start")
    mode: str = _setting(
        MODES[0],
        "Mode",
        "Step by step: the model stops after each phase until you accept it",
        enum=MODES,
    )
    prepare_next: bool = _setting(
        True, "Prepare the next scan", "Read the next scan while you look at this one"
    )
    check_spelling: bool = _setting(
        True, "Check spelling", "Underline words of the report that are not known"
    )
    offer_phrases: bool = _setting(
        True, "Offer phrases", "Offer phrases while you write the report"
    )
    text_percent: int = _setting(
        100, "Text size (%)", "Size of our texts, in percent of napari's", minimum=75, maximum=200
    )
    unload_minutes: int = _setting(
        10,
        "Unload the model after (minutes)",
        "Its memory is given back when nothing was asked for so long; 0: never",
        minimum=0,
        maximum=1440,
    )
    threads: int = _setting(
        0,
        "Processor threads",
        "For the model, from its next run on; 0: as many as suit it",
        minimum=0,
        maximum=256,
    )
    gpu_layers: int = _setting(
        -1,
        "Layers on the graphics card",
        "Of the model, from its next run on; -1: all that fit, 0: none",
        minimum=-1,
        maximum=1000,
    )
    context_tokens: int = _setting(
        0,
        "Context (tokens)",
        "Of the model, from its next run on; 0: as many as the questions need",
        minimum=0,
        maximum=262144,
    )
    image_tokens: int = _setting(
        2048,
        "Largest image (tokens)",
        "A larger scan is reduced for the model; a token is 32 × 32 pixels",
        minimum=64,
        maximum=16384,
    )
    check_memory: bool = _setting(
        True, "Check memory", "Refuse a model that cannot fit into memory before it is loaded"
    )

    def __setattr__(self, name: str, value: Any) -> None:
        found = _FIELDS.get(name)
        if found is not None:
            _require_allowed(found, value)
        object.__setattr__(self, name, value)


_FIELDS = {f.name: f for f in fields(Settings)}


def _require_allowed(found: Any, value: Any) -> None:
    limits = found.metadata
    # type() and not isinstance(): True is an int in Python.
    wrong = type(value) is not type(found.default)
    wrong = wrong or ("enum" in limits and value not in limits["enum"])
    if wrong or not limits.get("minimum", value) <= value <= limits.get("maximum", value):
        raise ValueError(f"{limits['title']} cannot be {value!r}.")


class Keeper(Protocol):
    """Where the settings are kept between two starts."""

    def read(self) -> dict[str, Any]:
        """Return what is kept, by name."""
        ...

    def write(self, name: str, value: Any, everything: dict[str, Any]) -> None:
        """Keep a value."""
        ...

    def listen(self, changed: Callable[[str, Any], None]) -> None:
        """Call ``changed`` when a value is changed from elsewhere."""
        ...


class FileKeeper:
    """Keeps the settings in a JSON file of ours."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or settings_path()

    def read(self) -> dict[str, Any]:
        """Return what is kept, by name."""
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        if not isinstance(found, dict):
            raise ValueError("not an object")
        return found

    def write(self, _name: str, _value: Any, everything: dict[str, Any]) -> None:
        """Keep all values: the file is written beside its name and then gets it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        draft.write_text(json.dumps(everything, indent=1, ensure_ascii=False), encoding="utf-8")
        draft.replace(self.path)

    def listen(self, changed: Callable[[str, Any], None]) -> None:
        """Nobody else changes the file while the program runs."""


class NapariKeeper:
    """Keeps the settings where napari keeps those of plugins (0.9 and newer).

    Raises
    ------
    Exception
        Of whatever kind, if this napari has no settings for us.
    """

    def __init__(self) -> None:
        from napari.settings import get_plugin_settings

        self._found = getattr(get_plugin_settings(PLUGIN), CATEGORY)

    def read(self) -> dict[str, Any]:
        """Return what is kept, by name."""
        return {name: getattr(self._found, name) for name in _FIELDS}

    def write(self, name: str, value: Any, _everything: dict[str, Any]) -> None:
        """Keep a value."""
        setattr(self._found, name, value)

    def listen(self, changed: Callable[[str, Any], None]) -> None:
        """Hear what the user changes in napari's preferences."""
        for name in _FIELDS:
            emitter = getattr(self._found.events, name)
            emitter.connect(lambda event, name=name: changed(name, event.value))


def settings_path() -> Path:
    """Return the file of the settings where napari does not keep them."""
    folder = platformdirs.user_config_dir(PLUGIN, appauthor=False)
    return Path(folder) / "settings.json"


class SettingsStore:
    """Joins settings with the place where they are kept.

    Attributes
    ----------
    settings : Settings
        The values.
    problem : str
        What to tell the user about a file that could not be read or written; empty if all is
        well.
    """

    def __init__(self, keeper: Keeper) -> None:
        self.problem = ""
        self.settings = Settings()
        self._keeper = keeper
        for name, value in self._read().items():
            if name in _FIELDS:
                self._take(name, value)
        # psygnal holds methods weakly; whoever has the settings must have their keeper too.
        self.settings.events.connect(lambda emission: self._write(emission))
        keeper.listen(self._take)

    def _read(self) -> dict[str, Any]:
        try:
            return self._keeper.read()
        except (OSError, ValueError) as error:
            self.problem = (
                f"The settings cannot be read ({error}). The defaults are used; nothing of a "
                "project is touched. What you set now takes their place."
            )
            return {}

    def _take(self, name: str, value: Any) -> None:
        try:
            setattr(self.settings, name, value)
        except ValueError as error:
            self.problem = f"A setting is left out: {error} The default is used."

    def _write(self, emission: Any) -> None:
        name, value = emission.signal.name, emission.args[0]
        try:
            self._keeper.write(name, value, asdict(self.settings))
        except (OSError, ValueError) as error:
            self.problem = f"The settings cannot be kept ({error}); they hold until you close."


_store: SettingsStore | None = None


def settings_store() -> SettingsStore:
    """Return the settings of this program and what there is to say about them."""
    global _store
    if _store is None:
        keeper: Keeper = FileKeeper()
        # An older napari, a manifest it does not know yet, a damaged file of its: many errors.
        with suppress(Exception):
            keeper = NapariKeeper()
        _store = SettingsStore(keeper)
    return _store


def settings() -> Settings:
    """Return the settings of this program."""
    return settings_store().settings


def use_keeper(keeper: Keeper | None) -> None:
    """Keep settings elsewhere from now on (tests do); None: find the usual place again."""
    global _store
    _store = SettingsStore(keeper) if keeper is not None else None
