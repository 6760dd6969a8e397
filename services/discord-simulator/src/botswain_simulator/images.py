"""Pictures: the size of uploaded ones, and made-up avatars and icons, so that nothing has to be fetched from
elsewhere.
"""

import hashlib
import struct
import zlib


def dimensions(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG, GIF or JPEG; None for anything else."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if data[:4] == b"GIF8" and len(data) >= 10:
        width, height = struct.unpack("<HH", data[6:10])
        return width, height
    return _jpeg_dimensions(data) if data[:2] == b"\xff\xd8" else None


def _jpeg_dimensions(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            return int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
        at += 2 + length
    return None


def identicon(seed: str, size: int = 80) -> bytes:
    """A PNG for whoever has no picture: a symmetric pattern in one colour, always the same for the same seed."""
    digest = hashlib.sha256(seed.encode()).digest()
    colour = bytes(80 + value % 120 for value in digest[:3])
    cells = [[bool(digest[3 + y * 3 + min(x, 4 - x)] & 1) for x in range(5)] for y in range(5)]
    margin = size // 10
    cell = (size - 2 * margin) // 5
    rows = bytearray()
    for y in range(size):
        rows.append(0)
        for x in range(size):
            column, line = (x - margin) // cell, (y - margin) // cell
            inside = 0 <= column < 5 and 0 <= line < 5 and x >= margin and y >= margin and cells[line][column]
            rows += b"\xff\xff\xff" if inside else colour
    return _png(size, bytes(rows))


def _png(size: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
