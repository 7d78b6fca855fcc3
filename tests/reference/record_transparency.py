#!/usr/bin/env python3
"""Writes small files with transparency and records what they show on two colours.

tests/data/io/transparency/* holds kinds that the other folders lack; of those, which are to be there already, all
files are recorded too: bmp_pnm.csv, png.csv, webp_tiff.csv, gif_tga_psd.csv. tests/data/io/transparency.csv:
- file: a path, or "gif_tga_psd.csv NAME" for a row of that table
- from: `pillow`: alpha_composite(new("RGBA", size, colour), open(file).convert("RGBA")).convert("RGB") of PIL.Image;
  `format`: made from the samples by the text of the format, where Pillow gives something else: it compares a
  transparent colour of 2, 4 or 16 bits with samples that it has scaled or cut; `refused`
- alpha: 1 where Pillow has an alpha channel or a transparent colour
- white, blue: CRC-32 of the pixels on #ffffff and on #123456; of a refused file, words of the message
Left out: grey of more than 8 bits without alpha, which Pillow clips, and PNG files of other folders with a transparent
colour of other than 8 bits, since the samples are not known here.
Pinned: Pillow 12.1.1, numpy 2.4.6.

    python3 tests/reference/record_transparency.py --seed 1 tests/data/io
"""
import argparse
import csv
import io
import pathlib
import struct
import warnings
import zlib

import numpy
import PIL
from PIL import Image

HEIGHT, WIDTH = 6, 9
BACKGROUNDS = ("#ffffff", "#123456")
GREY, RGB, PALETTE = 0, 2, 3
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def png_part(kind, data=b""):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_rows(samples, depth):
    rows = b""
    for row in samples.reshape(len(samples), -1):
        bits = (row.reshape(-1, 1) >> numpy.arange(depth - 1, -1, -1)) & 1
        rows += b"\0" + numpy.packbits(bits.astype(numpy.uint8).ravel()).tobytes()
    return rows


def png(samples, depth, colour, *parts, interlaced=False):
    """samples: [height][width][channels]"""
    height, width = samples.shape[:2]
    stored = ([samples[y::dy, x::dx] for x, y, dx, dy in PASSES] if interlaced else [samples])
    rows = b"".join(png_rows(part, depth) for part in stored if part.size)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return (b"\x89PNG\r\n\x1a\n" + png_part(b"IHDR", header) + b"".join(parts) + png_part(b"IDAT", zlib.compress(rows))
            + png_part(b"IEND"))


def shown(samples, depth, key):
    """RGBA by the text of the format: samples of 8 bits, and alpha 0 where all are those of the key."""
    alpha = numpy.where((samples == numpy.array(key)).all(axis=2, keepdims=True), 0, 255)
    eight = samples >> 8 if depth == 16 else samples * (255 // (2**depth - 1))
    colours = numpy.broadcast_to(eight, eight.shape[:2] + (3,))
    return Image.fromarray(numpy.concatenate([colours, alpha], axis=2).astype(numpy.uint8), "RGBA")


def keyed_png(random):
    """Few samples, so that the key is met often, beside those that are the key's in one byte only."""
    for colour, depth in [(GREY, 1), (GREY, 2), (GREY, 4), (GREY, 8), (GREY, 16), (RGB, 8), (RGB, 16)]:
        channels = 1 if colour == GREY else 3
        most = 2**depth - 1
        keys = sorted({0, 1, most // 2, most - 1, most} if colour == GREY else {0, most // 2 + 7, most})
        for key in keys:
            near = [key, key, key ^ 1] + ([key ^ 0x100, key ^ 0x8000] if depth == 16 else [])
            samples = random.choice(numpy.array(near), (HEIGHT, WIDTH, channels))
            samples[:, ::3] = key
            samples[::5, 1::3] = random.integers(0, most + 1, samples[::5, 1::3].shape)
            kinds = [("", 0, False), ("_interlaced", 0, True)]
            if depth < 16:  # bits that the samples do not have, which decoders must mask
                kinds.append(("_beyond", ~most & 0xffff, False))
            for kind, beyond, interlaced in kinds:
                part = png_part(b"tRNS", struct.pack(">H", key | beyond) * channels)
                file = png(samples, depth, colour, part, interlaced=interlaced)
                name = "grey" if colour == GREY else "rgb"
                yield f"{name}{depth}_key{key}{kind}.png", file, shown(samples, depth, key)


def palette_png(random):
    for depth in (1, 2, 4, 8):
        count = 2**depth
        colours = png_part(b"PLTE", random.integers(0, 256, 3 * count, numpy.uint8).tobytes())
        alphas = random.integers(0, 256, count, numpy.uint8).tobytes()
        samples = random.integers(0, count, (HEIGHT, WIDTH, 1))
        for name, values in [("all", alphas), ("first", b"\0"), ("none", b""), ("opaque", b"\xff" * count)]:
            for interlaced in (False, True):
                yield f"palette{depth}_{name}{'_interlaced' * interlaced}.png", png(
                    samples, depth, PALETTE, colours, png_part(b"tRNS", values), interlaced=interlaced)
    few = png_part(b"PLTE", random.integers(0, 256, 9, numpy.uint8).tobytes())
    samples = random.integers(0, 8, (HEIGHT, WIDTH, 1))
    yield "palette_index_beyond.png", png(samples, 8, PALETTE, few, png_part(b"tRNS", b"\x80\x40\x20"))
    yield "palette_alpha_beyond.png", png(samples, 8, PALETTE, few, png_part(b"tRNS", bytes(range(40, 240, 20))))
    rgba = random.integers(0, 256, (HEIGHT, WIDTH, 4))
    yield "rgba_with_key.png", png(rgba, 8, 6, png_part(b"tRNS", bytes(6)))  # forbidden, and without a meaning


def refused_png(random):
    grey, indices = (random.integers(0, 4, (HEIGHT, WIDTH, 1)) for _ in range(2))
    colours = png_part(b"PLTE", bytes(range(12)))
    key = png_part(b"tRNS", b"\0\1")
    yield "grey_long_key.png", "part tRNS has 6 bytes", png(grey, 8, GREY, png_part(b"tRNS", bytes(6)))
    yield "grey_short_key.png", "part tRNS has 1 bytes", png(grey, 8, GREY, png_part(b"tRNS", b"\0"))
    yield "grey_two_keys.png", "two parts tRNS", png(grey, 8, GREY, key, key)
    yield "palette_long.png", "part tRNS has 257 bytes", png(
        indices, 8, PALETTE, colours, png_part(b"tRNS", bytes(257)))


def tiff(samples, bits, photometric, order="<", extra=None, compression=1, palette=None):
    """samples: [height][width][samples]; one strip, tags of SHORT and LONG."""
    height, width, count = samples.shape
    data = samples.astype(order + ("u2" if bits == 16 else "u1")).tobytes()
    data = zlib.compress(data) if compression == 8 else data
    tags = {256: [width], 257: [height], 258: [bits] * count, 259: [compression], 262: [photometric], 273: [8],
            277: [count], 278: [height], 279: [len(data)]}
    if extra is not None:
        tags[338] = extra
    if palette is not None:
        tags[320] = palette
    data += b"\0" * (len(data) % 2)
    entries, more, end = b"", b"", 8 + len(data) + 6 + 12 * len(tags)
    for tag in sorted(tags):
        values = struct.pack(f"{order}{len(tags[tag])}H", *tags[tag])
        if len(values) > 4:
            values, more = struct.pack(order + "I", end + len(more)), more + values
        entries += struct.pack(order + "HHI", tag, 3, len(tags[tag])) + values.ljust(4, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8 + len(data))
    return head + data + struct.pack(order + "H", len(tags)) + entries + bytes(4) + more


def tiff_files(random):
    rgba, wide = (random.integers(0, most, (HEIGHT, WIDTH, 4)) for most in (256, 65536))
    rgba[::2, ::2, 3] = 0
    six = random.integers(0, 256, (HEIGHT, WIDTH, 6))
    yield "undeclared.tif", tiff(rgba, 8, 2)
    yield "undeclared_big_endian.tif", tiff(rgba, 8, 2, ">")
    yield "undeclared_deflate.tif", tiff(rgba, 8, 2, compression=8)
    yield "undeclared16.tif", tiff(wide, 16, 2)
    yield "undeclared16_big_endian.tif", tiff(wide, 16, 2, ">", compression=8)
    yield "unspecified.tif", tiff(rgba, 8, 2, extra=[0])
    yield "corel_draw.tif", tiff(rgba, 8, 2, extra=[999])
    for kind in (0, 1, 2):
        yield f"six_samples_{kind}.tif", tiff(six, 8, 2, extra=[kind, 0, 0])
    yield "associated_by_all.tif", tiff(  # every alpha with some samples
        numpy.stack(numpy.broadcast_arrays(numpy.arange(0, 256, 5), 255, 77, numpy.arange(256)[:, None]), axis=2), 8, 2,
        extra=[1], compression=8)
    palette = random.integers(0, 65536, 768).tolist()
    two = random.integers(0, 256, (HEIGHT, WIDTH, 2))
    for name, extra in [("alpha", [2]), ("unspecified", [0])]:
        yield f"palette_{name}.tif", tiff(two, 8, 3, extra=extra, palette=palette, compression=8)
        yield f"palette_{name}_unpacked.tif", tiff(two, 8, 3, extra=extra, palette=palette)
    yield "grey_alpha.tif", tiff(two, 8, 1, extra=[2])


def refused_tiff(random):
    five = random.integers(0, 256, (HEIGHT, WIDTH, 5))
    for name, extra in [("later_alpha", [0, 2]), ("two_alphas", [2, 2]), ("five_undeclared", None)]:
        yield f"{name}.tif", "of 5 samples a pixel", tiff(five, 8, 2, extra=extra)


def webp_files(random):
    rgba = Image.fromarray(random.integers(0, 256, (HEIGHT, WIDTH, 4), numpy.uint8), "RGBA")
    for name, options in [("lossy", {}), ("lossless", {"lossless": True, "exact": True})]:
        for image, kind in [(rgba, "alpha"), (rgba.convert("RGB"), "opaque")]:
            stream = io.BytesIO()
            image.save(stream, "WEBP", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0", **options)
            file = stream.getvalue()
            assert file[12:16] == b"VP8X" and (file[20] & 16 != 0) == (kind == "alpha")
            yield f"{name}_{kind}.webp", file
            yield f"{name}_{kind}_by_the_other_flag.webp", file[:20] + bytes([file[20] ^ 16]) + file[21:]


def on_colours(rgba):
    made = []
    for colour in BACKGROUNDS:
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, colour), rgba).convert("RGB")
        made.append(f"{zlib.crc32(image.tobytes()):08x}")
    return made


def pillows(file):
    """The row's fields, and whether grey of more than 8 bits is clipped; None if Pillow refuses."""
    try:
        image = Image.open(io.BytesIO(file))
        image.load()
        rgba = image.convert("RGBA")
    except Exception:  # whatever it is called, it is no image
        return None, False
    return ([int(Image.open(io.BytesIO(file)).has_transparency_data), rgba.height, rgba.width, *on_colours(rgba)],
            image.mode.startswith("I"))


def other_rows(data):
    """(name, file) of the files that the other tables have as ones that are read."""
    def table(name):
        with open(data / name, newline="") as lines:
            return list(csv.reader(line for line in lines if not line.startswith("#")))[1:]
    names = {"bmp_pnm": {row[0] for row in table("bmp_pnm.csv")},
             "png": {row[0] + ".png" for row in table("png.csv") if row[1] != "refused"},
             "webp_tiff": {row[0] for row in table("webp_tiff.csv")}}
    for folder, files in names.items():
        for name in sorted(files):
            yield f"{folder}/{name}", (data / folder / name).read_bytes()
    for row in table("gif_tga_psd.csv"):
        if row[1] != "0":
            yield f"gif_tga_psd.csv {row[0]}", bytes.fromhex(row[7])


def has_wide_key(file):
    return file.startswith(b"\x89PNG") and file[25] in (GREY, RGB) and file[24] != 8 and b"tRNS" in file


def main():
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("data", type=pathlib.Path)
    options = parser.parse_args()
    random = numpy.random.default_rng(options.seed)
    folder = options.data / "transparency"
    folder.mkdir(exist_ok=True)
    rows = []
    for name, file, rgba in keyed_png(random):
        fields, _ = pillows(file)
        right = [1, rgba.height, rgba.width, *on_colours(rgba)]
        rows.append([f"transparency/{name}", "pillow" if fields == right else "format", *right])
        (folder / name).write_bytes(file)
    for name, file in [*palette_png(random), *tiff_files(random), *webp_files(random)]:
        fields, _ = pillows(file)
        assert fields is not None, name
        rows.append([f"transparency/{name}", "pillow", *fields])
        (folder / name).write_bytes(file)
    for name, words, file in [*refused_png(random), *refused_tiff(random)]:
        rows.append([f"transparency/{name}", "refused", 0, 0, 0, words, ""])
        (folder / name).write_bytes(file)
    refused = {"png/palette4_transparent_before_palette.png": "before PLTE",
               "png/palette4_transparent_after_data.png": "after the pixels"}
    for name, file in other_rows(options.data):
        fields, is_clipped = pillows(file)
        if name in refused:
            rows.append([name, "refused", 0, 0, 0, refused[name], ""])
        elif fields is not None and not is_clipped and not has_wide_key(file):
            rows.append([name, "pillow", *fields])
    with open(options.data / "transparency.csv", "w") as table:
        print(f"# Pillow {PIL.__version__}, numpy {numpy.__version__}, record_transparency.py --seed {options.seed}",
              file=table)
        print("file,from,alpha,height,width,white,blue", file=table)
        for row in rows:
            print(*row, sep=",", file=table)


main()
