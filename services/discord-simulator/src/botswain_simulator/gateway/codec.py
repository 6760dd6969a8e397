"""How frames go over the wire: JSON as text, or compressed (Discord docs: events/gateway, "Encoding and Compression").

A compressing connection has one context for its whole life; each message ends with a flush, so that the client can read
it at once.
"""

import zlib
from collections.abc import Callable

import zstandard

from botswain_simulator.gateway.codes import CloseCode, RefusedError

Encoder = Callable[[bytes], tuple[bytes, bool]]
"""JSON -> (what is sent, whether as a binary message)."""

PAYLOAD_COMPRESSION_FROM = 4096
"""With `compress: true` in IDENTIFY, frames from this size on (bytes) are compressed each on its own."""


def plain(frame: bytes) -> tuple[bytes, bool]:
    return frame, False


def payload_compression(frame: bytes) -> tuple[bytes, bool]:
    if len(frame) < PAYLOAD_COMPRESSION_FROM:
        return frame, False
    return zlib.compress(frame, 1), True


def zlib_stream() -> Encoder:
    stream = zlib.compressobj(1)

    def encode(frame: bytes) -> tuple[bytes, bool]:
        return stream.compress(frame) + stream.flush(zlib.Z_SYNC_FLUSH), True

    return encode


def zstd_stream() -> Encoder:
    stream = zstandard.ZstdCompressor(level=1).compressobj()

    def encode(frame: bytes) -> tuple[bytes, bool]:
        return stream.compress(frame) + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK), True

    return encode


def for_query(version: str | None, encoding: str | None, compress: str | None) -> Encoder:
    """The encoder a connection asked for in its URL. Raises RefusedError for what the simulator does not speak."""
    if version not in {None, "8", "9", "10"}:
        raise RefusedError(CloseCode.INVALID_API_VERSION, f"Invalid API version: v={version!r}. Use v=10.")
    if encoding not in {None, "json"}:
        # 4012 rather than 4002: clients reconnect for ever on the latter, and this can't mend itself.
        reason = f"encoding={encoding} is not spoken by the simulator. Use encoding=json."
        raise RefusedError(CloseCode.INVALID_API_VERSION, reason)
    match compress or None:
        case None:
            return plain
        case "zlib-stream":
            return zlib_stream()
        case "zstd-stream":
            return zstd_stream()
        case other:
            reason = f"compress={other} is not known. Use zlib-stream or zstd-stream."
            raise RefusedError(CloseCode.INVALID_API_VERSION, reason[:120])
