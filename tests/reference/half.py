#!/usr/bin/env python3
"""Records what numpy (f16) and ml_dtypes (bf16) convert to, in tests/data/core/half.txt.

A line is: direction, block, checksum. The checksum of the bit patterns b[0], b[1], ... of a block is
the sum of (2 i + 1) b[i], modulo 2^64, so that it sees values and their order. A block is the 1024
halves that share sign and exponent, so a wrong line points at the trouble. NaNs are left out: their
payload is nobody's business.
Recorded with numpy 2.4.6, ml_dtypes 0.6.0.

    python3 tests/reference/half.py --seed 1 > tests/data/core/half.txt
"""
import argparse

import ml_dtypes
import numpy as np

np.seterr(over="ignore")


def checksum(bits):
    weights = 2 * np.arange(bits.size, dtype=np.uint64) + np.uint64(1)
    return int((weights * bits.astype(np.uint64)).sum(dtype=np.uint64))


def random_floats(seed, count):
    """A linear congruential generator, for the test to repeat: x = 1664525 x + 1013904223."""
    bits, x = np.empty(count, np.uint32), seed
    for i in range(count):
        x = (1664525 * x + 1013904223) & 0xFFFFFFFF
        bits[i] = x
    floats = bits.view(np.float32)
    return floats[~np.isnan(floats)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    seed = parser.parse_args().seed

    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    for block in range(64):
        values = halves[1024 * block:1024 * (block + 1)]
        values = values[~np.isnan(values)].astype(np.float32)
        print("widen_f16", block, checksum(values.view(np.uint32)))

    for block in range(64):
        # Each half, the tie between it and the next one away from zero, and the tie's neighbours. In
        # the block of infinity there is none; the last finite half's next one would be 65536.
        values = halves[1024 * block:1024 * (block + 1)].astype(np.float64)
        values = values[np.isfinite(values)]
        if values.size == 0:
            continue
        step = np.spacing(np.abs(values).astype(np.float16)).astype(np.float64)
        step[np.abs(values) == 65504] = 32
        tie = (values + np.copysign(step / 2, values)).astype(np.float32)
        outward = np.copysign(np.float32(np.inf), tie)
        inputs = np.stack([values.astype(np.float32), np.nextafter(tie, np.float32(0)), tie,
                           np.nextafter(tie, outward)], axis=1).ravel()
        print("round_f16", block, checksum(inputs.astype(np.float16).view(np.uint16)))

    floats = random_floats(seed, 200_000)
    print("random_f16", seed, checksum(floats.astype(np.float16).view(np.uint16)))
    print("random_bf16", seed, checksum(floats.astype(ml_dtypes.bfloat16).view(np.uint16)))


main()
