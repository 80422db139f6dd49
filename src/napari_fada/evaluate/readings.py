"""What a model says of scans, kept in a folder so that it is asked once."""

from __future__ import annotations

from pathlib import Path

from napari_fada.engines.protocol import Engine
from napari_fada.exchange.reading_json import is_done, read_reading, reading_path, write_reading
from napari_fada.pipeline import PromptSet, read_frame
from napari_fada.records.reading import Reading
from napari_fada.scans import Scan


class Readings:
    """The readings of a model; a run that was stopped goes on from there.

    Parameters
    ----------
    engine : Engine
        The model.
    out_dir : Path
        Readings go into ``readings`` below it.
    prompts : PromptSet, optional
        Default: those that the model was trained with.
    """

    def __init__(self, engine: Engine, out_dir: Path, prompts: PromptSet | None = None) -> None:
        self._engine, self._folder = engine, out_dir / "readings"
        self._prompts = prompts or PromptSet.load(engine.info.model.prompt_set)

    def of(self, scan: Scan, name: str, frame: int = 0) -> Reading:
        """Return the reading of a frame, from before or made now.

        Parameters
        ----------
        name : str
            Of the file that keeps it, without its ending.

        Raises
        ------
        ScanError
            If the frame cannot be decoded.
        ExchangeError
            If the reading cannot be written.
        """
        path = reading_path(self._folder, name, scan.sha256)
        model = self._engine.info.model.sha256
        wanted = {"model_sha256": model, "prompt_hash": self._prompts.hash}
        if is_done(path, scan_sha256=scan.sha256, **wanted):
            return read_reading(path)
        reading = read_frame(self._engine, scan, frame, prompts=self._prompts)
        write_reading(path, reading)
        return reading
