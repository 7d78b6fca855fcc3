#!/usr/bin/env python3
"""Writes small picture files of many kinds and records what Pillow makes of them.

tests/data/io/pictures/* and tests/data/io/decode.csv: CRC-32 of open().convert().resize().
Pinned: Pillow 12.1.1 (with libjpeg-turbo 3.1.3), numpy 2.4.6.

    python3 tests/reference/record_decode.py --seed 1 tests/data/io
"""
import argparse
import pathlib
import struct
import zlib

import numpy
import PIL
from PIL import Image

HEIGHT, WIDTH = 47, 61
TARGETS = [("nearest", HEIGHT, WIDTH), ("bilinear", 17, 23), ("lanczos", 80, 33)]


def picture(seed):
    """Smooth colours with some noise: every channel differs, edges and flat parts occur."""
    random = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH]
    red = 127 + 120 * numpy.sin(x / 5.0)
    green = 255.0 * y / HEIGHT
    blue = numpy.where((x // 8 + y // 8) % 2, 230.0, 20.0)
    pixels = numpy.stack([red, green, blue], axis=2) + random.normal(0, 6, (HEIGHT, WIDTH, 3))
    return pixels.clip(0, 255).astype(numpy.uint8)


def png16(pixels):
    """A PNG of 16 bits a sample, which Pillow reads and does not write."""
    def part(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    wide = pixels.astype(">u2") * 257 ^ 0x0055
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", zlib.compress(rows, 9))
            + part(b"IEND", b""))


def psd(pixels):
    """A PSD without layers: header, three empty sections, raw planes."""
    header = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, HEIGHT, WIDTH, 8, 3)
    return header + struct.pack(">IIIH", 0, 0, 0, 0) + pixels.transpose(2, 0, 1).tobytes()


def write_pictures(folder, pixels, seed):
    rgb = Image.fromarray(pixels)
    alpha = Image.fromarray(numpy.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH), numpy.uint8))
    rgba = rgb.copy()
    rgba.putalpha(alpha)
    grey_alpha = rgb.convert("L")
    grey_alpha.putalpha(alpha)
    cmyk = Image.merge("CMYK", [*rgb.split(), alpha.point(lambda v: v // 2)])

    rgb.save(folder / "rgb.png", optimize=True)
    rgba.save(folder / "rgba.png")
    rgb.convert("L").save(folder / "grey.png")
    grey_alpha.save(folder / "grey_alpha.png")
    rgb.quantize(16).save(folder / "palette.png")
    rgb.convert("1").save(folder / "bits.png")
    (folder / "rgb16.png").write_bytes(png16(pixels))
    rgb.save(folder / "420.jpg", quality=85, subsampling="4:2:0")
    rgb.save(folder / "422.jpg", quality=85, subsampling="4:2:2")
    rgb.save(folder / "444.jpg", quality=92, subsampling="4:4:4")
    rgb.save(folder / "rgb_not_ycc.jpg", quality=85, keep_rgb=True)
    rgb.save(folder / "restart.jpg", quality=80, restart_marker_blocks=3)
    rgb.save(folder / "progressive.jpg", quality=80, progressive=True)
    rgb.convert("L").save(folder / "grey.jpg", quality=80)
    cmyk.save(folder / "cmyk.jpg", quality=85)
    rgb.quantize(32).save(folder / "palette.gif")
    rgb.save(folder / "rgb.bmp")
    rgb.save(folder / "rgb.tga")
    rgb.convert("L").save(folder / "grey_rle.tga", compression="tga_rle")
    rgb.save(folder / "rgb.ppm")
    rgb.convert("L").save(folder / "grey.pgm")
    (folder / "rgb.psd").write_bytes(psd(pixels))
    rgb.save(folder / "png_called.jpg", format="PNG")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    pictures = arguments.folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    write_pictures(pictures, picture(arguments.seed), arguments.seed)
    lines = [f"# Pillow {PIL.__version__}, record_decode.py --seed {arguments.seed}",
             "file,filter,channels,height,width,crc32"]
    for path in sorted(pictures.iterdir()):
        for mode, channels in [("L", 1), ("RGB", 3)]:
            for name, height, width in TARGETS:
                image = Image.open(path).convert(mode)
                image = image.resize((width, height), Image.Resampling[name.upper()])
                crc = zlib.crc32(image.tobytes())
                lines.append(f"{path.name},{name},{channels},{height},{width},{crc:08x}")
    (arguments.folder / "decode.csv").write_text("\n".join(lines) + "\n")


main()
