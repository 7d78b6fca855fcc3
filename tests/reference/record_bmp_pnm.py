#!/usr/bin/env python3
"""Writes BMP and PNM files of every kind that is read and records what Pillow makes of them.

tests/data/io/bmp_pnm/*, made from the formats' texts, since Pillow writes few of these, and
tests/data/io/bmp_pnm.csv: CRC-32 of open().convert(). Grey samples of more than 8 bits, which
Pillow clips, are NumPy's rint(value / maximum * 255).
Pinned: Pillow 12.1.1, numpy 2.4.6.

    python3 tests/reference/record_bmp_pnm.py --seed 1 tests/data/io
"""
import argparse
import pathlib
import struct
import zlib

import numpy
import PIL
from PIL import Image

HEIGHT, WIDTH = 9, 21
FORGOTTEN = -1  # the place of the pixels is that of the palette


def entries(colours, padding=b"\0"):
    return b"".join(bytes([blue, green, red]) + padding for red, green, blue in colours)


def greys(values):
    return [(v, v, v) for v in values]


def bits_rows(numbers, bits):
    """Rows of numbers of so many bits, the first in the high ones, each padded to 4 bytes."""
    rows = []
    for row in numbers:
        line = numpy.concatenate([[(v >> b) & 1 for b in range(bits - 1, -1, -1)] for v in row])
        rows.append(padded(numpy.packbits(line).tobytes()))
    return rows


def padded(row):
    return row + b"\0" * (-len(row) % 4)


def bmp(rows, bits, *, header=40, compression=0, palette=b"", colours=0, masks=(), gap=b"",
        place=None, top_down=False, runs=False, width=WIDTH):
    """The rows come from the top; runs are as they are."""
    height = len(rows) if not runs else HEIGHT
    data = rows if runs else b"".join(rows if top_down else rows[::-1])
    signed = -height if top_down else height
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, width, signed, 1, bits, compression, len(data),
                           2835, 2835, colours, 0)
        info += b"".join(struct.pack("<I", mask) for mask in masks)
        info += b"\0" * (header - len(info))
    end = 14 + len(info)
    body = info + palette + gap + data
    at = {None: 14 + len(body) - len(data), FORGOTTEN: end}.get(place, place)
    return b"BM" + struct.pack("<IHHI", 14 + len(body), 0, 0, at) + body


def run_rows(numbers, rle4, *, lists):
    """Runs of each row; where lists, stretches of unequal numbers are listed (an even count)."""
    data = b""
    step = 2 if rle4 else 1
    for row in numbers:
        x = 0
        while x < len(row):
            rest = list(row[x:])
            if lists and len(rest) >= 6 and len(set(rest[:6])) > 3:
                n = 6 if rle4 else 5
                packed = (bytes(a << 4 | b for a, b in zip(rest[0:n:2], rest[1:n:2])) if rle4
                          else bytes(int(v) for v in rest[:n]))
                data += bytes([0, n]) + packed + b"\0" * (len(packed) % 2)
                x += n
                continue
            n = 1
            while n < len(rest) and n < 255 and rest[n] == rest[n % step]:
                n += 1
            value = rest[0] << 4 | rest[min(1, len(rest) - 1)] if rle4 else rest[0]
            data += bytes([n, int(value)])
            x += n
        data += b"\0\0"
    return data[:-2] + b"\0\1"


def bmp_indexed(random):
    colours = [tuple(int(v) for v in c) for c in random.integers(0, 256, (256, 3))]
    two = random.integers(0, 2, (HEIGHT, WIDTH))
    sixteen = random.integers(0, 16, (HEIGHT, WIDTH))
    many = random.integers(0, 256, (HEIGHT, WIDTH))
    one, four, eight = bits_rows(two, 1), bits_rows(sixteen, 4), bits_rows(many, 8)
    few = bits_rows(random.integers(0, 7, (HEIGHT, WIDTH)), 8)
    white = greys([255, 0])
    yield "core1", bmp(one, 1, header=12, palette=entries(colours[:2], b""))
    yield "core4", bmp(four, 4, header=12, palette=entries(colours[:16], b""))
    yield "core8", bmp(eight, 8, header=12, palette=entries(colours, b""))
    yield "core8_short_palette", bmp(few, 8, header=12, palette=entries(colours[:7], b""))
    yield "1_black_white", bmp(one, 1, palette=entries(greys([0, 255])))
    yield "1_white_black", bmp(one, 1, palette=entries(white))
    yield "1_colours", bmp(one, 1, palette=entries(colours[:2]))
    yield "1_one_colour", bmp(one, 1, palette=entries(colours[:1]), colours=1)
    yield "4", bmp(four, 4, palette=entries(colours[:16]))
    yield "4_greys", bmp(four, 4, palette=entries(greys(range(0, 256, 17))))
    yield "4_five_colours", bmp(four, 4, palette=entries(colours[:5]), colours=5)
    yield "4_many_colours", bmp(four, 4, palette=entries(colours[:99]), colours=99)
    yield "8", bmp(eight, 8, palette=entries(colours))
    yield "8_reserved_not_zero", bmp(eight, 8, palette=entries(colours, b"\x80"))
    yield "8_ten_colours", bmp(eight, 8, palette=entries(colours[:10]), colours=10)
    yield "8_greys", bmp(eight, 8, palette=entries(greys(range(256))))
    yield "8_ten_greys", bmp(eight, 8, palette=entries(greys(range(10))), colours=10)
    yield "8_greys_down", bmp(eight, 8, palette=entries(greys(range(255, -1, -1))))
    yield "8_three_greys", bmp(eight, 8, palette=entries(greys([9, 99, 255])), colours=3)
    yield "8_palette_cut", bmp(few[:1], 8, palette=entries(colours[:7]))
    most = dict(palette=entries(colours[:200]), colours=200)
    yield "8_place_forgotten", bmp(eight, 8, place=FORGOTTEN, **most)
    yield "8_place_zero", bmp(eight, 8, place=0, **most)
    yield "8_gap", bmp(eight, 8, gap=b"\x55" * 33, **most)
    yield "8_top_down", bmp(eight, 8, palette=entries(colours), top_down=True)
    yield "1_top_down", bmp(one, 1, palette=entries(colours[:2]), top_down=True)
    for header in (52, 56, 64, 108, 124):
        yield f"8_header{header}", bmp(eight, 8, header=header, palette=entries(colours))


def bmp_runs(random):
    colours = [tuple(int(v) for v in c) for c in random.integers(0, 256, (256, 3))]
    flat = numpy.repeat(random.integers(0, 16, (HEIGHT, 7)), 3, axis=1)
    mixed = flat.copy()
    mixed[:, 3:13] = random.integers(0, 16, (HEIGHT, 10))
    for depth, rle4 in ((8, False), (4, True)):
        def made(data, palette=colours[:16], **more):
            return bmp(data, depth, compression=2 if rle4 else 1, palette=entries(palette),
                       colours=len(palette), runs=True, **more)
        yield f"rle{depth}", made(run_rows(flat, rle4, lists=False))
        yield f"rle{depth}_lists", made(run_rows(mixed, rle4, lists=True))
        yield f"rle{depth}_top_down", made(run_rows(mixed, rle4, lists=True), top_down=True)
        yield f"rle{depth}_greys", made(run_rows(mixed, rle4, lists=True), greys(range(16)))
        yield f"rle{depth}_beyond", made(run_rows(mixed, rle4, lists=True), colours[:9])
        yield f"rle{depth}_no_end", made(run_rows(mixed, rle4, lists=True)[:-2])
        short = b"".join(bytes([y + 3, 0x21, 0, 0]) for y in range(HEIGHT))
        yield f"rle{depth}_short_rows", made(short + b"\0\1")
        wide = b"".join(bytes([15, 0x21, y + 7, 0x35, 9, 7, 0, 0]) for y in range(HEIGHT))
        yield f"rle{depth}_over_the_edge", made(wide + b"\0\1")
        yield f"rle{depth}_header108", made(run_rows(mixed, rle4, lists=True), header=108)


def bmp_colours(random):
    pixels = random.integers(0, 256, (HEIGHT, WIDTH, 4), numpy.uint8)
    two, three, four = [[padded(row[:, :n].tobytes()) for row in pixels] for n in (2, 3, 4)]
    yield "core24", bmp(three, 24, header=12)
    for header in (40, 52, 56, 64, 108, 124):
        yield f"24_header{header}", bmp(three, 24, header=header)
    yield "24_top_down", bmp(three, 24, top_down=True)
    yield "24_gap", bmp(three, 24, gap=b"\x55\x55")
    yield "24_palette", bmp(three, 24, palette=entries(greys(range(20))), colours=20)
    yield "24_place_zero", bmp(three, 24, place=0)
    yield "24_last_row_not_padded", bmp(three, 24)[:-1]
    yield "24_bytes_behind", bmp(three, 24) + b"\x55" * 7
    yield "16", bmp(two, 16)
    yield "32", bmp(four, 32)
    yield "32_top_down", bmp(four, 32, top_down=True)
    red, green, blue, alpha = 0xFF0000, 0xFF00, 0xFF, 0xFF000000
    masks = {
        "bgrx": (red, green, blue), "xbgr": (alpha, red, green), "bgxr": (alpha, green, blue),
        "zero": (0, 0, 0), "bgra": (red, green, blue, alpha), "abgr": (alpha, red, green, blue),
        "rgba": (blue, green, red, alpha), "bgar": (alpha, green, blue, red),
    }
    for name, mask in masks.items():
        if len(mask) == 3:  # the first version of the header has its masks behind it
            behind = struct.pack("<III", *mask)
            yield f"32_{name}_header40", bmp(four, 32, compression=3, gap=behind)
            yield f"32_{name}_header52", bmp(four, 32, header=52, compression=3, masks=mask)
        for header in (56, 124):
            data = bmp(four, 32, header=header, compression=3, masks=mask)
            yield f"32_{name}_header{header}", data
    for name, mask in {"565": (0xF800, 0x7E0, 0x1F), "555": (0x7C00, 0x3E0, 0x1F)}.items():
        behind = struct.pack("<III", *mask)
        yield f"16_{name}_header40", bmp(two, 16, compression=3, gap=behind)
        data = bmp(two, 16, header=108, compression=3, masks=(*mask, 0x8000))
        yield f"16_{name}_header108", data
    yield "24_masks", bmp(three, 24, compression=3, gap=struct.pack("<III", red, green, blue))


def words(values, per_line=8):
    values = [b"%d" % v for v in numpy.asarray(values).flatten()]
    lines = [b" ".join(values[i:i + per_line]) for i in range(0, len(values), per_line)]
    return b"\n".join(lines) + b"\n"


def pnm(random):
    size = b"%d %d\n" % (WIDTH, HEIGHT)
    two = random.integers(0, 2, (HEIGHT, WIDTH))
    packed = numpy.packbits(two, axis=1).tobytes()
    yield "p1.pbm", b"P1\n" + size + words(two)
    digits = [b"%d" % v for v in two.flatten()]
    yield "p1_close.pbm", b"P1\n" + size + b"".join(digits)
    yield "p1_comments.pbm", b"P1 # 01\r" + size + b"# 0 1 1\n" + b"#\n".join(digits) + b"#"
    yield "p4.pbm", b"P4\n" + size + packed
    yield "p4_comment.pbm", b"P4\n# made\n" + size + packed
    for most in (1, 2, 10, 15, 100, 254, 255, 256, 1000, 1023, 4095, 65535):
        random_values = random.integers(0, most + 1, (HEIGHT, WIDTH, 3))
        random_values[0, 0] = [most, 0, most // 2]
        grey = random_values[:, :, 0]
        kind = ">u2" if most > 255 else "u1"
        maximum = b"%d\n" % most
        yield f"p2_{most}.pgm", b"P2\n" + size + maximum + words(grey)
        yield f"p3_{most}.ppm", b"P3\n" + size + maximum + words(random_values)
        yield f"p5_{most}.pgm", b"P5\n" + size + maximum + grey.astype(kind).tobytes()
        yield f"p6_{most}.ppm", b"P6\n" + size + maximum + random_values.astype(kind).tobytes()
    values = random.integers(0, 256, (HEIGHT, WIDTH, 3), numpy.uint8)
    raw = values.tobytes()
    yield "p6_comments.ppm", b"P6 # a\n#b\n%d#c\r\t%d # d\r\n#\n255#e\n " % (WIDTH, HEIGHT) + raw
    yield "p6_comment_in_number.ppm", b"P6\n%d 1#c\n0\n255\n" % WIDTH + raw + raw[:WIDTH * 3]
    yield "p6_spaces.ppm", b"P6\v\f %d\r\n\t %d  0000000255\r" % (WIDTH, HEIGHT) + raw
    yield "p6_bytes_behind.ppm", b"P6\n" + size + b"255\n" + raw + b"P6\n"
    commented = words(values).replace(b" ", b" # 7\n 0", 40)
    yield "p3_comments.ppm", b"P3\n" + size + b"255 #x\n" + commented
    yield "p2_no_line_end.pgm", b"P2\n" + size + b"255\n" + words(values[:, :, 1])[:-1]
    yield "p5_above_the_maximum.pgm", b"P5\n" + size + b"99\n" + values[:, :, 2].tobytes()
    wide = values.astype(">u2") * 8
    yield "p5_16_above_the_maximum.pgm", b"P5\n" + size + b"999\n" + wide[:, :, 2].tobytes()
    yield "p6_16_above_the_maximum.ppm", b"P6\n" + size + b"999\n" + wide.tobytes()


def deep_grey(file):
    """NumPy's scaling of a PGM of more than 8 bits, without comments; None for other files."""
    if file[:2] not in (b"P2", b"P5"):
        return None
    kind, width, height, most, _ = file.split(maxsplit=4)
    if not most.isdigit() or int(most) < 256:
        return None
    samples = file[file.index(most + b"\n") + len(most) + 1:]
    raw = kind == b"P5"
    values = numpy.frombuffer(samples, ">u2") if raw else numpy.array(samples.split(), int)
    scaled = numpy.rint(numpy.minimum(values, int(most)) / int(most) * 255)
    return Image.fromarray(scaled.astype(numpy.uint8).reshape(int(height), int(width)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    folder = arguments.folder / "bmp_pnm"
    folder.mkdir(parents=True, exist_ok=True)
    random = numpy.random.default_rng(arguments.seed)
    files = []
    for kind in (bmp_indexed, bmp_runs, bmp_colours):
        files += [(f"{name}.bmp", data) for name, data in kind(random)]
    files += pnm(random)
    lines = [f"# Pillow {PIL.__version__}, numpy {numpy.__version__}, record_bmp_pnm.py "
             f"--seed {arguments.seed}", "file,height,width,grey crc32,colour crc32"]
    for name, data in files:
        path = folder / name
        path.write_bytes(data)
        image = deep_grey(data) or Image.open(path)
        grey, colour = (zlib.crc32(image.convert(mode).tobytes()) for mode in ("L", "RGB"))
        lines.append(f"{name},{image.height},{image.width},{grey:08x},{colour:08x}")
    (arguments.folder / "bmp_pnm.csv").write_text("\n".join(lines) + "\n")


main()
