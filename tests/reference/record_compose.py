#!/usr/bin/env python3
"""Records what Pillow makes of every alpha, sample and background.

tests/data/image/compose.csv. For each background b of 0 to 255 an image of 256 x 256 pixels, alpha from the top to
the bottom, sample s from the left to the right, is put on the colour (b, b + 85, b + 170), modulo 256:
    Image.alpha_composite(Image.new("RGBA", size, colour), image.convert("RGBA")).convert("RGB")
of RGBA (s, 255 - s, s xor 85, alpha) and of LA (s, alpha). The rows are CRC-32 of all 256 results, one behind the
other, as RGB and as .convert("L") of that. Checked on the way: paste() with alpha as the mask gives the same.
Pinned: Pillow 12.1.1, numpy 2.4.6. No random numbers.

    python3 tests/reference/record_compose.py > tests/data/image/compose.csv
"""
import zlib

import numpy
import PIL
from PIL import Image

SIZE = (256, 256)


def images():
    alpha, sample = numpy.mgrid[0:256, 0:256].astype(numpy.uint8)
    colours = [sample, 255 - sample, sample ^ 85, alpha]
    yield "RGBA", Image.fromarray(numpy.stack(colours, axis=2), "RGBA")
    yield "LA", Image.fromarray(numpy.stack([sample, alpha], axis=2), "LA")


def composed(image, colour):
    rgba = image.convert("RGBA")
    made = Image.alpha_composite(Image.new("RGBA", SIZE, colour), rgba).convert("RGB")
    pasted = Image.new("RGB", SIZE, colour)
    pasted.paste(image, mask=rgba.getchannel("A"))
    assert pasted.tobytes() == made.tobytes()
    return made


def main():
    print(f"# Pillow {PIL.__version__}, numpy {numpy.__version__}, record_compose.py")
    print("mode,RGB,L")
    for mode, image in images():
        crcs = [0, 0]
        for b in range(256):
            rgb = composed(image, (b, (b + 85) % 256, (b + 170) % 256))
            crcs = [zlib.crc32(made.tobytes(), crc) for made, crc in zip((rgb, rgb.convert("L")), crcs)]
        print(f"{mode},{crcs[0]:08x},{crcs[1]:08x}")


main()
