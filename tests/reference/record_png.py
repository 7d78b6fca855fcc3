#!/usr/bin/env python3
"""Writes PNG files from the text of the format and records what they are to be read as.

tests/data/io/png/*.png and tests/data/io/png.csv. One row a file: what it holds, and
- `pillow`: CRC-32 of Pillow's open().convert() to RGB and L
- `numpy`: samples of 16 bits that Pillow clips, scaled by their maximum; within one level of NumPy's rounding
- `refused`: with words of the message; `pillow` says here what Pillow does with it
Pinned: Pillow 12.1.1, numpy 2.4.6. The order of filters and passes is W3C's "Portable Network Graphics".

    python3 tests/reference/record_png.py --seed 1 tests/data/io
"""
import argparse
import pathlib
import struct
import zlib

import numpy
import PIL
from PIL import Image

HEIGHT, WIDTH = 11, 13
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
DEPTHS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8), GREY_ALPHA: (8, 16), RGBA: (8, 16)}
NAMES = {GREY: "grey", RGB: "rgb", PALETTE: "palette", GREY_ALPHA: "grey_alpha", RGBA: "rgba"}
# first column, first row, step of columns, step of rows
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def part(kind, data=b""):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(depth, colour, interlace=0, width=WIDTH, height=HEIGHT, compression=0, filters=0):
    return part(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, compression, filters, interlace))


def file_of(*parts):
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + part(b"IEND")


def packed(samples, depth):
    """The bytes of a row: samples side by side, the first in the high bits."""
    if depth == 16:
        return samples.astype(">u2").tobytes()
    if depth == 8:
        return samples.astype(numpy.uint8).tobytes()
    bits = (samples.reshape(-1, 1) >> numpy.arange(depth - 1, -1, -1)) & 1
    return numpy.packbits(bits.astype(numpy.uint8).ravel()).tobytes()


def paeth(a, b, c):
    p = a + b - c
    distances = (abs(p - a), abs(p - b), abs(p - c))
    return (a, b, c)[distances.index(min(distances))]


def filtered(row, above, step, kind):
    out = bytearray([kind])
    for i, byte in enumerate(row):
        a = row[i - step] if i >= step else 0
        b = above[i]
        c = above[i - step] if i >= step else 0
        out.append((byte - (0, a, b, (a + b) // 2, paeth(a, b, c))[kind]) & 255)
    return bytes(out)


def unfiltered_rows(samples, depth):
    """samples: [height][width][channels]; each row with another filter."""
    height, width, channels = samples.shape
    step = max(1, channels * depth // 8)
    above = bytes((width * channels * depth + 7) // 8)
    out = b""
    for y in range(height):
        row = packed(samples[y].ravel(), depth)
        out += filtered(row, above, step, y % 5)
        above = row
    return out


def rows_of(samples, depth, interlace=0):
    if not interlace:
        return unfiltered_rows(samples, depth)
    parts = [samples[y::dy, x::dx] for x, y, dx, dy in PASSES]
    return b"".join(unfiltered_rows(p, depth) for p in parts if p.size)


def data(samples, depth, interlace=0):
    return part(b"IDAT", zlib.compress(rows_of(samples, depth, interlace), 9))


class Files:
    def __init__(self, seed):
        self.random = numpy.random.default_rng(seed)
        self.files = {}  # name: (bytes, words of a refusal)
        self.wide_grey = {}  # name: samples

    def samples(self, colour, depth, width=WIDTH, height=HEIGHT, below=None):
        return self.random.integers(0, below or 2**depth, (height, width, CHANNELS[colour]))

    def palette(self, colours):
        return part(b"PLTE", self.random.integers(0, 256, 3 * colours, numpy.uint8).tobytes())

    def read(self, name, *parts):
        self.files[name] = (file_of(*parts), "")

    def refused(self, name, words, *parts):
        self.files[name] = (file_of(*parts), words)


def add_every_kind(files):
    for colour, depths in DEPTHS.items():
        for depth in depths:
            for interlace in (0, 1):
                name = f"{NAMES[colour]}{depth}{'_interlaced' if interlace else ''}"
                samples = files.samples(colour, depth)
                palette = [files.palette(2**depth)] if colour == PALETTE else []
                files.read(name, header(depth, colour, interlace), *palette, data(samples, depth, interlace))
                if colour == GREY and depth == 16:
                    files.wide_grey[name] = samples
    for width, height in ((1, 1), (1, 5), (5, 1), (2, 3)):  # passes without a pixel
        for depth in (1, 8):
            samples = files.samples(PALETTE, depth, width, height)
            files.read(f"narrow_{width}x{height}_of_{depth}_bits", header(depth, PALETTE, 1, width, height),
                       files.palette(2**depth), data(samples, depth, 1))


def add_transparency(files):
    """tRNS in each kind that may have it: the value occurs among the pixels."""
    for depth in DEPTHS[GREY]:
        samples = files.samples(GREY, depth)
        key = part(b"tRNS", struct.pack(">H", samples[3, 4, 0]))
        files.read(f"grey{depth}_transparent", header(depth, GREY), key, data(samples, depth))
        if depth == 16:
            files.wide_grey["grey16_transparent"] = samples
    for depth in DEPTHS[RGB]:
        samples = files.samples(RGB, depth)
        key = part(b"tRNS", struct.pack(">HHH", *samples[3, 4].tolist()))
        files.read(f"rgb{depth}_transparent", header(depth, RGB), key, data(samples, depth))
    samples = files.samples(PALETTE, 4)
    alphas = files.random.integers(0, 256, 20, numpy.uint8).tobytes()
    for name, key in (("some", alphas[:5]), ("one", b"\xff\xff\0\xff"), ("all", alphas[:16]),
                      ("more_than_palette", alphas)):
        files.read(f"palette4_transparent_{name}", header(4, PALETTE), files.palette(16), part(b"tRNS", key),
                   data(samples, 4))
    files.read("palette4_transparent_before_palette", header(4, PALETTE), part(b"tRNS", alphas[:5]),
               files.palette(16), data(samples, 4))
    files.read("palette4_transparent_after_data", header(4, PALETTE), files.palette(16), data(samples, 4),
               part(b"tRNS", alphas[:5]))
    samples = files.samples(RGBA, 8)
    files.read("rgba8_transparent", header(8, RGBA), part(b"tRNS", alphas[:6]), data(samples, 8))


def add_palettes(files):
    for depth, colours in ((8, 10), (8, 1), (4, 3), (2, 2), (1, 1)):  # pixels name colours beyond them
        for interlace in (0, 1):
            name = f"palette{depth}_of_{colours}{'_interlaced' if interlace else ''}"
            samples = files.samples(PALETTE, depth)
            files.read(name, header(depth, PALETTE, interlace), files.palette(colours),
                       data(samples, depth, interlace))
    files.read("palette8_of_10_transparent", header(8, PALETTE), files.palette(10), part(b"tRNS", b"\0\x80"),
               data(files.samples(PALETTE, 8), 8))
    for depth, colours in ((1, 256), (2, 5), (4, 17)):
        files.read(f"palette{depth}_of_{colours}", header(depth, PALETTE), files.palette(colours),
                   data(files.samples(PALETTE, depth), depth))
    four, pixels = files.palette(4), data(files.samples(PALETTE, 2), 2)
    files.refused("palette_of_257", "its part PLTE", header(8, PALETTE), files.palette(257),
                  data(files.samples(PALETTE, 8), 8))
    files.refused("palette_of_no_colour", "its part PLTE", header(2, PALETTE), part(b"PLTE"), pixels)
    files.refused("palette_of_a_third", "its part PLTE", header(2, PALETTE), part(b"PLTE", bytes(10)), pixels)
    files.refused("palette_missing", "no PLTE", header(2, PALETTE), pixels)
    files.refused("palette_after_data", "PLTE comes after", header(2, PALETTE), pixels, four)
    files.refused("palette_twice", "two parts PLTE", header(2, PALETTE), four, files.palette(4), pixels)
    files.read("palette_in_rgb", header(8, RGB), four, data(files.samples(RGB, 8), 8))
    files.read("palette_of_300_in_rgb", header(8, RGB), files.palette(300), data(files.samples(RGB, 8), 8))
    files.read("palette_in_grey", header(8, GREY), four, data(files.samples(GREY, 8), 8))


def add_order(files):
    head, samples = header(8, RGB), files.samples(RGB, 8)
    rows = rows_of(samples, 8)
    packed_rows = zlib.compress(rows, 9)
    pixels = part(b"IDAT", packed_rows)
    pieces = [part(b"IDAT", packed_rows[at:at + 50]) for at in range(0, len(packed_rows), 50)]
    text = part(b"tEXt", b"Comment\0of no account")
    files.read("data_in_pieces", head, *pieces)
    files.read("data_in_pieces_of_a_palette", header(8, PALETTE), files.palette(256), *(
        part(b"IDAT", bytes([b])) for b in zlib.compress(rows_of(files.samples(PALETTE, 8), 8), 9)[:400]))
    files.read("data_of_no_length_first", head, part(b"IDAT"), pixels)
    files.read("data_of_no_length_last", head, pixels, part(b"IDAT"))
    files.read("data_of_no_length_between", head, pieces[0], part(b"IDAT"), *pieces[1:])
    files.read("bytes_behind_the_end", head, pixels, part(b"IEND"), b"and so on" * 9)
    files.read("more_rows_than_height", head, part(b"IDAT", zlib.compress(rows + rows)))
    files.read("text_behind_data", head, pixels, text)
    files.read("told_colours", head, part(b"gAMA", struct.pack(">I", 100000)), part(b"sBIT", b"\5\6\5"),
               part(b"cHRM", struct.pack(">8I", *range(30000, 38000, 1000))), part(b"sRGB", b"\0"),
               part(b"bKGD", struct.pack(">HHH", 1, 2, 3)), part(b"iCCP", b"x\0\0" + zlib.compress(b"none")), pixels)
    files.read("animation", head, part(b"acTL", struct.pack(">II", 2, 0)), frame(0), pixels, frame(1),
               part(b"fdAT", struct.pack(">I", 2) + zlib.compress(rows_of(files.samples(RGB, 8), 8))))
    files.read("animation_behind_its_image", head, part(b"acTL", struct.pack(">II", 1, 0)), pixels, frame(0),
               part(b"fdAT", struct.pack(">I", 1) + zlib.compress(rows_of(files.samples(RGB, 8), 8))))

    files.refused("data_in_two_places", "do not follow each other", head, pieces[0], text, *pieces[1:])
    files.refused("no_data", "no IDAT", head)
    files.refused("data_of_no_length", "damaged", head, part(b"IDAT"))
    files.refused("text_before_header", "begins with its part tEXt", text, head, pixels)
    files.refused("no_header", "begins with its part IDAT", pixels)
    files.refused("two_headers", "two parts IHDR", head, header(8, GREY), pixels)
    files.refused("unknown_part", "part ABCD", head, part(b"ABCD", b"?"), pixels)
    files.refused("unreadable_part", "the name of its part", head, part(b"AB\0D", b"?"), pixels)
    files.refused("animation_of_a_smaller_frame", "fcTL", head, part(b"acTL", struct.pack(">II", 1, 0)),
                  frame(0, WIDTH, HEIGHT - 1), pixels)
    apple, raw = part(b"CgBI", b"\x50\0\x20\2"), zlib.compress(rows_of(files.samples(RGBA, 8), 8), 9)[2:-4]
    files.refused("xcode", "Xcode", apple, header(8, RGBA), part(b"IDAT", raw))
    files.refused("xcode_told_late", "Xcode", header(8, RGBA), apple, part(b"IDAT", raw))
    files.refused("fewer_rows_than_height", "not enough pixels", head, part(b"IDAT", zlib.compress(rows[:-1])))
    files.refused("last_row_of_a_palette_missing", "not enough pixels", header(8, PALETTE), files.palette(256),
                  part(b"IDAT", zlib.compress(rows_of(files.samples(PALETTE, 8), 8)[:-1])))
    files.refused("filter_of_kind_5", "invalid filter", head, part(b"IDAT", zlib.compress(b"\5" + rows[1:])))
    files.files["end_missing"] = (file_of(head, pixels)[:-12], "ends early")
    files.files["header_alone"] = (file_of(head)[:33], "ends early")


def frame(number, width=WIDTH, height=HEIGHT):
    return part(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 1, 10, 0, 0))


def add_headers(files):
    def with_header(head):
        return head, data(files.samples(RGB, 8), 8)
    for width, height in ((0, 5), (5, 0), (2**31, 5), (5, 2**31), (2**32 - 1, 2**32 - 1)):
        files.refused(f"claims_{width}x{height}", "its header", *with_header(
            header(8, RGB, width=width, height=height)))
    for width, height in ((2**31 - 1, 1), (65000, 65000), (2**31 - 1, 2**31 - 1)):
        files.refused(f"claims_{width}x{height}", "pixels are more than", *with_header(
            header(8, RGB, width=width, height=height)))
    for depth, colour in ((4, RGB), (16, PALETTE), (4, GREY_ALPHA), (2, RGBA), (3, GREY), (0, GREY), (32, RGB),
                          (8, 1), (8, 5), (8, 7), (8, 255)):
        files.refused(f"colour_{colour}_of_{depth}_bits", "its header", *with_header(header(depth, colour)))
    files.refused("interlaced_in_way_2", "its header", *with_header(header(8, RGB, 2)))
    files.refused("packed_in_way_1", "its header", *with_header(header(8, RGB, compression=1)))
    files.refused("filtered_in_way_64", "its header", *with_header(header(8, RGB, filters=64)))
    whole = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    files.refused("header_of_12_bytes", "its header", *with_header(part(b"IHDR", whole[:-1])))
    files.refused("header_of_14_bytes", "its header", *with_header(part(b"IHDR", whole + b"\0")))


def crc_of(pixels):
    return f"{zlib.crc32(pixels.tobytes()):08x}"


def pillow(path):
    try:
        return [crc_of(numpy.asarray(Image.open(path).convert(mode))) for mode in ("RGB", "L")]
    except Exception as error:  # whatever Pillow throws, it has refused
        return type(error).__name__


def scaled(samples):
    """The high byte, which must be within one level of what rounding gives."""
    high = (samples[:, :, 0] >> 8).astype(numpy.uint8)
    exact = numpy.rint(samples[:, :, 0] * (255 / 65535))
    assert numpy.abs(high - exact).max() <= 1
    return [crc_of(numpy.stack([high] * 3, axis=2)), crc_of(high)]


def row_of(name, words, wide_grey, path):
    seen = pillow(path)
    if words:
        return f"{name},refused,{words},{seen if isinstance(seen, str) else 'read by Pillow'}"
    if name in wide_grey:
        return ",".join([name, "numpy", *scaled(wide_grey[name])])
    assert not isinstance(seen, str), f"{name}: {seen}"
    return ",".join([name, "pillow", *seen])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    Image.MAX_IMAGE_PIXELS = 100_000_000
    folder = arguments.folder / "png"
    folder.mkdir(parents=True, exist_ok=True)
    files = Files(arguments.seed)
    for add in (add_every_kind, add_transparency, add_palettes, add_order, add_headers):
        add(files)
    lines = [f"# Pillow {PIL.__version__}, numpy {numpy.__version__}, record_png.py --seed {arguments.seed}",
             "file,value from,RGB or words of the message,L or what Pillow does"]
    for name, (content, words) in sorted(files.files.items()):
        path = folder / f"{name}.png"
        path.write_bytes(content)
        lines.append(row_of(name, words, files.wide_grey, path))
    (arguments.folder / "png.csv").write_text("\n".join(lines) + "\n")


main()
