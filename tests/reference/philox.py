#!/usr/bin/env python3
"""Records what millrace/core/random.h must give, in tests/data/core/philox.txt.

The generator here is written from the paper (Salmon et al., SC 2011), in plain integers; it is
checked against the three published known answers of Random123 and against TensorFlow's Philox.
Recorded with Python 3.11, tensorflow 2.21.0.

    python3 tests/reference/philox.py --seed 1 > tests/data/core/philox.txt
"""
import argparse
import math
import random

MASK = 0xFFFFFFFF
KNOWN = [  # Random123, kat_vectors: philox4x32, 10 rounds
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([MASK] * 4, [MASK] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    ([0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0],
     [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]),
]


def philox(counter, key):
    left0, right0, left1, right1 = counter[1], counter[0], counter[3], counter[2]
    key0, key1 = key
    for _ in range(10):
        product0, product1 = 0xD2511F53 * right0, 0xCD9E8D57 * right1
        right0, left0 = (product1 >> 32) ^ left0 ^ key0, product1 & MASK
        right1, left1 = (product0 >> 32) ^ left1 ^ key1, product0 & MASK
        key0, key1 = (key0 + 0x9E3779B9) & MASK, (key1 + 0xBB67AE85) & MASK
    return [right0, left0, right1, left1]


def tensorflow_philox(counter, key):
    import tensorflow as tf
    wide = lambda words: [words[i] | words[i + 1] << 32 for i in range(0, len(words), 2)]
    bits = tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=[4], key=tf.constant(wide(key), tf.uint64),
        counter=tf.constant(wide(counter), tf.uint64), alg=1, dtype=tf.uint32)
    return [int(word) for word in bits.numpy()]


class Stream:
    """Random of random.h: words 1 to 3 of the counter say whose numbers these are."""

    def __init__(self, seed, pass_, position, purpose):
        self.counter = [0, pass_, position & MASK, (position >> 32 << 8 & MASK) | purpose]
        self.key = [seed & MASK, seed >> 32]
        self.words = []

    def bits(self):
        if not self.words:
            self.words = philox(self.counter, self.key)
            self.counter[0] += 1
        return self.words.pop(0)

    def word(self):
        upper = self.bits()
        return upper << 32 | self.bits()

    def uniform(self):
        return (self.word() >> 11) / 2**53

    def below(self, n):
        limit = 2**64 % n
        while (word := self.word()) < limit:
            pass
        return word % n

    def normal(self):
        radius = math.sqrt(-2 * math.log(1 - self.uniform()))
        return radius * math.cos(2 * math.pi * self.uniform())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    source = random.Random(parser.parse_args().seed)

    for counter, key, answer in KNOWN:
        assert philox(counter, key) == answer
    words = lambda n: [source.getrandbits(32) for _ in range(n)]
    blocks = [(counter, key) for counter, key, _ in KNOWN] + [(words(4), words(2)) for _ in range(9)]
    for counter, key in blocks:
        answer = philox(counter, key)
        assert answer == tensorflow_philox(counter, key)
        print("block", *(f"{word:08x}" for word in counter + key + answer))

    for _ in range(8):
        seed, pass_, draw = source.getrandbits(64), source.getrandbits(32), source.getrandbits(48)
        operation = source.randrange(1, 200)
        key = f"{seed} {pass_} {draw} {operation}"
        fresh = lambda: Stream(seed, pass_, draw, operation)
        stream = fresh()
        print("bits", key, *(stream.bits() for _ in range(6)))
        stream = fresh()
        print("uniform", key, *(repr(stream.uniform()) for _ in range(6)))
        stream = fresh()
        print("below", key, *(stream.below(n) for n in (1, 2, 10, 60000, 2**63 + 1, 2**64 - 1)))
        stream = fresh()
        print("normal", key, *(repr(stream.normal()) for _ in range(6)))
        stream = fresh()
        order = list(range(6))
        for i in range(6, 1, -1):
            j = stream.below(i)
            order[i - 1], order[j] = order[j], order[i - 1]
        print("permutation", key, *order)


if __name__ == "__main__":
    main()
