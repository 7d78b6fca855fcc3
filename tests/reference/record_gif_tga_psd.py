#!/usr/bin/env python3
"""Makes small GIF, TGA and PSD files of every kind and records what Pillow makes of them.

tests/data/io/gif_tga_psd.csv, a line a file: its height and width, the CRC-32 of convert("L") and of
convert("RGB"), from how many bytes on Pillow reads it, and the file itself; for a file that is to be
refused, words of the reason instead (`says`). Pillow refuses those too, but for the ones made by
on_purpose(). Most files are made from the text of their format, since Pillow writes few kinds.
Pinned: Pillow 12.1.1, numpy 2.4.6.

    python3 tests/reference/record_gif_tga_psd.py --seed 1 > tests/data/io/gif_tga_psd.csv
"""
import argparse
import io
import struct
import zlib

import numpy
import PIL
from PIL import Image

HEIGHT, WIDTH = 5, 7
CARD = bytes([10, 20, 30, 200, 0, 0, 0, 200, 0, 255, 255, 255])  # four colours
RAMP = bytes(value for grey in range(4) for value in [grey] * 3)


def lzw(indices, bits, block=255, clear_first=True, clear_when_full=True, end=True):
    """The data of a GIF's frame: the size of its codes, blocks of packed codes, an empty block."""
    clear = 1 << bits
    value = filled = 0
    data = bytearray()

    def put(code, width):
        nonlocal value, filled
        value |= code << filled
        filled += width
        while filled >= 8:
            data.append(value & 255)
            value >>= 8
            filled -= 8

    table = {(i,): i for i in range(clear)}
    width, following = bits + 1, clear + 2
    if clear_first:
        put(clear, width)
    text = ()
    for index in indices:
        if text + (index,) in table:
            text += (index,)
            continue
        put(table[text], width)
        if following < 4096:
            table[text + (index,)] = following
            following += 1
            if following > 1 << width and width < 12:
                width += 1
        elif clear_when_full:
            put(clear, width)
            table = {(i,): i for i in range(clear)}
            width, following = bits + 1, clear + 2
        text = (index,)
    if text:
        put(table[text], width)
        if following < 4096 and following + 1 > 1 << width and width < 12:
            width += 1
    if end:
        put(clear + 1, width)
    if filled:
        data.append(value & 255)
    blocks = [bytes(data[i:i + block]) for i in range(0, len(data), block)]
    return bytes([bits]) + b"".join(bytes([len(one)]) + one for one in blocks) + b"\0"


def palette_bits(palette):
    return (len(palette) // 3).bit_length() - 2


def gif_start(screen, palette=b"", version=b"89a", background=0):
    flags = 0x80 | palette_bits(palette) if palette else 0
    return b"GIF" + version + struct.pack("<HHBBB", *screen, flags, background, 0) + palette


def gif_frame(place, data, palette=b"", interlaced=False):
    flags = 64 * interlaced | (0x80 | palette_bits(palette) if palette else 0)
    return b"," + struct.pack("<HHHHB", *place, flags) + palette + data


def graphic_control(transparent=None, flags=0):
    return (b"!\xf9\4" + bytes([flags | (transparent is not None), 0, 0, transparent or 0]) + b"\0")


def saved(image, **options):
    file = io.BytesIO()
    image.save(file, **options)
    return file.getvalue()


def gif_files(random):
    card = [1, 2, 3, 0, 1, 1]  # 3 x 2
    data = lzw(card, 2)
    whole = gif_frame((0, 0, 3, 2), data)
    start = gif_start((3, 2), CARD)
    for bits in range(1, 9):
        count = 1 << bits
        indices = random.integers(0, count, HEIGHT * WIDTH).tolist()
        palette = random.integers(0, 256, 3 * count, numpy.uint8).tobytes()
        yield f"gif of {count} colours", (gif_start((WIDTH, HEIGHT), palette) + gif_frame(
            (0, 0, WIDTH, HEIGHT), lzw(indices, max(bits, 2))) + b";")
    yield "gif of 1987", gif_start((3, 2), CARD, b"87a") + whole + b";"
    yield "gif without a palette", gif_start((3, 2)) + whole + b";"
    yield "gif with a palette of greys", gif_start((3, 2), RAMP) + whole + b";"
    yield "gif with a palette of greys in its frame", (
        gif_start((3, 2)) + gif_frame((0, 0, 3, 2), data, RAMP) + b";")
    yield "gif with a palette in its frame", (
        gif_start((3, 2)) + gif_frame((0, 0, 3, 2), data, CARD) + b";")
    yield "gif with two palettes", (
        gif_start((3, 2), CARD[::-1] * 2) + gif_frame((0, 0, 3, 2), data, CARD) + b";")
    yield "gif with a palette in its frame beside greys", (
        gif_start((3, 2), RAMP) + gif_frame((0, 0, 3, 2), data, CARD) + b";")
    beyond = gif_frame((0, 0, 3, 2), lzw([0, 3, 4, 9, 15, 1], 4))
    yield "gif with an index beyond the palette", gif_start((3, 2), CARD) + beyond + b";"
    yield "gif with an index beyond the greys", gif_start((3, 2), RAMP) + beyond + b";"

    logo = Image.new("P", (16, 16), 0)
    logo.putpalette([255, 255, 255, 220, 0, 0] + [0] * 762)
    logo.paste(1, (6, 6, 10, 10))
    yield "gif with transparent white", saved(logo, format="GIF", transparency=0)
    yield "gif with transparent grey", (
        gif_start((3, 2)) + graphic_control(2) + whole + b";")
    places = {"at its corner": (0, 0, 3, 2), "in the middle": (1, 2, 3, 2),
              "over its edge": (4, 3, 3, 2), "beside it": (9, 9, 3, 2)}
    for where, place in places.items():
        for kind, palette in [("colours", CARD), ("greys", b"")]:
            for name, control in [("", b""), (" transparent", graphic_control(2)),
                                  (" transparent beyond", graphic_control(77))]:
                yield f"gif of a{name} frame {where} on a screen of {kind}", (
                    gif_start((5, 4), palette, background=3) + control + gif_frame(place, data) + b";")
    yield "gif without a screen", gif_start((0, 0), CARD) + whole + b";"

    for height in [1, 2, 3, 4, 5, 6, 8, 9, 21]:
        indices = [row % 4 for row in range(height) for _ in range(2)]
        yield f"gif interlaced of {height} rows", (gif_start((2, height), CARD) + gif_frame(
            (0, 0, 2, height), lzw(indices, 2), interlaced=True) + b";")
    indices = random.integers(0, 4, 63).tolist()
    yield "gif interlaced in the middle of its screen", (gif_start((12, 11), CARD) + gif_frame(
        (2, 1, 7, 9), lzw(indices, 2), interlaced=True) + b";")

    loop = b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0"
    extensions = {
        "a comment": b"!\xfe\5hello\0", "an empty comment": b"!\xfe\0",
        "a comment of two blocks": b"!\xfe\1a\2bc\0", "a loop": loop,
        "a text": b"!\x01\x0c" + bytes(12) + b"\2hi\0", "an unknown extension": b"!\x77\1x\0",
        "all kinds of extensions": b"!\xfe\1a\0" + loop + graphic_control(1) + b"!\x77\1x\0",
        "two controls": graphic_control(1) + graphic_control(),
        "stray bytes": b"\0\0x"}
    for name, extension in extensions.items():
        yield f"gif after {name}", (gif_start((4, 2), CARD) + extension + whole + b";")
    yield "gif of two frames", start + whole + gif_frame((0, 0, 2, 1), lzw([2, 2], 2)) + b";"
    frames = [Image.fromarray(random.integers(0, 256, (6, 5), numpy.uint8)) for _ in range(2)]
    yield "gif of two frames by Pillow", saved(frames[0], format="GIF", save_all=True,
                                              append_images=frames[1:], disposal=2)
    photo = Image.fromarray(random.integers(0, 256, (21, 17, 3), numpy.uint8))
    yield "gif by Pillow", saved(photo.quantize(32), format="GIF")
    yield "gif without an end", start + whole
    yield "gif of too many pixels", start + gif_frame((0, 0, 3, 2), lzw(card * 3, 2)) + b";"
    yield "gif of one byte a block", start + gif_frame((0, 0, 3, 2), lzw(card, 2, 1)) + b";"
    yield "gif that does not clear first", (
        start + gif_frame((0, 0, 3, 2), lzw(card, 2, clear_first=False)) + b";")
    yield "gif without an end code", start + gif_frame((0, 0, 3, 2), lzw(card, 2, end=False)) + b";"
    yield "gif of codes of 0 bits", (  # clear, 0, 0, 0
        gif_start((3, 1), CARD) + gif_frame((0, 0, 3, 1), b"\0\1\x01\0") + b";")
    yield "gif of codes of 1 bit", (  # clear, 1, clear, 0
        gif_start((2, 1), CARD) + gif_frame((0, 0, 2, 1), b"\1\1\x26\0") + b";")
    for bits in [9, 10, 11]:
        indices = random.integers(0, 600, 1500).tolist() if bits > 9 else card * 20
        indices = [index % (1 << bits) for index in indices]
        yield f"gif of codes of {bits} bits", (gif_start((20, len(indices) // 20), CARD) + gif_frame(
            (0, 0, 20, len(indices) // 20), lzw(indices, bits)) + b";")
    yield "gif of one colour", (
        gif_start((90, 80), CARD) + gif_frame((0, 0, 90, 80), lzw([3] * 7200, 2)) + b";")
    noise = random.integers(0, 8, 110 * 120).tolist()
    for name, clear in [("cleared", True), ("kept", False)]:
        yield f"gif whose full table is {name}", (gif_start((120, 110), CARD[::-1] + CARD) + gif_frame(
            (0, 0, 120, 110), lzw(noise, 3, clear_when_full=clear)) + b";")


def refused_gif_files():
    data = lzw([1, 2, 3, 0, 1, 1], 2)
    start = gif_start((3, 2), CARD)
    whole = gif_frame((0, 0, 3, 2), data)
    yield "gif of a frame without columns", "without pixels", start + gif_frame((1, 0, 0, 2), data)
    yield "gif of a frame without rows", "without pixels", start + gif_frame((0, 0, 3, 0), data)
    yield "gif without a frame", "no frame", start + b"!\xfe\1a\0;"
    yield "gif of too few pixels", "ends early", start + gif_frame((0, 0, 3, 2), lzw([1, 2], 2)) + b";"
    yield "gif with an impossible code", "an impossible code", (
        start + gif_frame((0, 0, 3, 2), b"\2\2\xcc\x01\0") + b";")  # clear, 1, 7
    yield "gif with an impossible first code", "an impossible code", (
        start + gif_frame((0, 0, 3, 2), b"\2\2\x3c\x00\0") + b";")  # clear, 7
    yield "gif with an empty extension", "an empty extension", start + b"!\xf9\0" + whole + b";"
    yield "gif with a short control", "a short extension", start + b"!\xf9\3\1\0\0\0" + whole + b";"
    yield "gif with a loop without a number", "an extension that loops", (
        start + b"!\xff\x0bNETSCAPE2.0\0" + whole + b";")
    yield "gif of codes of 13 bits", "codes of too many bits", start + gif_frame((0, 0, 3, 2), b"\x0d" + data[1:])


def on_purpose_gif_files():
    data = lzw([1, 2, 3, 0, 1, 1], 2)
    yield "gif of a frame of no columns at 0", "without pixels", (
        gif_start((3, 2), CARD) + gif_frame((0, 0, 0, 2), data) + b";")
    yield "gif of greys beside colours", "greys beside a palette of colours", (
        gif_start((3, 2), CARD) + gif_frame((0, 0, 3, 2), data, RAMP) + b";")
    yield "gif of codes of 12 bits", "codes of too many bits", (
        gif_start((1, 1), CARD) + gif_frame((0, 0, 1, 1), lzw([1], 12)) + b";")


def tga(kind, bits, pixels, map_bits=0, colours=b"", size=(WIDTH, HEIGHT), flags=0x20, first=0,
        count=None, map_type=None, identity=b""):
    if count is None:
        count = len(colours) // max(1, (map_bits + 7) // 8)
    has_map = bool(colours) if map_type is None else map_type
    return struct.pack("<BBBHHBHHHHBB", len(identity), has_map, kind, first, count, map_bits, 0, 0,
                       *size, bits, flags) + identity + colours + pixels


def tga_runs(pixels, size, width):
    """Packets that end with their row: runs of equal pixels, the rest in packets of its own."""
    packed = b""
    for row in range(0, len(pixels), size * width):
        at, end = row, row + size * width
        while at < end:
            pixel = pixels[at:at + size]
            run = 1
            while run < 128 and at + run * size < end and pixels[at + run * size:][:size] == pixel:
                run += 1
            packed += bytes([0x7f + run if run > 1 else 0]) + pixel
            at += run * size
    return packed


def tga_files(random):
    few = random.integers(0, 256, 16 * 4, numpy.uint8).tobytes()
    kinds = {  # kind, bits, bits of a colour, colours
        "24-bit map": (1, 8, 24, few[:15]), "16-bit map": (1, 8, 16, few[:10]),
        "16 bits": (2, 16, 0, b""), "24 bits": (2, 24, 0, b""), "32 bits": (2, 32, 0, b""),
        "grey": (3, 8, 0, b""), "grey and alpha": (3, 16, 0, b"")}
    made = {}
    for name, (kind, bits, map_bits, colours) in kinds.items():
        size = bits // 8
        values = random.integers(0, 256, (6, size), numpy.uint8)
        if kind == 1:
            values = numpy.arange(6, dtype=numpy.uint8).reshape(6, 1)  # the last one is beyond the map
        pixels = values[random.integers(0, 6, HEIGHT * WIDTH)].tobytes()
        made[name] = pixels
        for corner, flags in [("bottom left", 0), ("bottom right", 0x10), ("top left", 0x20),
                              ("top right", 0x30)]:
            yield f"tga {name} from the {corner}", tga(kind, bits, pixels, map_bits, colours, flags=flags)
            yield f"tga {name} in runs from the {corner}", tga(
                kind | 8, bits, tga_runs(pixels, size, WIDTH), map_bits, colours, flags=flags)
    bit_rows = random.integers(0, 256, 2 * HEIGHT, numpy.uint8).tobytes()
    for flags in [0, 0x10, 0x20, 0x30]:
        yield f"tga 1 bit with flags {flags}", tga(3, 1, bit_rows, size=(11, HEIGHT), flags=flags)
    grey, mapped = made["grey"], made["24-bit map"]
    yield "tga with an identification", tga(3, 8, grey, identity=b"a name\0of any bytes")
    yield "tga with attribute bits", tga(2, 32, made["32 bits"], flags=0x28)
    yield "tga with its signature", tga(3, 8, grey) + bytes(8) + b"TRUEVISION-XFILE.\0"
    yield "tga with more than its pixels", tga(3, 8, grey + b"more")
    yield "tga with fields of a map without a map", tga(3, 8, grey, 99, first=7, count=9)
    yield "tga with a map from 2 on", tga(1, 8, mapped, 24, few[:9], first=2)
    yield "tga with a 16-bit map from 3 on", tga(1, 8, mapped, 16, few[:4], first=3)
    yield "tga with a map to the last index", tga(1, 8, bytes([253, 254, 255] * 5), 24, few[:6], (5, 3),
                                                  first=254)
    yield "tga with an empty map", tga(1, 8, mapped, 24, map_type=1)
    whole = few + few[:6]  # 70 bytes: two rows of 35 greys
    yield "tga of one packet for all rows", tga(11, 8, bytes([69]) + whole, size=(10, 7))
    yield "tga of a packet from the middle of a row", tga(
        11, 8, bytes([0x82, 7, 8]) + whole[:9] + bytes([0x81, 9, 0, 1, 3]) + whole[:4], size=(6, 3))
    yield "tga of a packet beyond the last row", tga(11, 8, bytes([9]) + whole[:10], size=(3, 3))
    yield "tga of 16 bits with a packet across rows", tga(10, 16, bytes([14]) + whole[:30], size=(5, 3))
    yield "tga of 32 bits with a packet across rows", tga(10, 32, bytes([14]) + few[:60], size=(3, 5))
    yield "tga of a map with a packet across rows", tga(9, 8, bytes([34]) + mapped, 24, few[:15])
    yield "tga of long runs", tga(11, 8, bytes([0xff, 3, 0xff, 4, 0xab, 5] * 2), size=(300, 2))
    photo = Image.fromarray(random.integers(0, 256, (6, 5, 3), numpy.uint8))
    yield "tga by Pillow", saved(photo, format="TGA")
    for mode in ["1", "L", "LA", "P", "RGB", "RGBA"]:
        image = photo.convert("L").convert("LA") if mode == "LA" else photo.convert(mode)
        if mode == "P":
            image = photo.quantize(16)
        yield f"tga {mode} by Pillow", saved(image, format="TGA", orientation=1)
        if mode != "1":
            yield f"tga {mode} in runs by Pillow", saved(image, format="TGA", compression="tga_rle")


def refused_tga_files(random):
    pixels = random.integers(0, 5, HEIGHT * WIDTH * 4, numpy.uint8).tobytes()
    few = bytes(range(64))
    yield "tga of 15 bits", "of 15-bit pixels", tga(2, 15, pixels)
    yield "tga of a map of 15 bits", "of 15-bit colours in a map", tga(1, 8, pixels, 15, few)
    yield "tga of a map of 32 bits", "of 32-bit colours in a map", tga(1, 8, pixels, 32, few)
    yield "tga of 257 colours", "of more than 256 colours", tga(1, 8, pixels, 24, bytes(3 * 257))
    yield "tga of a map beyond 256", "of more than 256 colours", tga(1, 8, pixels, 24, few[:6], first=255)
    yield "tga of indices of 16 bits", "of 16-bit pixels", tga(1, 16, pixels, 24, few[:48])
    yield "tga of true colours with a map", "with a colour map", tga(2, 24, pixels, 24, few[:48])
    yield "tga of a map without a map", "remove it", tga(1, 8, pixels, identity=b"a")
    yield "tga of a run across rows", "a run that continues in the next row", tga(
        11, 8, bytes([0x89, 3] * 4), size=(7, 5))
    yield "tga of a run beyond the last row", "a run that continues in the next row", tga(
        11, 8, bytes([0x86, 3] * 4 + [0x87, 3]), size=(7, 5))
    yield "tga of 1 bit in runs", "of 1-bit pixels in runs", tga(11, 1, pixels)
    yield "tga of type 32", "remove it", tga(32, 8, pixels, 24, few[:48])
    signature = bytes(8) + b"TRUEVISION-XFILE.\0"
    yield "tga of type 0 with its signature", "of type 0", tga(0, 8, b"") + signature
    yield "tga of type 33 with its signature", "of type 33", tga(33, 8, pixels, 24, few[:48]) + signature
    yield "tga of no columns", "no pixels", tga(3, 8, pixels, size=(0, 5)) + signature
    yield "tga of colours of 8 bits", "of 8-bit pixels", tga(2, 8, pixels) + signature


def on_purpose_tga_files(random):
    pixels = random.integers(0, 5, HEIGHT * WIDTH * 4, numpy.uint8).tobytes()
    signature = bytes(8) + b"TRUEVISION-XFILE.\0"
    yield "tga of greys with a map", "with a colour map", tga(3, 8, pixels, 24, bytes(range(48)))
    yield "tga of interleaved rows", "of interleaved rows", tga(3, 8, pixels, flags=0x60) + signature


def psd(mode, channels, data, packing=0, bits=8, size=(WIDTH, HEIGHT), colours=b"", resources=b"",
        layers=b"", version=1):
    parts = b"".join(struct.pack(">I", len(part)) + part for part in [colours, resources, layers])
    return (b"8BPS" + struct.pack(">H6xHIIHH", version, channels, size[1], size[0], bits, mode) + parts
            + struct.pack(">H", packing) + data)


def pack_row(row, style):
    """PackBits: the packets of one row."""
    if style == "literal":
        return bytes([len(row) - 1]) + row
    packed = b""
    at = 0
    while at < len(row):
        run = 1
        while run < 128 and at + run < len(row) and row[at + run] == row[at]:
            run += 1
        packed += bytes([257 - run, row[at]]) if run > 1 else bytes([0, row[at]])
        at += run
    if style == "idle":  # packets that say nothing
        return b"\x80" + packed + b"\x80\x80"
    if style == "too far":  # the last packet goes on behind the row
        return packed[:-2] + bytes([254, packed[-1]])
    return packed


def pack(data, style="runs", width=WIDTH):
    rows = [pack_row(data[i:i + width], style) for i in range(0, len(data), width)]
    rows[-1] = rows[-1].rstrip(b"\x80") if style == "idle" else rows[-1]  # Pillow would not need them
    return b"".join(struct.pack(">H", len(row)) for row in rows) + b"".join(rows)


def resource(name=b"", data=b"", kind=1000):
    packed = b"8BIM" + struct.pack(">HB", kind, len(name)) + name + b"\0" * (1 - len(name) % 2)
    return packed + struct.pack(">I", len(data)) + data + b"\0" * (len(data) % 2)


def psd_files(random):
    values = random.integers(0, 256, 6, numpy.uint8)
    planes = values[random.integers(0, 6, (6, HEIGHT * WIDTH))]
    colours = random.integers(0, 256, 768, numpy.uint8).tobytes()
    kinds = {  # mode, channels, colours
        "grey": (1, 1, b""), "duotone": (8, 1, b"some inks"), "indexed": (2, 1, colours),
        "rgb": (3, 3, b""), "rgb and alpha": (3, 4, b""), "cmyk": (4, 4, b"")}
    for name, (mode, channels, table) in kinds.items():
        data = planes[:channels].tobytes()
        yield f"psd {name}", psd(mode, channels, data, colours=table)
        for style in ["runs", "literal", "idle"]:
            yield f"psd {name} packed {style}", psd(mode, channels, pack(data, style), 1, colours=table)
    for name, mode, channels in [("grey and alpha", 1, 2), ("rgb and two more", 3, 5),
                                 ("cmyk and one more", 4, 5), ("indexed and one more", 2, 2),
                                 ("duotone and one more", 8, 2)]:
        yield f"psd {name}", psd(mode, channels, planes[:channels].tobytes(),
                                 colours=colours if mode == 2 else b"")
    grey = planes[0].tobytes()
    yield "psd packed too far", psd(1, 1, pack(grey, "too far"), 1)
    yield "psd of one pixel", psd(3, 3, b"abc", size=(1, 1))
    yield "psd with resources", psd(1, 1, grey, resources=resource() + resource(b"abc", b"12345")
                                    + resource(b"ab", b"1234"))
    yield "psd with layers", psd(1, 1, grey, layers=bytes(37))
    yield "psd with more than its pixels", psd(3, 3, planes[:4].tobytes())
    yield "psd wider than a packet", psd(1, 1, pack(bytes(300) + bytes([9]) * 300, "runs", 300), 1,
                                         size=(300, 2))


def refused_psd_files():
    data = bytes(range(200))
    for bits in [16, 32]:
        yield f"psd of {bits} bits", f"of {bits}-bit samples", psd(3, 3, data * 8, bits=bits)
    yield "psd of ZIP", "packed with ZIP", psd(1, 1, data, 2)
    yield "psd of predicted ZIP", "packed with ZIP", psd(1, 1, data, 3)
    yield "psd of packing 9", "its way of packing", psd(1, 1, data, 9)
    yield "psd of a large file", "PSB file", psd(1, 1, data, version=2)
    yield "psd of version 7", "its version", psd(1, 1, data, version=7)
    yield "psd of two channels of three", "too few channels", psd(3, 2, data)
    yield "psd of three channels of four", "too few channels", psd(4, 3, data)
    yield "psd of no channel", "too few channels", psd(1, 0, data)
    yield "psd without columns", "its size", psd(1, 1, data, size=(0, 5))
    yield "psd without rows", "its size", psd(1, 1, data, size=(5, 0))
    yield "psd of mode 6", "of colour mode 6", psd(6, 1, data)
    yield "psd of a row that is too short", "a row that is too short", psd(
        1, 1, struct.pack(">H", 3) * HEIGHT + b"\x02ab" * HEIGHT, 1)


def on_purpose_psd_files(random):
    planes = random.integers(0, 256, (5, HEIGHT * WIDTH), numpy.uint8)
    yield "psd of black and white", "of black and white", psd(0, 1, planes.tobytes(), bits=1)
    yield "psd of spot colours", "of spot colours", psd(7, 3, planes.tobytes())
    yield "psd of Lab", "of Lab colours", psd(9, 3, planes.tobytes())
    yield "psd indexed without a table", "its colour table", psd(2, 1, planes.tobytes())
    yield "psd indexed with a short table", "its colour table", psd(2, 1, planes.tobytes(),
                                                                     colours=bytes(765))
    for name, mode, channels in [("grey and alpha", 1, 2), ("rgb and two more", 3, 5),
                                 ("cmyk and one more", 4, 5)]:
        yield f"psd {name} packed", "of additional channels", psd(
            mode, channels, pack(planes[:channels].tobytes()), 1)
    grey = planes[0].tobytes()
    yield "psd with an uneven resource", "its image resources", psd(
        1, 1, grey + grey, resources=resource(b"", b"abc")[:-1])
    rows = [pack_row(grey[i:i + WIDTH], "runs") for i in range(0, len(grey), WIDTH)]
    lengths = [len(row) for row in rows]
    for name, says, step in [("long", "too short", 1), ("short", "too long", -1)]:
        uneven = lengths[:]
        uneven[0] += -step
        uneven[1] += step
        yield f"psd whose second row is said to be too {name}", says, psd(
            1, 1, b"".join(struct.pack(">H", n) for n in uneven) + b"".join(rows), 1)


def decoded(file, mode):
    """Pillow's pixels, or None if it refuses."""
    try:
        return Image.open(io.BytesIO(file)).convert(mode)
    except Exception:  # whatever it is called, it is no image
        return None


def needed(file, pixels):
    """How many bytes Pillow needs; with fewer it refuses, with more the pixels are the same."""
    length = len(file)
    while length > 0 and (cut := decoded(file[:length - 1], "RGB")) is not None:
        assert cut.tobytes() == pixels
        length -= 1
    assert all(decoded(file[:n], "RGB") is None for n in range(length))
    return length


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    seed = parser.parse_args().seed
    random = numpy.random.default_rng(seed)
    print(f"# Pillow {PIL.__version__}, record_gif_tga_psd.py --seed {seed}")
    print("name,height,width,grey,rgb,needed,says,file")
    for files in [gif_files(random), tga_files(random), psd_files(random)]:
        for name, file in files:
            grey, rgb = decoded(file, "L"), decoded(file, "RGB")
            assert grey is not None and rgb is not None, name
            crcs = ",".join(f"{zlib.crc32(image.tobytes()):08x}" for image in [grey, rgb])
            print(f"{name},{rgb.height},{rgb.width},{crcs},{needed(file, rgb.tobytes())},,{file.hex()}")
    for files in [refused_gif_files(), refused_tga_files(random), refused_psd_files()]:
        for name, says, file in files:
            assert decoded(file, "L") is None or decoded(file, "RGB") is None, name
            print(f"{name},0,0,0,0,0,{says},{file.hex()}")
    for files in [on_purpose_gif_files(), on_purpose_tga_files(random), on_purpose_psd_files(random)]:
        for name, says, file in files:
            print(f"{name},0,0,0,0,0,{says},{file.hex()}")


main()
