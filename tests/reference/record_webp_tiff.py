#!/usr/bin/env python3
"""Writes small WebP and TIFF files of many kinds and records what Pillow makes of them.

tests/data/io/webp_tiff/* and tests/data/io/webp_tiff.csv: CRC-32 of open().convert(). Grey of 12 and 16 bits,
which Pillow clips, is recorded as NumPy scales it: the samples times 255 over their maximum, to the nearest.
Pinned: Pillow 12.1.1 (with libwebp 1.6.0 and libtiff 4.7.1), numpy 2.4.6.

    python3 tests/reference/record_webp_tiff.py --seed 1 tests/data/io
"""
import argparse
import io
import pathlib
import struct
import warnings
import zlib

import numpy
import PIL
from PIL import Image

HEIGHT, WIDTH = 23, 37
# What this Pillow refuses; without loss, so the pixels are known.
WITHOUT_PILLOW = ("rgb_webp.tif", "big_m.tif", "rgbx_planes_8.tif")
SHORT, LONG, LONG8 = 3, 4, 16


def picture(seed):
    random = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH]
    red = 127 + 120 * numpy.sin(x / 5.0)
    green = 255.0 * y / HEIGHT
    blue = numpy.where((x // 8 + y // 8) % 2, 230.0, 20.0)
    pixels = numpy.stack([red, green, blue], axis=2) + random.normal(0, 6, (HEIGHT, WIDTH, 3))
    return pixels.clip(0, 255).astype(numpy.uint8)


def packed(samples, bits):
    """Rows of samples of 1, 2, 4 or 12 bits, the first one in the highest bits, each row from a whole byte."""
    rows = []
    for row in samples:
        text = "".join(f"{value:0{bits}b}" for value in row)
        text += "0" * (-len(text) % 8)
        rows.append(bytes(int(text[i:i + 8], 2) for i in range(0, len(text), 8)))
    return rows


def tiff(order, blocks, tags, big=False, next_page=b""):
    """A file of one directory at its end: `tags` are numbers to a value or a list, `blocks` strips or tiles."""
    tags = dict(tags)
    wide = LONG8 if big else LONG
    start = 16 if big else 8
    offsets, body = [], b""
    for block in blocks:
        offsets.append(start + len(body))
        body += block + b"\0" * (len(block) % 2)
    is_tiled = 322 in tags
    tags[324 if is_tiled else 273] = offsets
    tags[325 if is_tiled else 279] = [len(block) for block in blocks]
    entries, more = b"", b""
    directory = start + len(body)
    count_bytes, entry_bytes, value_bytes = (8, 20, 8) if big else (2, 12, 4)
    end = directory + count_bytes + entry_bytes * len(tags) + value_bytes
    for tag in sorted(tags):
        values = tags[tag] if isinstance(tags[tag], list) else [tags[tag]]
        kind = wide if tag in (273, 279, 324, 325, 513, 514) else SHORT
        data = struct.pack(order + str(len(values)) + {SHORT: "H", LONG: "I", LONG8: "Q"}[kind], *values)
        if len(data) > value_bytes:
            data, more = struct.pack(order + ("Q" if big else "I"), end + len(more)), more + data
        entries += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, len(values))
        entries += data.ljust(value_bytes, b"\0")
    head = (b"II" if order == "<" else b"MM")
    head += struct.pack(order + "HHHQ", 43, 8, 0, directory) if big else struct.pack(order + "HI", 42, directory)
    count = struct.pack(order + ("Q" if big else "H"), len(tags))
    return head + body + count + entries + b"\0" * value_bytes + more + next_page


def described(samples, bits, photometric, **more):
    tags = {256: WIDTH, 257: HEIGHT, 258: [bits] * samples if samples > 1 else bits, 259: 1, 262: photometric,
            277: samples, 278: HEIGHT}
    tags.update({int(name[1:]): value for name, value in more.items()})
    return tags


def strips(rows, per_strip, pack=bytes):
    return [pack(b"".join(rows[i:i + per_strip])) for i in range(0, len(rows), per_strip)]


def rows_of(array, order):
    return [row.astype(row.dtype.newbyteorder(order)).tobytes() for row in array]


def tiles(array, order, side, pack=bytes):
    """Tiles of side x side, the last ones filled up with the value 99, which must not be seen."""
    blocks = []
    for y in range(0, HEIGHT, side):
        for x in range(0, WIDTH, side):
            part = array[y:y + side, x:x + side]
            tile = numpy.full((side, side) + array.shape[2:], 99, array.dtype)
            tile[:part.shape[0], :part.shape[1]] = part
            blocks.append(pack(b"".join(rows_of(tile, order))))
    return blocks


def planes(array):
    return [array[:, :, i] for i in range(array.shape[2])]


def differences(array):
    """Predictor 2: each sample less the one to its left."""
    result = array.copy()
    result[:, 1:] = array[:, 1:] - array[:, :-1]
    return result


def jpeg(pixels, **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=90, **options)
    return stream.getvalue()


def jpeg_tiles(pixels, side, **options):
    blocks = []
    for y in range(0, HEIGHT, side):
        for x in range(0, WIDTH, side):
            part = pixels[y:y + side, x:x + side]
            edges = [(0, side - part.shape[0]), (0, side - part.shape[1])] + [(0, 0)] * (pixels.ndim - 2)
            blocks.append(jpeg(numpy.pad(part, edges, mode="edge"), **options))
    return blocks


def half_colour(pixels):
    """YCbCr with a sample of each colour for four of light, unpacked: Y Y Y Y Cb Cr."""
    ycc = numpy.pad(numpy.asarray(Image.fromarray(pixels).convert("YCbCr")), [(0, 1), (0, 1), (0, 0)], mode="edge")
    rows = []
    for y in range(0, HEIGHT, 2):
        row = b""
        for x in range(0, WIDTH, 2):
            square = ycc[y:y + 2, x:x + 2].reshape(4, 3)
            row += square[:, 0].tobytes() + square[0, 1:].tobytes()
        rows.append(row)
    return rows


def write_by_pillow(folder, rgb, alpha, wide):
    grey, bits, rgba = rgb.convert("L"), rgb.convert("1"), rgb.copy()
    rgba.putalpha(alpha)
    grey_alpha = grey.copy()
    grey_alpha.putalpha(alpha)
    cmyk = Image.merge("CMYK", [*rgb.split(), alpha.point(lambda v: v // 2)])
    palette = rgb.quantize(50)
    palette_alpha = palette.convert("PA")
    palette_alpha.putalpha(alpha)

    def save(image, name, **options):
        image.save(folder / f"{name}.tif", **options)

    save(rgb, "rgb")
    for name, compression in [("lzw", "tiff_lzw"), ("deflate", "tiff_adobe_deflate"), ("packbits", "packbits"),
                              ("zstd", "zstd"), ("lzma", "lzma"), ("jpeg", "jpeg")]:
        save(rgb, "rgb_" + name, compression=compression)
    for name, image in [("rgba", rgba), ("grey", grey), ("grey_alpha", grey_alpha), ("palette", palette),
                        ("palette_alpha", palette_alpha), ("cmyk", cmyk), ("bits", bits)]:
        save(image, name)
    save(rgb, "rgb_predictor", compression="tiff_lzw", tiffinfo={317: 2})
    save(rgba, "rgba_lzw", compression="tiff_lzw")
    save(grey, "grey_jpeg", compression="jpeg")
    save(cmyk, "cmyk_jpeg", compression="jpeg")
    save(rgb.convert("YCbCr"), "ycbcr_lzw", compression="tiff_lzw")
    save(rgb, "big", big_tiff=True)
    save(rgb, "pages", save_all=True, append_images=[grey])
    for name in ["tiff_ccitt", "group3", "group4"]:
        save(bits, "bits_" + name.replace("tiff_", ""), compression=name)
    save(Image.fromarray(wide), "grey16")

    rgb.save(folder / "lossy.webp", quality=80)
    rgb.save(folder / "lossless.webp", lossless=True)
    rgba.save(folder / "lossy_alpha.webp", quality=60, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0")
    rgba.save(folder / "lossless_alpha.webp", lossless=True, exact=True)
    grey.save(folder / "grey.webp", quality=90)
    rgba.save(folder / "animated.webp", save_all=True, append_images=[rgb.rotate(180)], duration=50, lossless=True,
              exact=True)


def webp_part(name, data):
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def small_first_frame(image, at, canvas, has_alpha, **options):
    """An animation of one frame that covers a part of its canvas only."""
    def number(value):
        return struct.pack("<I", value)[:3]
    stream = io.BytesIO()
    image.save(stream, "WEBP", **options)
    parts = stream.getvalue()[12:]
    if parts[:4] == b"VP8X":
        parts = parts[18:]
    frame = (number(at[0] // 2) + number(at[1] // 2) + number(image.width - 1) + number(image.height - 1) +
             number(100) + b"\0" + parts)
    flags = 2 | (16 if has_alpha else 0)
    body = b"WEBP" + webp_part(b"VP8X", bytes([flags, 0, 0, 0]) + number(canvas[0] - 1) + number(canvas[1] - 1))
    body += webp_part(b"ANIM", bytes([10, 200, 30, 255, 0, 0])) + webp_part(b"ANMF", frame)
    return webp_part(b"RIFF", body)


def write_by_hand(folder, pixels, alpha, wide):
    grey = numpy.asarray(Image.fromarray(pixels).convert("L"))
    four = numpy.dstack([pixels, alpha])
    multiplied = numpy.dstack([(pixels * (alpha[:, :, None] / 255.0)).round().astype(numpy.uint8), alpha])
    multiplied[:4, :, :3] |= 128  # colours above alpha, which no proper writer gives
    wide_colours = pixels.astype(numpy.uint16) * 257 ^ 0x0055
    wide_four = four.astype(numpy.uint16) * 257 ^ 0x00AA
    ramp = numpy.arange(256) * 257

    def save(name, data):
        (folder / f"{name}.tif").write_bytes(data)

    for order, letter in [("<", "i"), (">", "m")]:
        for bits in [1, 2, 4]:
            samples = grey >> (8 - bits)
            for photometric, name in [(0, "inverted"), (1, "grey"), (3, "palette")]:
                tags = described(1, bits, photometric, _278=5)
                if photometric == 3:
                    count = 1 << bits
                    colours = numpy.random.default_rng(bits).integers(0, 65536, 3 * count)
                    tags[320] = [int(value) for value in colours]
                save(f"{name}{bits}_{letter}", tiff(order, strips(packed(samples, bits), 5), tags))
        save(f"rgb16_{letter}", tiff(order, strips(rows_of(wide_colours, order), HEIGHT),
                                     described(3, 16, 2)))
        blocks = strips(rows_of(differences(wide_colours), order), 9, zlib.compress)
        save(f"rgb16_deflate_{letter}", tiff(order, blocks, described(3, 16, 2, _259=8, _278=9, _317=2)))
        save(f"grey16_deflate_{letter}", tiff(order, strips(rows_of(differences(wide), order), 7, zlib.compress),
                                              described(1, 16, 1, _259=8, _278=7, _317=2)))
        save(f"grey16_tiles_{letter}", tiff(order, tiles(wide, order, 16), described(1, 16, 1, _322=16, _323=16)))
        save(f"big_{letter}", tiff(order, strips(rows_of(pixels, order), 10), described(3, 8, 2, _278=10), big=True))
    save("grey12_i", tiff("<", strips(packed(wide >> 4, 12), 6), described(1, 12, 1, _278=6)))
    save("grey12_m", tiff(">", strips(packed(wide >> 4, 12), 6), described(1, 12, 1, _278=6)))

    save("inverted8", tiff("<", strips(rows_of(grey, "<"), HEIGHT), described(1, 8, 0)))
    save("rgbx", tiff("<", strips(rows_of(four, "<"), HEIGHT), described(4, 8, 2, _338=0)))
    save("rgb_of_four", tiff("<", strips(rows_of(four, "<"), HEIGHT), described(4, 8, 2)))
    save("associated", tiff("<", strips(rows_of(multiplied, "<"), HEIGHT), described(4, 8, 2, _338=1)))
    save("associated16", tiff(">", strips(rows_of(multiplied.astype(numpy.uint16) * 257 ^ 0x0011, ">"), HEIGHT),
                              described(4, 16, 2, _338=1)))
    save("rgba16", tiff("<", strips(rows_of(wide_four, "<"), HEIGHT), described(4, 16, 2, _338=2)))
    save("rgba_and_more", tiff("<", strips(rows_of(numpy.dstack([four, grey]), "<"), HEIGHT),
                               described(5, 8, 2, _338=[2, 0])))
    save("cmyk16", tiff(">", strips(rows_of(wide_four, ">"), HEIGHT), described(4, 16, 5)))
    save("cmyk_and_more", tiff("<", strips(rows_of(numpy.dstack([four, grey]), "<"), HEIGHT),
                               described(5, 8, 5, _338=0)))
    save("palette_and_more", tiff("<", strips(rows_of(numpy.dstack([grey, alpha]), "<"), HEIGHT),
                                  described(2, 8, 3, _338=0, _320=[int(v) for v in [*ramp, *ramp[::-1], *ramp]])))
    reversed_bits = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
    for name, rows, tags in [("bits", packed(grey >> 7, 1), described(1, 1, 0, _266=2)),
                             ("grey", rows_of(grey, "<"), described(1, 8, 1, _266=2)),
                             ("rgb", rows_of(pixels, "<"), described(3, 8, 2, _266=2))]:
        save(f"{name}_reversed", tiff("<", [b"".join(rows).translate(reversed_bits)], tags))

    for name, array, more in [("rgb", pixels, {}), ("rgba", four, {"_338": 2}), ("associated", multiplied, {"_338": 1}),
                              ("rgbx", four, {"_338": 0})]:
        for compression, pack in [(1, bytes), (8, zlib.compress)]:
            if compression == 1 and name != "rgb":
                continue
            blocks = [block for plane in planes(array) for block in strips(rows_of(plane, "<"), 10, pack)]
            tags = described(array.shape[2], 8, 2, _259=compression, _278=10, _284=2, **more)
            save(f"{name}_planes_{compression}", tiff("<", blocks, tags))
    blocks = [block for plane in planes(four) for block in strips(rows_of(plane, "<"), 10, zlib.compress)]
    save("cmyk_planes", tiff("<", blocks, described(4, 8, 5, _259=8, _278=10, _284=2)))
    blocks = [block for plane in planes(wide_colours) for block in tiles(plane, ">", 16, zlib.compress)]
    save("rgb16_planes_tiles", tiff(">", blocks, described(3, 16, 2, _259=32946, _284=2, _322=16, _323=16)))
    save("rgb_tiles", tiff("<", tiles(pixels, "<", 16), described(3, 8, 2, _322=16, _323=16)))
    save("rgb_large_tile", tiff("<", tiles(pixels, "<", 64, zlib.compress),
                                described(3, 8, 2, _259=8, _322=64, _323=64)))
    save("ycbcr_half_deflate", tiff("<", strips(half_colour(pixels), 12, zlib.compress),
                                    described(3, 8, 6, _259=8, _530=[2, 2])))
    save("jpeg_half_tiles", tiff("<", jpeg_tiles(pixels, 16, subsampling="4:2:0"),
                                 described(3, 8, 6, _259=7, _322=16, _323=16, _530=[2, 2])))
    save("jpeg_whole_tiles", tiff(">", jpeg_tiles(pixels, 16, subsampling="4:4:4"),
                                  described(3, 8, 6, _259=7, _322=16, _323=16, _530=[1, 1])))
    save("jpeg_rgb", tiff("<", [jpeg(pixels, keep_rgb=True)], described(3, 8, 2, _259=7)))
    save("jpeg_progressive", tiff("<", [jpeg(pixels, subsampling="4:2:0", progressive=True)],
                                  described(3, 8, 6, _259=7, _530=[2, 2])))
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "WEBP", lossless=True)
    save("rgb_webp", tiff("<", [stream.getvalue()], described(3, 8, 2, _259=50001)))
    old = jpeg(pixels, subsampling="4:2:0")
    save("jpeg_old", tiff("<", [old], described(3, 8, 6, _259=6, _514=len(old), _512=1, _530=[2, 2],
                                                _513=8)))

    rgb = Image.fromarray(pixels)
    rgba = Image.fromarray(four)
    (folder / "small_frame.webp").write_bytes(small_first_frame(rgb, (6, 4), (50, 30), False, quality=80))
    (folder / "small_frame_alpha.webp").write_bytes(
        small_first_frame(rgba, (2, 8), (41, 33), True, lossless=True, exact=True))


def scaled(wide, bits):
    return numpy.rint(wide * (255.0 / ((1 << bits) - 1))).astype(numpy.uint8)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    folder = arguments.folder / "webp_tiff"
    folder.mkdir(parents=True, exist_ok=True)
    random = numpy.random.default_rng(arguments.seed)
    pixels = picture(arguments.seed)
    alpha = random.integers(0, 256, (HEIGHT, WIDTH), numpy.uint8)
    alpha[:, :5], alpha[:, 5:10] = 0, 255
    wide = random.integers(0, 65536, (HEIGHT, WIDTH), numpy.uint16)
    write_by_pillow(folder, Image.fromarray(pixels), Image.fromarray(alpha), wide)
    write_by_hand(folder, pixels, alpha, wide)
    lines = [f"# Pillow {PIL.__version__}, record_webp_tiff.py --seed {arguments.seed}",
             "file,channels,height,width,crc32"]
    for path in sorted(folder.iterdir()):
        for mode, channels in [("L", 1), ("RGB", 3)]:
            if path.name.startswith(("grey16", "grey12")):
                bits = int(path.name[4:6])
                image = Image.fromarray(scaled(wide >> (16 - bits), bits)).convert(mode)
            elif path.name in WITHOUT_PILLOW:
                image = Image.fromarray(pixels).convert(mode)
            else:
                image = Image.open(path).convert(mode)
            crc = zlib.crc32(image.tobytes())
            lines.append(f"{path.name},{channels},{image.height},{image.width},{crc:08x}")
    (arguments.folder / "webp_tiff.csv").write_text("\n".join(lines) + "\n")


main()
