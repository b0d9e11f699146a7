"""Other formats, which must be refused without reaching their decoder, and files that are valid in two formats."""

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from . import encode
from .case import Case, Expected, cases_of
from .valid_files import valid_files

# Formats that Pillow writes, and reads unless `formats` is given.
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
    "one byte": b"\0",
    "MNG": b"\x8aMNG\r\n\x1a\n" + bytes(200),
    "RIFF, not WebP": b"RIFF" + struct.pack("<I", 1000) + b"AVI LIST" + bytes(1000),
    "GIF, unknown version": b"GIF90a" + bytes(200),
}


def cases() -> Iterator[Case]:
    jpeg, png, gif = (valid_files()[name] for name in ("JPEG", "PNG", "GIF"))
    icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 48, 48, 0, 0, 1, 32, len(png), 22) + png
    yield from cases_of("other formats", _written_by_pillow() | HEADS | {"ICO around PNG": icon}, Expected.REFUSAL)
    archive = _archive()
    must_answer = {
        "JPEG and ZIP": jpeg + archive,
        "PNG and JPEG": png + jpeg,
        "GIF and script": gif + b"/*<script>alert(1)</script>*/",
        "JPEG and script": encode.with_segments(jpeg, encode.segment(0xFE, b"*/=alert(1);/*")),
        "JPEG with EPS as EXIF": encode.with_segments(jpeg, encode.segment(0xE1, b"Exif\0\0" + HEADS["EPS"])),
    }
    yield from cases_of("two in one", must_answer, Expected.ANSWER)
    # BMP compressions 4 and 5 declare an embedded JPEG or PNG.
    must_refuse = {
        "PDF and JPEG": b"%PDF-1.7\n" + jpeg,
        "BMP around JPEG": encode.bmp(48, 48, 24, jpeg, compression=4),
        "BMP around PNG": encode.bmp(48, 48, 24, png, compression=5),
    }
    yield from cases_of("two in one", must_refuse, Expected.REFUSAL)


def _written_by_pillow() -> dict[str, bytes]:
    """Return a file in each of `WRITTEN` that this build of Pillow supports."""
    files = {}
    for name in WRITTEN:
        image = Image.new("1", (64, 64)) if name in ("XBM", "MSP") else encode.noise(64, 64)
        try:
            files[name] = encode.pillow(image, name)
        except (KeyError, OSError):
            continue
    return files


def _archive() -> bytes:
    name, content = b"a.txt", b"text"
    fields = struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 0, zlib.crc32(content), 4, 4, len(name), 0)
    return b"PK\3\4" + fields + name + content
