#!/usr/bin/env python3
"""Records dropout masks for tests/nn, from the Philox in plain integers of philox.py.

    python3 tests/reference/record_dropout.py --seed 1 > tests/data/nn/dropout.json
"""
import argparse
import json
import math
import random

import philox

DROPOUT = 4  # Purpose::dropout


def mask(seed, epoch, draw, layer, rate, elements):
    key = [seed & philox.MASK, seed >> 32]
    threshold = math.ceil(rate * 2**32)
    words = []
    for block in range(-(-elements // 4)):
        last = (draw >> 32) << 24 | layer << 8 | DROPOUT
        words += philox.philox([block, epoch, draw & philox.MASK, last], key)
    return "".join("1" if word >= threshold else "0" for word in words[:elements])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    generator = random.Random(parser.parse_args().seed)
    records = []
    for rate in (0.0, 0.25, 0.5, 0.9375, 0.0009765625):  # float32 holds each exactly
        for draw in (0, 7, 2**32 + 5, 2**40 - 1):
            case = {"seed": generator.getrandbits(64), "pass": generator.getrandbits(32),
                    "draw": draw, "layer": generator.randrange(2**16), "rate": rate}
            case["mask"] = mask(*case.values(), elements=generator.randrange(1, 40))
            records.append(case)
    print(json.dumps(records, indent=1))


if __name__ == "__main__":
    main()
