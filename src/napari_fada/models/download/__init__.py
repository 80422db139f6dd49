"""Models from the network, only when the user asks for one (a command or a button says so).

What can be had stands in ``catalogue.toml``; reading it uses no network.
"""

from napari_fada.models.convert.children import Cancelled
from napari_fada.models.convert.events import Note, Packed, Step
from napari_fada.models.download.events import Checking, Event, Planned, Transfer, Waiting
from napari_fada.models.download.hub import hub
from napari_fada.models.download.job import download, left_over, work_folder
from napari_fada.models.download.offers import (
    Offer,
    OfferedFile,
    find_offer,
    read_catalogue,
    read_offers,
)
from napari_fada.models.download.transfer import Policy

__all__ = [
    "Cancelled",
    "Checking",
    "Event",
    "Note",
    "Offer",
    "OfferedFile",
    "Packed",
    "Planned",
    "Policy",
    "Step",
    "Transfer",
    "Waiting",
    "download",
    "find_offer",
    "hub",
    "left_over",
    "read_catalogue",
    "read_offers",
    "work_folder",
]
