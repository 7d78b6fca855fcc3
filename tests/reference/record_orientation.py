#!/usr/bin/env python3
"""Writes small files that say how they are to be turned, and records what Pillow makes of them.

tests/data/io/orientation/* and tests/data/io/orientation.csv: the orientation that ImageOps.exif_transpose applies
(1 also where Pillow gives up on the metadata, which `pillow` then says), the size as shown, and the CRC-32 of
exif_transpose(image).convert("RGB"). Pillow applies that of a TIFF while it loads the pixels, so it is asked before.
Files are opened in memory: by its name, Pillow maps an uncompressed TIFF of one byte or four a pixel with height and
width changed already, and gives pixels in disorder for orientations 5 to 8.
Pinned: Pillow 12.1.1 (with libwebp 1.6.0 and libtiff 4.7.1), numpy 2.4.6.

    python3 tests/reference/record_orientation.py --seed 1 tests/data/io
"""
import argparse
import io
import pathlib
import struct
import warnings
import zlib

import numpy
import PIL
from PIL import Image, ImageOps

HEIGHT, WIDTH = 5, 8
BYTE, ASCII, SHORT, LONG, RATIONAL, SBYTE, UNDEFINED, SSHORT, SLONG, SRATIONAL, FLOAT, DOUBLE, IFD = range(1, 14)
LONG8 = 16
ORIENTATION, XMP = 274, 700
EXIF_HEAD, XMP_HEAD = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
# What Pillow does not read, though the format has it: the orientation, and a file of the same pixels.
BY_FORMAT = {"big_mm_6.tif": (6, "big_ii_6.tif"), "xmp_text.tif": (1, "xmp_short.tif")}


def entry(order, tag, kind, count, value):
    """12 bytes: `value` are the bytes inside, or the place of what lies outside."""
    value = struct.pack(order + "I", value) if isinstance(value, int) else value
    return struct.pack(order + "HHI", tag, kind, count) + value.ljust(4, b"\0")


def short(order, value, tag=ORIENTATION):
    return entry(order, tag, SHORT, 1, struct.pack(order + "H", value))


def block(order, entries, more=b"", first=8, magic=None):
    """EXIF without its head. `more` follows the directory, at 14 + 12 * entries."""
    magic = magic or (b"II*\0" if order == "<" else b"MM\0*")
    directory = struct.pack(order + "H", len(entries)) + b"".join(entries) + b"\0\0\0\0"
    return magic + struct.pack(order + "I", first) + directory + more


def simple(value, order="<"):
    return block(order, [short(order, value)])


def odd_blocks():
    """{name: EXIF without its head}"""
    model, outside = entry("<", 272, ASCII, 9, 26), entry("<", 272, ASCII, 9, 5000)
    six = short("<", 6)
    one = {"byte": (BYTE, b"\6"), "ascii": (ASCII, b"6\0"), "sbyte": (SBYTE, b"\6"), "undefined": (UNDEFINED, b"\6"),
           "sshort": (SSHORT, b"\6\0"), "slong": (SLONG, b"\6\0\0\0"), "long": (LONG, b"\6\0\0\0"),
           "ifd": (IFD, b"\6\0\0\0"), "float": (FLOAT, struct.pack("<f", 6)), "half": (FLOAT, struct.pack("<f", 6.5)),
           "negative": (SSHORT, b"\xfa\xff"), "long_65542": (LONG, struct.pack("<I", 65542)), "type_0": (0, b"\6"),
           "type_17": (17, b"\6"), "type_300": (300, b"\6")}
    for name, (kind, value) in one.items():
        count = 2 if kind == ASCII else 1
        yield name, block("<", [entry("<", ORIENTATION, kind, count, value)])
    eight = {"rational": (RATIONAL, struct.pack("<II", 12, 2)), "rational_part": (RATIONAL, struct.pack("<II", 13, 2)),
             "rational_none": (RATIONAL, struct.pack("<II", 6, 0)), "double": (DOUBLE, struct.pack("<d", 6)),
             "srational": (SRATIONAL, struct.pack("<ii", -6, -1)), "long8": (LONG8, struct.pack("<Q", 6)),
             "double_none": (DOUBLE, struct.pack("<d", float("nan"))), "float_two": (FLOAT, struct.pack("<ff", 6, 3))}
    for name, (kind, value) in eight.items():
        yield name, block("<", [entry("<", ORIENTATION, kind, 2 if name == "float_two" else 1, 26)], value)
    for value in (0, 9, 300):
        yield f"value_{value}", simple(value)
    yield "count_0", block("<", [entry("<", ORIENTATION, SHORT, 0, b"\6\0")])
    yield "count_2", block("<", [entry("<", ORIENTATION, SHORT, 2, b"\6\0\3\0")])
    yield "count_3", block("<", [entry("<", ORIENTATION, SHORT, 3, 26)], b"\6\0\3\0\1\0")
    yield "count_3_cut", block("<", [entry("<", ORIENTATION, SHORT, 3, 26)], b"\6\0\3\0")
    yield "count_most", block("<", [entry("<", ORIENTATION, SHORT, 2**32 - 1, 26)], b"\6\0\3\0")
    yield "count_most_rational", block("<", [entry("<", ORIENTATION, RATIONAL, 2**32 - 1, 2**32 - 1)])
    yield "twice", block("<", [short("<", 3), six])
    yield "twice_unknown", block("<", [short("<", 3), entry("<", ORIENTATION, 17, 1, b"\6")])
    yield "behind_another", block("<", [entry("<", 272, ASCII, 9, 38), six], b"Model X1\0")
    yield "behind_outside", block("<", [outside, six])
    yield "before_outside", block("<", [six, outside])
    yield "second_directory", block("<", [model], b"Model X1\0")[:22] + struct.pack("<I", 36) + b"Model X1\0\0" + \
        struct.pack("<H", 1) + six + b"\0\0\0\0"
    yield "entries_65535", simple(6)[:8] + b"\xff\xff" + six
    whole = simple(6)
    for length in (0, 3, 4, 7, 8, 9, 10, 21, 22):
        yield f"cut_{length}", whole[:length]
    yield "offset_0", block("<", [six], first=0)
    yield "offset_far", block("<", [six], first=5000)
    yield "offset_most", block("<", [six], first=2**32 - 1)
    yield "offset_later", b"II*\0" + struct.pack("<I", 20) + b"x" * 12 + whole[8:]
    yield "magic_mm_swapped", block(">", [short(">", 6)], magic=b"MM*\0")
    yield "magic_ii_swapped", block("<", [six], magic=b"II\0*")
    yield "magic_big_ii", b"II+\0\x08\0\0\0" + struct.pack("<QQHHQQ", 16, 1, ORIENTATION, SHORT, 1, 6)
    yield "magic_big_mm", block(">", [short(">", 6)], magic=b"MM\0+")
    yield "magic_none", block("<", [six], magic=b"XX*\0")
    yield "magic_mixed", block("<", [six], magic=b"IM*\0")
    yield "head_twice", EXIF_HEAD + EXIF_HEAD + whole


def xmp(text):
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description {text}</x:xmpmeta>'.encode()


def odd_xmp():
    yield "attribute", xmp('tiff:Orientation="6"/>')
    yield "element", xmp("><tiff:Orientation>8</tiff:Orientation>")
    yield "spaces", xmp('tiff:Orientation = "6"/>')
    yield "quote", xmp("tiff:Orientation='6'/>")
    yield "two_digits", xmp('tiff:Orientation="65"/>')
    yield "second", xmp('tiff:Orientation="x" tiff:Orientation= tiff:Orientation="3" tiff:Orientation="6"/>')
    yield "value_0", xmp('tiff:Orientation="0" tiff:Orientation="6"/>')
    yield "value_9", xmp('tiff:Orientation="9"/>')
    yield "ends", b'tiff:Orientation="'
    yield "ends_sooner", b"tiff:Orientation"
    yield "latin_1", xmp('tiff:Orientation="6"/>') + b"\xe9"


def jpeg_of(image, parts=(), head=True, **options):
    """`parts` are whole segments, or bytes, right behind the start or behind JFIF's segment."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=60, **options)
    whole = stream.getvalue()
    end = 2 + 2 + struct.unpack(">H", whole[4:6])[0] if whole[2:4] == b"\xff\xe0" else 2
    return (whole[:end] if head else whole[:2]) + b"".join(parts) + whole[end:]


def segment(data, marker=0xE1):
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def exif_part(data):
    return segment(EXIF_HEAD + data)


def xmp_part(data):
    return segment(XMP_HEAD + data)


def jpegs(rgb):
    def jpeg(*parts, **options):
        return jpeg_of(rgb, parts, **options)
    for value in range(1, 9):
        for name, order in (("ii", "<"), ("mm", ">")):
            yield f"{name}_{value}", jpeg(exif_part(simple(value, order)))
    for name, data in odd_blocks():
        yield name, jpeg(exif_part(data), head=False)
    six, six_xmp = simple(6), xmp('tiff:Orientation="6"/>')
    for name, data in odd_xmp():
        yield f"xmp_{name}", jpeg(xmp_part(data))
    yield "xmp_against_exif", jpeg(xmp_part(six_xmp), exif_part(simple(3)))
    yield "xmp_against_exif_1", jpeg(exif_part(simple(1)), xmp_part(six_xmp))
    yield "xmp_against_exif_0", jpeg(exif_part(simple(0)), xmp_part(six_xmp))
    yield "xmp_and_other_exif", jpeg(exif_part(block("<", [short("<", 1, 296)])), xmp_part(six_xmp))
    for name in ("byte", "type_17", "count_0", "count_3_cut", "cut_0", "cut_7", "cut_9", "offset_far", "magic_none",
                 "magic_big_ii"):
        yield f"xmp_and_{name}", jpeg(exif_part(dict(odd_blocks())[name]), xmp_part(six_xmp), head=name != "cut_7")
    yield "xmp_twice", jpeg(xmp_part(xmp('tiff:Orientation="3"/>')), xmp_part(six_xmp))
    yield "xmp_extended", jpeg(segment(b"http://ns.adobe.com/xmp/extension/\0" + bytes(40) + six_xmp))
    yield "parts_two", jpeg(exif_part(six[:17]), exif_part(six[17:]))
    yield "parts_three", jpeg(exif_part(six[:3]), xmp_part(b""), exif_part(six[3:9]), exif_part(six[9:]))
    yield "parts_empty_first", jpeg(exif_part(b""), exif_part(six))
    yield "parts_whole", jpeg(exif_part(simple(3)), exif_part(six))
    yield "parts_cut_first", jpeg(exif_part(simple(3)[:8]), exif_part(six))
    yield "parts_head_again", jpeg(exif_part(EXIF_HEAD[:4]), exif_part(EXIF_HEAD[4:] + six))
    yield "other_app", jpeg(segment(EXIF_HEAD + six, 0xE2))
    yield "other_name", jpeg(segment(b"EXIF\0\0" + six))
    yield "fill_bytes", jpeg(b"\xff\xff\xff", exif_part(six), b"\xff\xff")
    yield "restart_between", jpeg(b"\xff\xd0", exif_part(six))
    whole = jpeg()
    scan = whole.index(b"\xff\xda")
    yield "before_scan", whole[:scan] + exif_part(six) + whole[scan:]
    yield "behind_end", whole + exif_part(six)
    exif = EXIF_HEAD + six
    yield "grey", jpeg_of(rgb.convert("L"), exif=exif)
    yield "progressive", jpeg_of(rgb, exif=exif, progressive=True)
    yield "cmyk", jpeg_of(Image.merge("CMYK", [*rgb.split(), rgb.convert("L")]), exif=exif)
    stream = io.BytesIO()
    rgb.save(stream, "MPO", save_all=True, append_images=[rgb.rotate(180)], exif=exif, quality=60)
    yield "mpo", stream.getvalue()


def png_part(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(image, before=(), after=()):
    stream = io.BytesIO()
    image.save(stream, "PNG")
    whole = stream.getvalue()
    pixels, end = whole.index(b"IDAT") - 4, whole.index(b"IEND") - 4
    return whole[:pixels] + b"".join(before) + whole[pixels:end] + b"".join(after) + whole[end:]


def profile(data, head="\nexif\n      %d\n", width=72):
    digits = data.hex()
    return (head % len(data) + "".join(digits[i:i + width] + "\n" for i in range(0, len(digits), width))).encode()


def text(key, value):
    return png_part(b"tEXt", key + b"\0" + value)


def packed(key, value):
    return png_part(b"zTXt", key + b"\0\0" + value)


def international(key, value, is_packed=0, method=0, language=b"", translated=b""):
    return png_part(b"iTXt", key + bytes([0, is_packed, method]) + language + b"\0" + translated + b"\0" + value)


def pngs(rgb):
    six, three = simple(6), simple(3)
    six_xmp, three_xmp = xmp('tiff:Orientation="6"/>'), xmp('tiff:Orientation="3"/>')
    raw, adobe = b"Raw profile type exif", b"XML:com.adobe.xmp"
    exif = png_part(b"eXIf", six)
    full = profile(EXIF_HEAD + six)
    for value in range(1, 9):
        yield f"{value}", png(rgb, [png_part(b"eXIf", simple(value, ">"))])
    for name, image in {"grey": rgb.convert("L"), "palette": rgb.quantize(16), "bits": rgb.convert("1"),
                        "rgba": rgb.convert("RGBA")}.items():
        yield name, png(image, [exif])
    wide = Image.fromarray(numpy.asarray(rgb.convert("L")).astype(numpy.uint16) << 8)
    yield "head", png(rgb, [png_part(b"eXIf", EXIF_HEAD + six)])
    yield "empty", png(rgb, [png_part(b"eXIf", b""), international(adobe, six_xmp), text(raw, full)])
    yield "broken", png(rgb, [png_part(b"eXIf", b"II*"), international(adobe, six_xmp)])
    yield "after", png(rgb, after=[exif])
    yield "both", png(rgb, [png_part(b"eXIf", three)], [exif])
    both = {"raw_text": text(raw, full), "raw_packed": packed(raw, zlib.compress(full)),
            "raw_international": international(raw, full),
            "raw_international_packed": international(raw, zlib.compress(full), 1),
            "xmp": international(adobe, six_xmp), "xmp_packed": international(adobe, zlib.compress(six_xmp), 1)}
    for name, part in both.items():
        yield name, png(rgb, [part])
        yield name + "_after", png(rgb, after=[part])
    yield "raw_without_head", png(rgb, [text(raw, profile(six))])
    yield "raw_upper", png(rgb, [text(raw, full.upper())])
    yield "raw_lines_of_7", png(rgb, [text(raw, profile(EXIF_HEAD + six, width=7))])
    yield "raw_spaces", png(rgb, [text(raw, full.replace(b"49492a00", b" 49 49\t2a00\r"))])
    yield "raw_split_pair", png(rgb, [text(raw, full.replace(b"49492a00", b"4 9492a00"))])
    yield "raw_odd", png(rgb, [text(raw, full + b"0"), international(adobe, six_xmp)])
    yield "raw_not_hex", png(rgb, [text(raw, full + b"xx"), international(adobe, six_xmp)])
    yield "raw_two_lines", png(rgb, [text(raw, b"\nexif\n" + full[-60:].replace(b"\n", b"")),
                                     international(adobe, six_xmp)])
    yield "raw_alone", png(rgb, [png_part(b"tEXt", raw)])
    yield "raw_other", png(rgb, [text(b"Raw profile type APP1", full)])
    yield "raw_against_exif", png(rgb, [text(raw, full), png_part(b"eXIf", three)])
    yield "raw_cut_stream", png(rgb, [packed(raw, zlib.compress(full)[:-6])])
    yield "raw_early_stream", png(rgb, [packed(raw, zlib.compress(full, 0)[:40])])
    yield "raw_damaged_stream", png(rgb, [text(raw, full), packed(raw, zlib.compress(full)[:-1] + b"x")])
    yield "raw_no_stream", png(rgb, [packed(raw, b"no stream"), international(adobe, six_xmp)])
    yield "raw_empty_stream", png(rgb, [packed(raw, b""), international(adobe, six_xmp)])
    yield "raw_damaged_international", png(rgb, [text(raw, full), international(raw, b"no stream", 1)])
    yield "raw_unknown_method", png(rgb, [text(raw, full), international(raw, b"no stream", 1, 3)])
    yield "text_exif", png(rgb, [text(b"exif", six)])
    yield "text_exif_packed", png(rgb, [packed(b"exif", zlib.compress(six)), international(adobe, six_xmp)])
    yield "text_exif_empty", png(rgb, [packed(b"exif", b""), international(adobe, six_xmp)])
    for name, data in odd_xmp():
        yield f"xmp_{name}", png(rgb, [international(adobe, data)])
    yield "xmp_text", png(rgb, [text(adobe, six_xmp)])
    yield "xmp_zip", png(rgb, [packed(adobe, zlib.compress(six_xmp))])
    yield "xmp_word", png(rgb, [text(b"xmp", six_xmp)])
    yield "xmp_twice", png(rgb, [international(adobe, three_xmp), international(adobe, six_xmp)])
    yield "xmp_not_utf8", png(rgb, [international(adobe, three_xmp), international(adobe, six_xmp + b"\xff")])
    yield "xmp_language", png(rgb, [international(adobe, six_xmp, language=b"\xff")])
    yield "xmp_short", png(rgb, [png_part(b"iTXt", adobe + b"\0\0\0\0" + six_xmp)])
    yield "xmp_shorter", png(rgb, [png_part(b"iTXt", adobe + b"\0\0")])
    yield "xmp_empty_text", png(rgb, [international(adobe, six_xmp), text(adobe, b"")])
    yield "xmp_against_exif", png(rgb, [international(adobe, three_xmp), exif])
    yield "xmp_and_other_exif", png(rgb, [png_part(b"eXIf", block("<", [short("<", 1, 296)])),
                                          international(adobe, six_xmp)])
    yield "xmp_long", png(rgb, [international(adobe, zlib.compress(b" " * 900000 + six_xmp), 1)])
    yield "name_with_digit", png(rgb, after=[png_part(b"ab1d", b""), exif])
    yield "name_that_is_none", png(rgb, after=[png_part(b"a-bd", b""), exif])
    frames = {}
    for name, count in (("animation", 2), ("animation_of_1", 1)):
        head = png_part(b"acTL", struct.pack(">II", count, 0))
        frame = struct.pack(">IIIIHHBB", WIDTH, HEIGHT, 0, 0, 1, 10, 0, 0)
        data = zlib.compress(bytes((WIDTH * 3 + 1) * HEIGHT))
        next_frame = [png_part(b"fcTL", struct.pack(">I", 1) + frame), png_part(b"fdAT", struct.pack(">I", 2) + data)]
        frames[name] = png(rgb, [head, png_part(b"fcTL", struct.pack(">I", 0) + frame)], [*next_frame, exif])
        frames[name + "_early"] = png(rgb, [head, png_part(b"fcTL", struct.pack(">I", 0) + frame)], [exif, *next_frame])
    first = [png_part(b"fcTL", struct.pack(">I", 0) + frame), png_part(b"fdAT", struct.pack(">I", 1) + data)]
    frames["animation_behind_image"] = png(rgb, [png_part(b"acTL", struct.pack(">II", 1, 0))], [*first, exif])
    yield from frames.items()
    yield "deep", png(wide, [exif])


def webp_part(name, data):
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def webp(image, parts=(), flags=0, **options):
    stream = io.BytesIO()
    image.save(stream, "WEBP", **{"lossless": True, **options})
    pixels = stream.getvalue()[12:]
    if flags is not None:
        size = struct.pack("<I", WIDTH - 1)[:3] + struct.pack("<I", HEIGHT - 1)[:3]
        pixels = webp_part(b"VP8X", bytes([flags, 0, 0, 0]) + size) + pixels
    body = b"WEBP" + pixels + b"".join(webp_part(name, data) for name, data in parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webps(rgb):
    six, six_xmp = simple(6), xmp('tiff:Orientation="6"/>')
    for value in range(1, 9):
        yield f"{value}", webp(rgb, [(b"EXIF", simple(value))], 8)
    yield "head", webp(rgb, [(b"EXIF", EXIF_HEAD + six)], 8)
    yield "lossy", webp(rgb, [(b"EXIF", six)], 8, lossless=False)
    yield "without_flag", webp(rgb, [(b"EXIF", six)], 0)
    yield "without_canvas", webp(rgb, [(b"EXIF", six)], None)
    yield "twice", webp(rgb, [(b"EXIF", simple(3)), (b"EXIF", six)], 8)
    yield "empty", webp(rgb, [(b"EXIF", b""), (b"XMP ", six_xmp)], 12)
    yield "broken", webp(rgb, [(b"EXIF", b"II*"), (b"XMP ", six_xmp)], 12)
    yield "xmp", webp(rgb, [(b"XMP ", six_xmp)], 4)
    yield "xmp_first", webp(rgb, [(b"XMP ", six_xmp), (b"EXIF", simple(3))], 12)
    yield "xmp_without_flag", webp(rgb, [(b"XMP ", six_xmp)], 0)


def tiff(order, data, more=(), big=False, extra=b"", **tags):
    """RGB or grey of one strip without compression; `more` are (tag, type, count, bytes or place)."""
    start, wide = (16, LONG8) if big else (8, LONG)
    grey = len(data) == WIDTH * HEIGHT
    body = data + struct.pack(order + "3H", 8, 8, 8) + extra
    body += b"\0" * (len(body) % 2)
    bits = (258, SHORT, 1, 8) if grey else (258, SHORT, 3, start + len(data))
    if big and not grey:
        bits = (258, SHORT, 3, struct.pack(order + "3H", 8, 8, 8))
    entries = [(256, SHORT, 1, WIDTH), (257, SHORT, 1, HEIGHT), bits, (259, SHORT, 1, 1),
               (262, SHORT, 1, 1 if grey else 2), (273, wide, 1, start), (277, SHORT, 1, 1 if grey else 3),
               (278, SHORT, 1, HEIGHT), (279, wide, 1, len(data)), *more]
    directory = b""
    for tag, kind, count, value in sorted(entries, key=lambda e: e[0]):
        if isinstance(value, int):
            size = {BYTE: 1, ASCII: 1, UNDEFINED: 1, SHORT: 2, LONG: 4, LONG8: 8}[kind]
            is_outside = size * count > (8 if big else 4)
            letter = ("Q" if big else "I") if is_outside else {1: "B", 2: "H", 4: "I", 8: "Q"}[size]
            value = struct.pack(order + letter, value)
        directory += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, count) + value.ljust(8 if big else 4,
                                                                                                 b"\0")
    mark = b"II" if order == "<" else b"MM"
    place = start + len(body)
    head = mark + (struct.pack(order + "HHHQ", 43, 8, 0, place) if big else struct.pack(order + "HI", 42, place))
    count = struct.pack(order + ("Q" if big else "H"), len(entries))
    return head + body + count + directory + b"\0" * (8 if big else 4)


def tiffs(rgb):
    pixels, grey = rgb.tobytes(), rgb.convert("L").tobytes()
    six, after = (ORIENTATION, SHORT, 1, 6), 8 + len(pixels) + 6
    six_xmp = xmp('tiff:Orientation="6"/>')
    for value in range(1, 9):
        for name, order in (("ii", "<"), ("mm", ">")):
            yield f"{name}_{value}", tiff(order, pixels, [(ORIENTATION, SHORT, 1, value)])
        yield f"big_ii_{value}", tiff("<", pixels, [(ORIENTATION, SHORT, 1, value)], big=True)
    yield "big_mm_6", tiff(">", pixels, [six], big=True)
    for value in (2, 5, 6, 7, 8):
        yield f"grey_{value}", tiff(">", grey, [(ORIENTATION, SHORT, 1, value)])
    for name, extra in {"value_0": (SHORT, 1, 0), "value_9": (SHORT, 1, 9), "value_300": (SHORT, 1, 300),
                        "long": (LONG, 1, 6), "byte": (BYTE, 1, 6), "count_2": (SHORT, 2, b"\6\0\3\0"),
                        "count_0": (SHORT, 0, 6), "float": (FLOAT, 1, struct.pack("<f", 6))}.items():
        yield name, tiff("<", pixels, [(ORIENTATION, *extra)])
    yield "big_long8", tiff("<", pixels, [(ORIENTATION, LONG8, 1, 6)], big=True)
    yield "big_rational", tiff("<", pixels, [(ORIENTATION, RATIONAL, 1, struct.pack("<II", 12, 2))], big=True)
    size = len(six_xmp)
    yield "xmp", tiff("<", pixels, [(XMP, BYTE, size, after)], extra=six_xmp)
    yield "xmp_mm", tiff(">", pixels, [(XMP, BYTE, size, after)], extra=six_xmp)
    yield "xmp_undefined", tiff("<", pixels, [(XMP, UNDEFINED, size, after)], extra=six_xmp)
    yield "xmp_text", tiff("<", pixels, [(XMP, ASCII, size, after)], extra=six_xmp)
    yield "xmp_short", tiff("<", pixels, [(XMP, BYTE, 3, b"abc")])
    yield "xmp_against_tag", tiff("<", pixels, [(XMP, BYTE, size, after), (ORIENTATION, SHORT, 1, 3)], extra=six_xmp)
    yield "xmp_and_count_0", tiff("<", pixels, [(XMP, BYTE, size, after), (ORIENTATION, SHORT, 0, 6)], extra=six_xmp)
    for name, image, options in (("lzw", rgb, {"compression": "tiff_lzw"}), ("jpeg", rgb, {"compression": "jpeg"}),
                                 ("palette", rgb.quantize(16), {}), ("bits", rgb.convert("1"), {}),
                                 ("group4", rgb.convert("1"), {"compression": "group4"})):
        stream = io.BytesIO()
        image.save(stream, "TIFF", tiffinfo={ORIENTATION: 6}, **options)
        yield name, stream.getvalue()


def recorded(path):
    """orientation, what Pillow says of the metadata, the image in RGB as shown"""
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        is_tiff = image.format == "TIFF"
        if not is_tiff:
            image.load()
        try:
            value = image.getexif().get(ORIENTATION, 1)
        except Exception as error:  # of any kind
            return 1, type(error).__name__, image.convert("RGB")
        found = next((n for n in range(2, 9) if value == n), 1)
        image.load()
        return found, "", ImageOps.exif_transpose(image).convert("RGB")


def main():
    assert PIL.__version__ == "12.1.1" and numpy.__version__ == "2.4.6"
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    folder = arguments.folder / "orientation"
    folder.mkdir(exist_ok=True)
    random = numpy.random.default_rng(arguments.seed)
    rgb = Image.fromarray(random.integers(0, 256, (HEIGHT, WIDTH, 3), numpy.uint8))
    names = []
    for ending, files in (("jpg", jpegs(rgb)), ("png", pngs(rgb)), ("webp", webps(rgb)), ("tif", tiffs(rgb))):
        for name, content in files:
            names.append(f"{name}.{ending}")
            (folder / names[-1]).write_bytes(content)
    assert len(set(names)) == len(names)
    lines = [f"# tests/reference/record_orientation.py --seed {arguments.seed}, Pillow {PIL.__version__}",
             "file,orientation,height,width,crc32,pillow"]
    for name in names:
        value, word, image = recorded(folder / BY_FORMAT.get(name, (0, name))[1])
        if name in BY_FORMAT:
            assert BY_FORMAT[name][0] == value
            word = "unread"
        lines.append(f"{name},{value},{image.height},{image.width},{zlib.crc32(image.tobytes()):08x},{word}")
    (arguments.folder / "orientation.csv").write_text("\n".join(lines) + "\n")


main()
