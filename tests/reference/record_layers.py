#!/usr/bin/env python3
"""Records what layers make of random numbers, and their gradients, as PyTorch computes them.

For each layer, which is Millrace's own JSON: input, parameters and dy, all of which float32 holds
exactly, then y, dx and the gradients of the parameters, in float64. Activations also get the
places where their slope jumps. Images are channels last.
Recorded with Python 3.11, torch 2.15.0.

    python3 tests/reference/record_layers.py > tests/data/nn/layers.json
"""
import json
import zlib

import numpy
import torch
import torch.nn.functional as functional

SAMPLES = 2


def float32(option):
    """What an option is that Millrace keeps as float32."""
    return float(numpy.float32(option))


def hard_sigmoid(x):
    # functional.hardsigmoid's gradient is a sixth of float32, also in float64.
    return functional.relu6(x + 3) / 6


def layer_norm(epsilon):
    return lambda x, weight, bias: functional.layer_norm(x, x.shape[-1:], weight, bias,
                                                         float32(epsilon))


def images_first(function):
    return lambda x: function(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


ELEMENTWISE = [
    ({"kind": "relu"}, torch.relu),
    ({"kind": "sigmoid"}, torch.sigmoid),
    ({"kind": "tanh"}, torch.tanh),
    ({"kind": "relu6"}, functional.relu6),
    ({"kind": "leaky_relu"}, lambda x: functional.leaky_relu(x, float32(0.01))),
    ({"kind": "leaky_relu", "negative_slope": 0.25}, lambda x: functional.leaky_relu(x, 0.25)),
    ({"kind": "silu"}, functional.silu),
    ({"kind": "gelu"}, functional.gelu),
    ({"kind": "hard_swish"}, functional.hardswish),
    ({"kind": "hard_sigmoid"}, hard_sigmoid),
]

IMAGE = [3, 2, 5]
LAYERS = [  # with a function of the input and the parameters, whose shapes follow
    ({"kind": "layer_norm"}, IMAGE, layer_norm(1e-5), {"weight": [5], "bias": [5]}),
    ({"kind": "layer_norm", "epsilon": 0.25}, [7], layer_norm(0.25),
     {"weight": [7], "bias": [7]}),
    ({"kind": "scale"}, IMAGE, torch.mul, {"weight": [5]}),
    ({"kind": "scale", "first": 0.5}, [7], torch.mul, {"weight": [7]}),
    ({"kind": "zero_padding", "top": 1, "bottom": 2, "left": 0, "right": 3}, IMAGE,
     images_first(lambda x: functional.pad(x, [0, 3, 1, 2])), {}),
    ({"kind": "upsample"}, IMAGE,
     images_first(lambda x: functional.interpolate(x, scale_factor=[2, 2], mode="nearest")), {}),
    ({"kind": "upsample", "rows": 3, "columns": 1}, IMAGE,
     images_first(lambda x: functional.interpolate(x, scale_factor=[3, 1], mode="nearest")), {}),
]


def as_float32(values):
    return numpy.asarray(values, dtype="float32").astype("float64")


def record(layer, shape, function, parameters, x=None):
    """`parameters`: shapes by name; `function` takes the input and them by name."""
    random = numpy.random.default_rng(zlib.crc32(json.dumps([layer, shape]).encode()))
    if x is None:
        x = random.normal(size=[SAMPLES, *shape])
    values = {"x": as_float32(x)}
    for name, extents in parameters.items():
        values[name] = as_float32(random.normal(size=extents))
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}
    y = function(*tensors.values())
    dy = as_float32(random.normal(size=y.shape))
    y.backward(torch.tensor(dy))
    flat = lambda value: value.ravel().tolist()
    gradients = {name: flat(tensor.grad.numpy()) for name, tensor in tensors.items()}
    return {"layer": layer, "shape": shape, "x": flat(values.pop("x")), "dy": flat(dy),
            "y": flat(y.detach().numpy()), "dx": gradients.pop("x"),
            "parameters": {name: flat(value) for name, value in values.items()},
            "gradients": gradients}


def main():
    points = numpy.concatenate([[-100, -12, -6, -3, -0.0, 0.0, 3, 6, 12, 100],
                                numpy.linspace(-7.9, 8.1, 22)]).reshape(SAMPLES, -1)
    records = [record(layer, [points.shape[1]], function, {}, points)
               for layer, function in ELEMENTWISE]
    records += [record(layer, shape, function, parameters)
                for layer, shape, function, parameters in LAYERS]
    print(json.dumps(records))


if __name__ == "__main__":
    main()
