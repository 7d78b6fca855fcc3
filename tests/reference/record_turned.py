#!/usr/bin/env python3
"""Records what Pillow makes of files with an orientation when it turns, converts and resizes them.

tests/data/io/turned.csv: CRC-32 of exif_transpose(open()).convert().resize() of files that
record_orientation.py wrote. Pinned: Pillow 12.1.1, numpy 2.4.6.

    python3 tests/reference/record_turned.py tests/data/io
"""
import pathlib
import re
import sys
import zlib

import numpy
import PIL
from PIL import Image, ImageOps

TARGETS = [("nearest", 6, 3), ("bilinear", 3, 4), ("lanczos", 9, 7)]


def main(folder):
    assert PIL.__version__ == "12.1.1" and numpy.__version__ == "2.4.6"
    lines = ["# record_turned.py; Pillow 12.1.1", "file,filter,channels,height,width,crc"]
    for path in sorted((folder / "orientation").iterdir()):
        if not re.fullmatch(r"(ii_|mm_|big_ii_)?[1-8]\.(jpg|png|webp|tif)", path.name):
            continue
        for name, height, width in TARGETS:
            for channels, mode in ((1, "L"), (3, "RGB")):
                image = Image.open(path)
                image.load()
                image = ImageOps.exif_transpose(image).convert(mode)
                image = image.resize((width, height), Image.Resampling[name.upper()])
                crc = zlib.crc32(numpy.asarray(image).tobytes())
                lines.append(f"{path.name},{name},{channels},{height},{width},{crc:08x}")
    (folder / "turned.csv").write_text("\n".join(lines) + "\n")


main(pathlib.Path(sys.argv[1]))
