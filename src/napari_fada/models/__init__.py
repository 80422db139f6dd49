"""Model packs: where they are, whether they are whole, and how they become an engine."""

from napari_fada.models.catalogue import PackProblem, find_pack, iter_packs, list_packs
from napari_fada.models.loading import load_engine
from napari_fada.models.pack import Pack, PackFile, read_pack

__all__ = [
    "Pack",
    "PackFile",
    "PackProblem",
    "find_pack",
    "iter_packs",
    "list_packs",
    "load_engine",
    "read_pack",
]
