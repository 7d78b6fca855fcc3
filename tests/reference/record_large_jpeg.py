#!/usr/bin/env python3
"""Records what Pillow makes of JPEG files that it decodes at 1/2, 1/4 or 1/8, as for a thumbnail.

tests/data/io/large_jpeg.csv: CRC-32 of open().draft(mode, 4 times the target).convert().resize() of
the files that record_decode.py wrote. Pinned: Pillow 12.1.1 (with libjpeg-turbo 3.1.3), numpy 2.4.6.

    python3 tests/reference/record_large_jpeg.py tests/data/io
"""
import pathlib
import sys
import zlib

import numpy
import PIL
from PIL import Image

GAP = 4
TARGETS = [(1, 1), (2, 1), (3, 2), (5, 7), (11, 15), (20, 20)]
FILTERS = {"box": Image.Resampling.BOX, "bilinear": Image.Resampling.BILINEAR,
           "lanczos": Image.Resampling.LANCZOS}


def main(folder):
    assert PIL.__version__ == "12.1.1" and numpy.__version__ == "2.4.6"
    lines = ["# record_large_jpeg.py; Pillow 12.1.1", "file,filter,channels,height,width,crc"]
    for path in sorted((folder / "pictures").glob("*.jpg")):
        for name, resample in FILTERS.items():
            for channels, mode in ((1, "L"), (3, "RGB")):
                for height, width in TARGETS:
                    image = Image.open(path)
                    if image.format != "JPEG":
                        continue
                    image.draft(None, (GAP * width, GAP * height))
                    image = image.convert(mode).resize((width, height), resample)
                    crc = zlib.crc32(numpy.asarray(image).tobytes())
                    lines.append(f"{path.name},{name},{channels},{height},{width},{crc:08x}")
    (folder / "large_jpeg.csv").write_text("\n".join(lines) + "\n")


main(pathlib.Path(sys.argv[1]))
