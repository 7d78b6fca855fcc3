#!/usr/bin/env python3
"""Records how many weights a share prunes and which, for tests/nn.

The count is that of torch.nn.utils.prune, which is Python's round(share * n): halves to even. The
weights are the first of NumPy's stable order of magnitudes: of equal ones those that come first.
Recorded with Python 3.11, numpy 2.4.6.

    python3 tests/reference/record_pruned_weights.py --seed 1 > tests/data/nn/pruned_weights.json
"""
import argparse
import json

import numpy


def counts(random):
    sizes = [1, 2, 3, 5, 7, 10, 64, 576, 1000, 30_000, 235_200, 10_000_001]
    shares = [0, 0.1, 0.25, 0.3, 0.5, 0.55, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.999]
    cases = [(n, share) for n in sizes for share in shares]
    cases += [(random.integers(1, 100_000).item(), random.random()) for _ in range(100)]
    return [[n, share, round(share * n)] for n, share in cases]


def mask(weights, share):
    weights = numpy.float32(weights)
    kept = numpy.ones(len(weights), int)
    kept[numpy.argsort(abs(weights), kind="stable")[:round(share * len(weights))]] = 0
    smallest = min(abs(weights[kept == 1]), default=numpy.inf)
    spell = lambda w: float(w) if numpy.isfinite(w) else ("inf" if w > 0 else "-inf")
    return {"weights": [spell(w) for w in weights], "share": share,
            "mask": "".join(map(str, kept)), "smallest_kept": spell(smallest)}


def masks(random):
    yield mask([0, 0, 0, 0], 0.5)
    yield mask([1, -1, 1, -1, 1], 0.5)
    yield mask([3, 0, 2, 0, 0, 0, 0, 0, 0, 1], 0.5)  # more zeros than asked for
    yield mask([0.0, -0.0, 5, -0.0], 0.75)
    yield mask([7], 0.6)  # all of it
    yield mask([7], 0.5)
    yield mask([numpy.inf, -numpy.inf, 1, 2], 0.75)
    yield mask([1e-45, -1e-44, 0, 1e-38], 0.5)
    for _ in range(40):
        n = random.integers(1, 30)
        values = random.integers(-3, 4, n) / 4 if random.random() < 0.5 else random.normal(size=n)
        yield mask(values, random.choice([0, 0.2, 0.5, 0.8, 0.95]).item())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    random = numpy.random.default_rng(parser.parse_args().seed)
    print(json.dumps({"counts": counts(random), "masks": list(masks(random))},
                     separators=(",", ":")))


if __name__ == "__main__":
    main()
