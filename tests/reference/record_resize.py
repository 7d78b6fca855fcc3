#!/usr/bin/env python3
"""Records what Pillow's Image.resize gives, as checksums: tests/data/image/resize.csv.

Inputs come from a linear congruential generator that the C++ test repeats, so only sizes and
CRC-32 values are kept. Pinned: Pillow 12.1.1, numpy 2.4.6 (Pillow 13 runs
the vertical pass first when the height shrinks more than the width; all versions before it, and
Millrace, run the horizontal pass first).

    python3 tests/reference/record_resize.py --seed 1 > tests/data/image/resize.csv
"""
import argparse
import zlib

import numpy
import PIL
from PIL import Image

FILTERS = ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
SIZES = [  # in height, in width, out height, out width
    (23, 37, 9, 13), (23, 37, 41, 64), (23, 37, 23, 12), (23, 37, 50, 37), (23, 37, 23, 37),
    (23, 37, 1, 1), (1, 1, 5, 7), (1, 40, 3, 11), (40, 1, 11, 3), (28, 28, 32, 32),
    (32, 32, 28, 28), (2, 3, 97, 101), (97, 101, 2, 3), (61, 67, 60, 66), (60, 66, 61, 67),
    (375, 500, 150, 150), (500, 333, 224, 224), (300, 17, 7, 170), (17, 300, 170, 7),
    (128, 256, 64, 128), (129, 255, 43, 85), (13, 500, 13, 499),
]


def pixels(kind, height, width, channels, seed):
    """noise: every byte random; edges: black or white, which drives the filters past 0 and 255."""
    state, values = seed, numpy.empty(height * width * channels, numpy.uint8)
    for i in range(values.size):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        values[i] = state >> 24
    if kind == "edges":
        values = numpy.where(values & 4, 255, 0).astype(numpy.uint8)
    return values.reshape((height, width, channels))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    seed = parser.parse_args().seed
    print(f"# Pillow {PIL.__version__}, record_resize.py --seed {seed}")
    print("filter,kind,channels,in_height,in_width,out_height,out_width,crc32")
    for kind in ["noise", "edges"]:
        for height, width, out_height, out_width in SIZES:
            for channels in [1, 3]:
                data = pixels(kind, height, width, channels, seed)
                image = Image.fromarray(data[:, :, 0] if channels == 1 else data)
                for name in FILTERS:
                    out = image.resize((out_width, out_height), Image.Resampling[name.upper()])
                    print(name, kind, channels, height, width, out_height, out_width,
                          f"{zlib.crc32(out.tobytes()):08x}", sep=",")


main()
