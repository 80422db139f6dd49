"""Scans: open anything as frames, with its spacing and where that came from, and an identity.

A Scan knows its size, hash and header at once and decodes frames one at a time. Millimetres
are only given where the file states them.
"""

from napari_fada.listing import ScanProblem, iter_files
from napari_fada.scans.arrays import scan_from_array
from napari_fada.scans.opening import iter_scans, open_scan
from napari_fada.scans.scan import Frame, Identity, Region, Scan, Spacing
from napari_fada.scans.spacing import spacing_from_scale

__all__ = [
    "Frame",
    "Identity",
    "Region",
    "Scan",
    "ScanProblem",
    "Spacing",
    "iter_files",
    "iter_scans",
    "open_scan",
    "scan_from_array",
    "spacing_from_scale",
]
