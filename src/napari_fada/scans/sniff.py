"""What a file is, by its first bytes. An extension is a claim, not a fact."""

from __future__ import annotations

from typing import Literal

Kind = Literal["still", "tiff", "dicom", "video"]

HEAD = 4096
"""Bytes that :func:`sniff` wants to see."""

_STARTS: tuple[tuple[bytes, Kind, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "still", "PNG"),
    (b"\xff\xd8\xff", "still", "JPEG"),
    (b"GIF87a", "still", "GIF"),
    (b"GIF89a", "still", "GIF"),
    (b"II*\0", "tiff", "TIFF"),
    (b"MM\0*", "tiff", "TIFF"),
    (b"II+\0", "tiff", "TIFF"),
    (b"MM\0+", "tiff", "TIFF"),
    (b"\x1aE\xdf\xa3", "video", "Matroska"),
    (b"\x00\x00\x01\xba", "video", "MPEG"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video", "WMV"),
)

_SUFFIXES = {
    "PNG": {".png", ".apng"},
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "GIF": {".gif"},
    "BMP": {".bmp", ".dib"},
    "WebP": {".webp"},
    "TIFF": {".tif", ".tiff", ".btf", ".tf8"},
    "DICOM": {".dcm", ".dicom", ".dic", ".ima"},
    "Matroska": {".mkv", ".webm", ".mka"},
    "MPEG": {".mpg", ".mpeg", ".vob"},
    "WMV": {".wmv", ".asf"},
    "MP4": {".mp4", ".m4v", ".mov", ".qt", ".3gp"},
    "AVI": {".avi"},
}
_CLAIMS = {suffix: name for name, suffixes in _SUFFIXES.items() for suffix in suffixes}

# Pictures and archives that are met beside scans and deserve their name in the message.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"SQLite format 3\0", "an SQLite database (a project file?)"),
    (b"GGUF", "a GGUF model"),
    (b"\x00\x00\x00\x0cjP  ", "a bare JPEG 2000 image"),
)

_VRS = set(
    b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN "
    b"UR US UT UV".split()
)


def sniff(head: bytes) -> tuple[Kind, str] | None:
    """Return the kind and name of a format from the first bytes of a file.

    Parameters
    ----------
    head : bytes
        The first :data:`HEAD` bytes, fewer if the file is shorter.
    """
    # First of all, as the free bytes before DICM may hold the header of a TIFF file.
    if head[128:132] == b"DICM":
        return "dicom", "DICOM"
    for start, kind, name in _STARTS:
        if head.startswith(start):
            return kind, name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "still", "WebP"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "video", "AVI"
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0" and 12 <= _little(head[14:18]) <= 124:
        return "still", "BMP"
    if head[4:8] in (b"moov", b"mdat", b"wide") or (
        head[4:8] == b"ftyp" and head[8:12] not in (b"heic", b"heix", b"mif1", b"avif", b"avis")
    ):
        return "video", "MP4"
    if _bare_dicom(head):
        return "dicom", "DICOM"
    return None


def describe(head: bytes) -> str:
    """Say in words what a file that is no scan seems to be."""
    for start, name in _OTHERS:
        if head.startswith(start):
            return name
    if head[4:8] == b"ftyp":
        return "a HEIC or AVIF photograph"
    if not head.strip(b"\0"):
        return "a file of zeros"
    printable = sum(byte >= 32 or byte in b"\t\n\r\f" for byte in head)
    if b"\0" not in head and printable > 0.97 * len(head):
        return "a text file"
    return "of an unknown kind"


def claimed(suffix: str) -> str | None:
    """Return the format that a file name's extension claims, None for an unknown one."""
    return _CLAIMS.get(suffix.lower())


def _little(value: bytes) -> int:
    return int.from_bytes(value, "little")


def _bare_dicom(head: bytes) -> bool:
    """Whether this looks like a data set without preamble: group 0002 or 0008 comes first."""
    if len(head) < 8:
        return False
    orders: tuple[Literal["little", "big"], ...] = ("little", "big")
    for order in orders:
        group, element = int.from_bytes(head[:2], order), int.from_bytes(head[2:4], order)
        if group not in (0x0002, 0x0008) or element > 0x0100:
            continue
        if head[4:6] in _VRS:
            return True
        # Implicit VR: a 32-bit length, even, of a short element.
        length = _little(head[4:8])
        if order == "little" and length % 2 == 0 and length <= 256 and (element or length == 4):
            return True
    return False
