"""Records the buckets of TensorBoard's own histograms for tests/io/events_test.cpp.

usage: python record_histograms.py OUT.json [--seed 4]    (tensorboard 2.21.0, numpy 2.4.6)
"""
import argparse
import json

import numpy as np
from tensorboard.plugins.histogram import summary_v2
from tensorboard.util import tensor_util


def case(name, values, buckets):
    values = np.asarray(values, np.float32)
    summary = summary_v2.histogram_pb("tag", values, buckets=buckets)
    rows = tensor_util.make_ndarray(summary.value[0].tensor)
    return {
        "name": name,
        "values": [float(v) for v in values],
        "buckets": buckets,
        "rows": rows.tolist(),
    }


parser = argparse.ArgumentParser()
parser.add_argument("out")
parser.add_argument("--seed", type=int, default=4)
arguments = parser.parse_args()
random = np.random.default_rng(arguments.seed)
cases = [
    case("six values", [0, 1, 1.5, 2, 5, 10], 5),
    case("one value", [3], 4),
    case("equal values", [-0.25] * 7, 3),
    case("no value", [], 3),
    case("normal", random.normal(0, 0.05, 200), 30),
    case("uniform", random.uniform(-1, 1, 100), 7),
    case("two values", [-1e-30, 1e30], 2),
]
with open(arguments.out, "w") as out:
    json.dump({"seed": arguments.seed, "cases": cases}, out, indent=0)
    out.write("\n")
