#!/usr/bin/env python3
"""Records what millrace/pipeline/shuffled.h must give, in tests/data/pipeline/shuffled.txt.

A buffer of n items as in tf.data's Dataset.shuffle(n): it is filled, a random one comes out, the next
item comes in. Numbers are those of philox.py beside this file, of purpose 16. Recorded with Python 3.11.

    python3 tests/reference/shuffled.py > tests/data/pipeline/shuffled.txt
"""
from philox import Stream

PURPOSE = 16


def shuffled(items, buffer, seed):
    random, items, held = Stream(seed, 0, 0, PURPOSE), list(items), []
    while items or held:
        take = max(buffer, 1) - len(held)
        held, items = held + items[:take], items[take:]
        at = random.below(len(held))
        held[at], held[-1] = held[-1], held[at]
        yield held.pop()


for seed, buffer, count in [(1, 4, 20), (2, 4, 20), (7, 100, 20), (2**40 + 3, 7, 30), (1, 1, 5), (1, 0, 5)]:
    print(seed, buffer, count, *shuffled(range(count), buffer, seed))
