"""Other formats under a wrong name, which must be refused and never reach a decoder of their own; two in one."""

import struct
import zlib
from collections.abc import Iterator
from functools import partial
from io import BytesIO

from PIL import Image

from . import Case, Expected
from . import encode as e
from .sample_per_kind import valid

# What Pillow can write, and reads if it is not told which formats are wanted.
WRITTEN = ("TIFF", "ICO", "ICNS", "PPM", "PCX", "TGA", "SGI", "MSP", "XBM", "DDS", "JPEG2000", "AVIF", "QOI")
HEADS = {
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n(x) (w) file pop quit\n%%EOF\n",
    "EPS, binary head": b"\xc5\xd0\xd3\xc6"
    + struct.pack("<6IH", 30, 100, 0, 0, 0, 0, 0xFFFF)
    + b"%!PS-Adobe-3.0 EPSF-3.0",
    "PostScript": b"%!PS-Adobe-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
    "PDF": b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>',
    "SVG, external entity": b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
    "HTML": b"<html><img src=x onerror=alert(1)></html>",
    "PSD": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 64, 64, 8, 3) + bytes(5000),
    "HEIC": struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic" + bytes(500),
    "JPEG XL": b"\xff\x0a" + bytes(200),
    "JPEG XL, container": struct.pack(">I", 12) + b"JXL \r\n\x87\n" + bytes(100),
    "JPEG 2000 codestream": b"\xff\x4f\xff\x51" + bytes(200),
    "FITS": b"SIMPLE  =                    T" + b" " * 2850,
    "FLI": struct.pack("<IHHHHHH", 2000, 0xAF11, 2**15, 320, 200, 8, 0) + bytes(2000),
    "WMF": b"\xd7\xcd\xc6\x9a\0\0" + bytes(200),
    "EMF": b"\1\0\0\0" + bytes(36) + b" EMF" + bytes(200),
    "CUR": b"\0\0\2\0\1\0" + bytes(200),
    "MPEG": b"\0\0\1\xb3" + bytes(200),
    "MP4": struct.pack(">I", 24) + b"ftypisom\0\0\2\0isomiso2" + bytes(200),
    "ZIP": b"PK\3\4" + bytes(200),
    "gzip": b"\x1f\x8b\x08\0" + bytes(200),
    "ELF": b"\x7fELF\2\1\1" + bytes(200),
    "pickle": b"\x80\4\x95" + bytes(200),
    "JSON": b'{"inputs": []}',
    "text": b"not an image",
    "zeros": bytes(1000),
    "FF": b"\xff" * 1000,
    "a byte": b"\0",
    "MNG": b"\x8aMNG\r\n\x1a\n" + bytes(200),
    "RIFF, no WebP": b"RIFF" + struct.pack("<I", 1000) + b"AVI LIST" + bytes(1000),
    "GIF of a later version": b"GIF90a" + bytes(200),
}


def cases(seed: int) -> Iterator[Case]:
    for kind in WRITTEN:
        if (content := _written(kind)) is not None:
            yield Case("other formats", kind, partial(bytes, content), Expected.REFUSAL)
    for name, head in HEADS.items():
        yield Case("other formats", name, partial(bytes, head), Expected.REFUSAL)
    jpeg, png, gif = (valid()[name] for name in ("JPEG", "PNG", "GIF"))
    archive = _archive()
    yield Case("two in one", "JPEG and ZIP", partial(bytes, jpeg + archive), Expected.ANSWER)
    yield Case("two in one", "PNG and JPEG", partial(bytes, png + jpeg), Expected.ANSWER)
    yield Case("two in one", "GIF and script", partial(bytes, gif + b"/*<script>alert(1)</script>*/"), Expected.ANSWER)
    yield Case("two in one", "PDF and JPEG", partial(bytes, b"%PDF-1.7\n" + jpeg), Expected.REFUSAL)
    script = e.segment(0xFE, b"*/=alert(1);/*")
    yield Case("two in one", "JPEG and script", partial(e.with_segments, jpeg, script), Expected.ANSWER)
    hidden = e.segment(0xE1, b"Exif\0\0" + HEADS["EPS"])
    yield Case("two in one", "JPEG with EPS for EXIF", partial(e.with_segments, jpeg, hidden), Expected.ANSWER)
    icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 48, 48, 0, 0, 1, 32, len(png), 22) + png
    yield Case("other formats", "ICO around PNG", partial(bytes, icon), Expected.REFUSAL)
    # BMP may declare that it holds a JPEG or PNG.
    for compression, inner in ((4, jpeg), (5, png)):
        yield Case(
            "two in one", f"BMP around {compression}", partial(e.bmp, 48, 48, 24, inner, compression), Expected.REFUSAL
        )


def _written(kind: str) -> bytes | None:
    """None where this Pillow cannot write it."""
    image = Image.new("1", (64, 64)) if kind in ("XBM", "MSP") else e.noise(64, 64)
    buffer = BytesIO()
    try:
        image.save(buffer, kind)
    except (KeyError, OSError):
        return None
    return buffer.getvalue()


def _archive() -> bytes:
    name, content = b"a.txt", b"text"
    fields = struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 0, zlib.crc32(content), 4, 4, len(name), 0)
    return b"PK\3\4" + fields + name + content
