#!/usr/bin/env python3
"""Class folders of JPEG photographs for benchmarks, cut from a few large ones.

    benchmarks/cut_photographs.py OUT PICTURE... [--count 2000] [--seed 1]

Cuts of 500 x 375 pixels (as those of Dogs vs. Cats), quality 90, 4:2:0, from random places at random
scales, in OUT/a and OUT/b. Debian's package mate-backgrounds has large photographs. Needs Pillow.
"""
import argparse
import pathlib
import random

from PIL import Image

SIZE = (500, 375)


def main():
    line = argparse.ArgumentParser(description=__doc__,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("out", type=pathlib.Path)
    line.add_argument("pictures", nargs="+")
    line.add_argument("--count", type=int, default=2000)
    line.add_argument("--seed", type=int, default=1)
    o = line.parse_args()
    draw = random.Random(o.seed)
    pictures = [Image.open(name).convert("RGB") for name in o.pictures]
    for name in ("a", "b"):
        (o.out / name).mkdir(parents=True, exist_ok=True)
    for i in range(o.count):
        picture = draw.choice(pictures)
        scale = draw.uniform(1, min(2, picture.width / SIZE[0], picture.height / SIZE[1]))
        width, height = int(SIZE[0] * scale), int(SIZE[1] * scale)
        x, y = draw.randint(0, picture.width - width), draw.randint(0, picture.height - height)
        cut = picture.resize(SIZE, Image.Resampling.BICUBIC, (x, y, x + width, y + height))
        cut.save(o.out / "ab"[i % 2] / f"{i:05}.jpg", quality=90, subsampling="4:2:0")


if __name__ == "__main__":
    main()
