"""Does a file hold as many bytes as its own headers promise?

Decoders are lenient: what is left of a truncated WAV, MP4 or FLV often decodes to a shorter clip
without a word. The promise stands in the container's outermost sizes, which are read here and nothing
else.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

_UNKNOWN_SIZE = (0, 0xFFFFFFFF)  # left behind by recorders that write to a pipe
_ISO_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")
_EBML = b"\x1a\x45\xdf\xa3"
_FLV_HEADER = 9
_FLV_TAG = 11


class BrokenMediaError(Exception):
    """What is wrong with a file, as the second half of a sentence that begins with its path."""


def missing_bytes(handle: BinaryIO) -> int:
    """Return how many bytes a WAV, AVI, MP4/MOV, FLV or Matroska/WebM file lacks at its end.

    0 for a whole file, for other formats, and where the header leaves the size open.
    """
    size = handle.seek(0, 2)
    handle.seek(0)
    head = handle.read(12)
    if head[:4] == b"RIFF":
        end = _wave_end(handle, size) if head[8:] == b"WAVE" else _riff_end(head)
    elif head[4:8] in _ISO_BOXES:
        end = _iso_end(handle, size)
    elif head[:3] == b"FLV":
        end = _flv_end(handle, size)
    elif head[:4] == _EBML:
        end = _matroska_end(handle, size)
    else:
        end = 0
    handle.seek(0)
    return max(0, end - size)


def _riff_end(head: bytes) -> int:
    if len(head) < 8:  # cut off before its own length
        return 8
    (length,) = struct.unpack("<I", head[4:8])
    return 0 if length in _UNKNOWN_SIZE else 8 + int(length)


def _wave_end(handle: BinaryIO, size: int) -> int:
    """Return where the samples end; what follows them (tags) does not matter."""
    position = 12
    while position + 8 <= size:
        handle.seek(position)
        name, length = struct.unpack("<4sI", handle.read(8))
        if name == b"data":
            return 0 if length in _UNKNOWN_SIZE else position + 8 + int(length)
        position += 8 + length + length % 2
    return position


def _iso_end(handle: BinaryIO, size: int) -> int:
    """Return where the last top-level box ends (ISO/IEC 14496-12, 4.2)."""
    position = 0
    while position + 8 <= size:
        handle.seek(position)
        length = int.from_bytes(handle.read(4))
        if length == 0:  # up to the end of the file
            return size
        if length == 1:  # the size follows in 64 bits
            handle.seek(position + 8)
            length = int.from_bytes(handle.read(8))
        if length < 8:  # not a box: something was appended
            return size
        position += length
    return position


def _flv_end(handle: BinaryIO, size: int) -> int:
    """Return where the last tag ends (Adobe Flash Video File Format 10.1, annex E)."""
    position = _FLV_HEADER + 4
    while position + _FLV_TAG <= size:
        handle.seek(position + 1)
        position += _FLV_TAG + int.from_bytes(handle.read(3)) + 4
    return position


def _matroska_end(handle: BinaryIO, size: int) -> int:
    """Return where the segment ends, which follows the EBML header (RFC 8794, RFC 9559)."""
    handle.seek(len(_EBML))
    header = _ebml_size(handle)
    if header is None:
        return size
    handle.seek(header + 4, 1)
    segment = _ebml_size(handle)
    return size if segment is None else handle.tell() + segment


def _ebml_size(handle: BinaryIO) -> int | None:
    """Read a variable-length size; ``None`` when all its bits are ones, which means "unknown"."""
    first = handle.read(1)
    if not first or first[0] == 0:
        return None
    length = 9 - first[0].bit_length()
    value = int.from_bytes(first + handle.read(length - 1)) & ((1 << 7 * length) - 1)
    return None if value == (1 << 7 * length) - 1 else value
