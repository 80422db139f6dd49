"""An engine in a child process: tokens stream back, and whatever happens there stays there."""

from napari_fada.engines.host.engine import HostedEngine
from napari_fada.engines.host.spec import Health, Rest, Spec

__all__ = ["Health", "HostedEngine", "Rest", "Spec"]
