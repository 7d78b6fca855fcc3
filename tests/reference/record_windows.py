#!/usr/bin/env python3
"""Records convolutions and poolings of PyTorch in float64, with their gradients, for tests/nn/windows_test.cpp.

Images are written as [N][H][W][C], kernels as [filters][channels / groups][rows][columns]. Each case has the layer as a
model file has it. Padding that differs from side to side is put around the image first: of zeros for convolutions, of
-inf for maxima; a mean that does not count it is the mean with zeros divided by that of an image of ones.
Recorded with Python 3.11, torch 2.15.0, numpy 2.4.6.

    python3 tests/reference/record_windows.py > tests/data/nn/windows.json
"""
import json
import math
import sys

import numpy
import torch
from torch.nn import functional

CONVOLUTIONS = [
    ("two groups", (1, 5, 6, 4), {"filters": 6, "rows": 3, "columns": 3, "groups": 2}),
    ("depthwise", (2, 5, 4, 3), {"filters": 3, "rows": 3, "columns": 3, "padding": [1, 1, 1, 1], "groups": 3}),
    ("depthwise, two filters a channel, stride 2", (1, 6, 5, 3),
     {"filters": 6, "rows": 2, "columns": 3, "stride": 2, "groups": 3, "bias": False}),
    ("dilation 2", (1, 7, 8, 2), {"filters": 3, "rows": 3, "columns": 2, "dilation": 2}),
    ("dilation of rows alone", (1, 7, 6, 2), {"filters": 2, "rows": 3, "columns": 3, "padding": [2, 2, 1, 1],
                                              "dilation": [2, 1]}),
    ("padding of every side", (1, 4, 5, 2), {"filters": 2, "rows": 3, "columns": 3, "padding": [0, 3, 2, 1]}),
    ("padding wider than the window", (1, 3, 3, 2), {"filters": 2, "rows": 2, "columns": 2, "padding": [3, 3, 3, 3],
                                                     "stride": 2}),
    ("strides that differ", (2, 7, 8, 2), {"filters": 3, "rows": 3, "columns": 2, "stride": [1, 3]}),
    ("everything", (1, 9, 8, 4), {"filters": 8, "rows": 3, "columns": 2, "stride": [2, 1], "padding": [1, 2, 0, 1],
                                  "groups": 2, "dilation": [1, 2]}),
]
POOLINGS = [
    ("max, of a rectangle", (1, 6, 7, 2), {"kind": "max_pool2d", "size": [2, 3], "stride": [2, 1]}),
    ("max, padded", (2, 5, 5, 2), {"kind": "max_pool2d", "size": 3, "stride": 2, "padding": [1, 1, 1, 1]}),
    ("max, padded on two sides", (1, 5, 6, 2), {"kind": "max_pool2d", "size": 3, "stride": 2,
                                                "padding": [0, 2, 1, 0]}),
    ("max, ceil", (1, 6, 8, 2), {"kind": "max_pool2d", "size": 3, "stride": 2, "ceil": True}),
    ("max, ceil and padded", (1, 6, 7, 2), {"kind": "max_pool2d", "size": 3, "stride": 2, "padding": [1, 1, 1, 1],
                                            "ceil": True}),
    ("max, ceil, a window that would begin in the padding behind", (1, 4, 4, 2),
     {"kind": "max_pool2d", "size": 2, "stride": 3, "padding": [1, 1, 1, 1], "ceil": True}),
    ("max, ceil, a window larger than the image", (1, 2, 3, 2), {"kind": "max_pool2d", "size": 3, "stride": 2,
                                                                 "ceil": True}),
    ("average, of a rectangle", (1, 6, 7, 2), {"kind": "avg_pool2d", "size": [3, 2], "stride": [1, 2]}),
    ("average, padded", (2, 5, 5, 2), {"kind": "avg_pool2d", "size": 3, "stride": 2, "padding": [1, 1, 1, 1]}),
    ("average, padding counted", (1, 5, 5, 2), {"kind": "avg_pool2d", "size": 3, "stride": 2,
                                                "padding": [1, 1, 1, 1], "count_padding": True}),
    ("average, padded on two sides", (1, 5, 6, 2), {"kind": "avg_pool2d", "size": 3, "stride": 2,
                                                    "padding": [0, 2, 1, 0]}),
    ("average, padding of two sides counted", (1, 5, 6, 2),
     {"kind": "avg_pool2d", "size": 3, "stride": 2, "padding": [0, 2, 1, 0], "count_padding": True}),
    ("average, ceil", (1, 6, 8, 2), {"kind": "avg_pool2d", "size": 3, "stride": 2, "ceil": True}),
    ("average, ceil and padded", (1, 6, 7, 2), {"kind": "avg_pool2d", "size": 3, "stride": 2,
                                                "padding": [1, 1, 1, 1], "ceil": True}),
    ("average, ceil and padding counted", (1, 6, 7, 2),
     {"kind": "avg_pool2d", "size": 3, "stride": [2, 3], "padding": [1, 1, 1, 1], "ceil": True,
      "count_padding": True}),
    ("adaptive average", (2, 7, 5, 2), {"kind": "adaptive_avg_pool", "rows": 3, "columns": 2}),
    ("adaptive average, whole parts", (1, 6, 4, 2), {"kind": "adaptive_avg_pool", "rows": 3, "columns": 1}),
    ("adaptive average, more than there is", (1, 2, 5, 2), {"kind": "adaptive_avg_pool", "rows": 3, "columns": 4}),
]


def random(generator, *shape):
    return numpy.round(generator.normal(size=shape), 3)


def rounded(values):
    return [round(float(value), 13) for value in values.detach().reshape(-1)]


def channels_last(values):
    return rounded(values.permute(0, 2, 3, 1))


def padded(image, padding, value=0.0):
    top, bottom, left, right = padding
    return functional.pad(image, (left, right, top, bottom), value=value)


def pair(value):
    return tuple(value) if isinstance(value, list) else (value, value)


def convolve(x, layer, w, b):
    return functional.conv2d(padded(x, layer.get("padding", [0] * 4)), w, b, pair(layer.get("stride", 1)), 0,
                             pair(layer.get("dilation", 1)), layer.get("groups", 1))


def pool(x, layer):
    if layer["kind"] == "adaptive_avg_pool":
        return functional.adaptive_avg_pool2d(x, (layer["rows"], layer["columns"]))
    size, stride, ceil = pair(layer["size"]), pair(layer["stride"]), layer.get("ceil", False)
    padding = layer.get("padding", [0] * 4)
    is_even = padding[0] == padding[1] and padding[2] == padding[3]
    assert is_even or not ceil  # PyTorch's rule knows one number for both ends
    own = (padding[0], padding[2]) if is_even else (0, 0)
    rest = [0] * 4 if is_even else padding
    if layer["kind"] == "max_pool2d":
        return functional.max_pool2d(padded(x, rest, -math.inf), size, stride, own, ceil_mode=ceil)
    if is_even:
        return functional.avg_pool2d(x, size, stride, own, ceil, layer.get("count_padding", False))
    mean = functional.avg_pool2d(padded(x, rest), size, stride)
    if layer.get("count_padding"):
        return mean
    return mean / functional.avg_pool2d(padded(torch.ones_like(x), rest), size, stride)


def main():
    generator = numpy.random.default_rng(1)
    cases = []
    for name, (samples, height, width, channels), layer in CONVOLUTIONS + POOLINGS:
        x = torch.tensor(random(generator, samples, channels, height, width), requires_grad=True)
        case = {"name": name, "samples": samples, "input": [height, width, channels], "layer": layer}
        wanted = [x]
        if "kind" in layer:
            y = pool(x, layer)
        else:
            layer["kind"] = "conv2d"
            w = torch.tensor(random(generator, layer["filters"], channels // layer.get("groups", 1), layer["rows"],
                                    layer["columns"]), requires_grad=True)
            b = torch.tensor(random(generator, layer["filters"]), requires_grad=True)
            has_bias = layer.get("bias", True)
            wanted += [w, b] if has_bias else [w]
            y = convolve(x, layer, w, b if has_bias else None)
            case["w"] = rounded(w)
            case["b"] = rounded(b) if has_bias else []
        dy = torch.tensor(random(generator, *y.shape))
        gradients = torch.autograd.grad(y, wanted, dy)
        case |= {"output": [y.shape[2], y.shape[3], y.shape[1]], "x": channels_last(x), "y": channels_last(y),
                 "dy": channels_last(dy), "dx": channels_last(gradients[0])}
        case |= {key: rounded(value) for key, value in zip(["dw", "db"], gradients[1:])}
        cases.append(case)
    json.dump(cases, sys.stdout, separators=(",", ":"))
    print()


if __name__ == "__main__":
    main()
