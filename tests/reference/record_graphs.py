#!/usr/bin/env python3
"""Records networks with branches from PyTorch, in float64, for tests/nn and tests/cpu.

A residual network, an inverted-residual one with a depthwise convolution and
squeeze-and-excitation, and a fire module. Models are written in Millrace's JSON and run here by
PyTorch's functions, layer by layer. Of each: parameters, a batch, the outputs in evaluation, the
loss and all gradients of a training step with the running statistics behind it, and the parameters
after 20 steps of SGD on that batch. Kernels are written in PyTorch's order.
Recorded with Python 3.11, torch 2.15.0.

    python3 tests/reference/record_graphs.py --seed 1 > tests/data/nn/graphs.json
"""
import argparse
import json

import torch
import torch.nn.functional as F

SAMPLES, STEPS, RATE = 4, 20, 0.05
MOMENTUM, EPSILON = 0.875, 2**-16  # exact in float32


class Builder:
    """A chain of layers; `inputs` names what a layer takes where it is not the one before."""

    def __init__(self, name, shape):
        self.model = {"name": name, "input": shape, "layers": []}
        self.count = {}

    def add(self, kind, inputs=None, **options):
        self.count[kind] = self.count.get(kind, 0) + 1
        layer = {"name": f"{kind}{self.count[kind]}", "kind": kind}
        if inputs:
            layer["inputs"] = inputs
        self.model["layers"].append({**layer, **options})
        return layer["name"]

    def conv(self, filters, size, stride=1, bias=False, inputs=None, **more):
        return self.add("conv2d", inputs, filters=filters, rows=size, columns=size, stride=stride,
                        padding="same", bias=bias, **more)

    def norm(self, activation=None):
        name = self.add("batch_norm", momentum=MOMENTUM, epsilon=EPSILON)
        return self.add(activation) if activation else name


def residual():
    b = Builder("residual", [8, 7, 3])
    b.conv(6, 3)
    x = b.norm("relu")
    for filters, stride in [(6, 1), (8, 2)]:
        b.conv(filters, 3, stride, inputs=[x])
        b.norm("relu")
        b.conv(filters, 3)
        y = b.norm()
        if stride != 1:
            b.conv(filters, 1, stride, inputs=[x])
            x = b.norm()
        b.add("add", [y, x])
        x = b.add("relu")
    b.add("global_avg_pool")
    b.add("dense", units=4)
    return b.model


def inverted_residual():
    b = Builder("inverted residual", [9, 8, 3])
    b.conv(6, 3, 2)
    x = b.norm("relu6")
    b.conv(12, 1)
    b.norm("relu6")
    b.conv(12, 3, groups=12)
    y = b.norm("relu6")
    b.add("global_avg_pool")
    b.add("dense", units=3)
    b.add("relu")
    b.add("dense", units=12)
    gate = b.add("sigmoid")
    b.add("multiply", [y, gate])
    b.conv(6, 1)
    b.add("add", [b.norm(), x])
    b.add("global_avg_pool")
    b.add("dense", units=4)
    return b.model


def fire():
    b = Builder("fire", [13, 12, 3])
    b.conv(8, 3, 2, True)
    b.add("relu")
    b.add("max_pool2d", size=3, stride=2, padding="valid")
    b.conv(4, 1, 1, True)
    x = b.add("relu")
    b.conv(6, 1, 1, True)
    left = b.add("relu")
    b.conv(6, 3, 1, True, [x])
    right = b.add("relu")
    b.add("concat", [left, right])
    b.conv(4, 1, 1, True)
    b.add("relu")
    b.add("global_avg_pool")
    return b.model


def padded(x, layer):
    """TensorFlow's "same": the odd pixel of padding at the bottom and right."""
    if layer["padding"] == "valid":
        return x
    sides = []
    for extent, size in [(x.shape[3], layer["columns"]), (x.shape[2], layer["rows"])]:
        missing = max((-(-extent // layer["stride"]) - 1) * layer["stride"] + size - extent, 0)
        sides += [missing // 2, missing - missing // 2]
    return F.pad(x, sides)


def parameters_of(model, generator):
    """Random ones of every layer, by name; shapes follow from a forward pass."""
    made = {}

    def draw(shape, scale, middle=0.0):
        values = torch.randn(shape, generator=generator, dtype=torch.float64) * scale + middle
        return (values * 2**16).round() / 2**16  # short in JSON, and exact in float32

    def make(layer, x):
        name, channels = layer["name"], x.shape[1]
        if layer["kind"] == "conv2d":
            inside = channels // layer.get("groups", 1)
            fan_in = inside * layer["rows"] * layer["columns"]
            made[name + ".weight"] = draw(
                [layer["filters"], inside, layer["rows"], layer["columns"]], (2 / fan_in) ** 0.5)
            if layer["bias"]:
                made[name + ".bias"] = draw([layer["filters"]], 0.2)
        elif layer["kind"] == "dense":
            made[name + ".weight"] = draw([layer["units"], channels], (1 / channels) ** 0.5)
            made[name + ".bias"] = draw([layer["units"]], 0.2)
        elif layer["kind"] == "batch_norm":
            made[name + ".weight"] = draw([channels], 0.2, 1.0)
            made[name + ".bias"] = draw([channels], 0.2)
            made[name + ".running_mean"] = draw([channels], 0.2)
            made[name + ".running_var"] = draw([channels], 0.1, 1.0).abs()

    run(model, made, torch.zeros(2, model["input"][2], *model["input"][:2], dtype=torch.float64),
        False, make)
    return made


def run(model, parameters, x, training, before=None):
    values = {"input": x}
    for layer in model["layers"]:
        taken = [values[name] for name in layer["inputs"]] if "inputs" in layer else [x]
        x = taken[0]
        if before:
            before(layer, x)

        def parameter(word, name=layer["name"]):
            return parameters.get(f"{name}.{word}")
        kind = layer["kind"]
        if kind == "conv2d":
            x = F.conv2d(padded(x, layer), parameter("weight"), parameter("bias"), layer["stride"],
                         groups=layer.get("groups", 1))
        elif kind == "dense":
            x = F.linear(x, parameter("weight"), parameter("bias"))
        elif kind == "batch_norm":
            x = F.batch_norm(x, parameter("running_mean"), parameter("running_var"),
                             parameter("weight"), parameter("bias"), training, 1 - MOMENTUM,
                             EPSILON)
        elif kind == "relu":
            x = F.relu(x)
        elif kind == "relu6":
            x = F.relu6(x)
        elif kind == "sigmoid":
            x = torch.sigmoid(x)
        elif kind == "max_pool2d":
            x = F.max_pool2d(x, layer["size"], layer["stride"])
        elif kind == "global_avg_pool":
            x = x.mean([2, 3])
        elif kind == "add":
            x = taken[0] + taken[1]
        elif kind == "concat":
            x = torch.cat(taken, 1)
        elif kind == "multiply":
            x = taken[0] * taken[1][:, :, None, None]
        else:
            raise ValueError(kind)
        values[layer["name"]] = x
    return x


def numbers(tensors):
    return {name: value.flatten().tolist() for name, value in tensors.items()}


def record(model, seed):
    generator = torch.Generator().manual_seed(seed)
    start = parameters_of(model, generator)
    height, width, channels = model["input"]
    image = torch.randn([SAMPLES, height, width, channels], generator=generator)
    image = ((image * 2**10).round() / 2**10).double()
    labels = torch.randint(4, [SAMPLES], generator=generator)
    x = image.permute(0, 3, 1, 2)
    parameters = {name: value.clone() for name, value in start.items()}
    trained = [name for name in parameters if "running" not in name]
    result = {"model": model, "parameters": numbers(start), "input": image.flatten().tolist(),
              "labels": labels.tolist(), "learning_rate": RATE, "steps": STEPS,
              "logits": run(model, parameters, x, False).flatten().tolist()}
    for step in range(STEPS):
        leaves = {name: parameters[name].detach().requires_grad_() for name in trained}
        loss = F.cross_entropy(run(model, {**parameters, **leaves}, x, True), labels)
        gradients = dict(zip(trained, torch.autograd.grad(loss, list(leaves.values()))))
        if step == 0:
            result["loss"] = loss.item()
            result["gradients"] = numbers(gradients)
            result["statistics"] = numbers(
                {name: value for name, value in parameters.items() if "running" in name})
        for name in trained:
            parameters[name] = parameters[name] - RATE * gradients[name]
    result["trained"] = numbers(parameters)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, required=True)
    seed = parser.parse_args().seed
    torch.set_num_threads(1)
    networks = [record(model, seed) for model in [residual(), fire()]]
    print("[" + ",\n".join(json.dumps(network) for network in networks) + "]")


main()
