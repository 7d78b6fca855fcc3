#!/usr/bin/env python3
"""Records one training step of small networks as PyTorch and Keras compute it, for tests/nn.

A network is Millrace's own JSON of a model. For each: parameters (Millrace's order and layout),
input, labels, the logits outside training, and of one training step the mean loss, the gradient of
every trainable parameter and the running statistics after it. All in float64; inputs and parameters
are numbers that float32 holds exactly. Softmax cross-entropy on integer labels throughout.
Recorded with Python 3.11, torch 2.15.0, keras 3.15.1 on tensorflow 2.21.0.

    python3 tests/reference/record_networks.py --seed 1 > tests/data/nn/networks.json
"""
import argparse
import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import keras
import numpy
import tensorflow
import torch
import torch.nn.functional as functional

SAMPLES = 4


def conv(filters, rows, columns, **options):
    return {"kind": "conv2d", "filters": filters, "rows": rows, "columns": columns, **options}


def dense(units, **options):
    return {"kind": "dense", "units": units, **options}


def kind(name, **options):
    return {"kind": name, **options}


FLATTEN, RELU = kind("flatten"), kind("relu")
NETWORKS = [
    ("torch", "dense layers with ReLU, sigmoid and softmax", [5],
     [dense(7), RELU, dense(6, bias=False), kind("sigmoid"), dense(4), kind("softmax"), dense(3)]),
    ("torch", "convolutions without padding, strides 1 and 2", [9, 8, 2],
     [conv(3, 3, 3), RELU, conv(4, 2, 3, stride=2, bias=False), FLATTEN, dense(3)]),
    ("keras", "convolutions with TensorFlow's same padding", [6, 7, 2],
     [conv(3, 3, 3, stride=2, padding="same"), RELU, conv(2, 2, 4, padding="same"), FLATTEN,
      dense(3)]),
    ("torch", "overlapping max and average pooling", [11, 10, 2],
     [conv(3, 2, 2), kind("max_pool2d", size=3, stride=2), kind("avg_pool2d", size=2, stride=1),
      FLATTEN, dense(3)]),
    ("keras", "pooling with same padding", [8, 7, 2],
     [conv(3, 1, 1), kind("max_pool2d", size=3, stride=2, padding="same"),
      kind("avg_pool2d", size=3, stride=2, padding="same"), FLATTEN, dense(3)]),
    ("torch", "batch norm of images, PyTorch's", [5, 4, 2],
     [conv(3, 2, 2), kind("batch_norm", momentum=0.9, epsilon=1e-5), RELU, kind("global_avg_pool"),
      dense(3)]),
    ("keras", "batch norm of images, Keras's", [5, 4, 2],
     [conv(3, 2, 2), kind("batch_norm", momentum=0.99, epsilon=1e-3, biased_variance=True), RELU,
      kind("global_avg_pool"), dense(3)]),
    ("torch", "batch norm of features", [6],
     [dense(5), kind("batch_norm", momentum=0.75, epsilon=1e-3), RELU, dense(3)]),
    ("torch", "a frozen convolution and batch norm in the middle", [6, 6, 2],
     [conv(3, 3, 3), conv(3, 2, 2, trainable=False), kind("batch_norm", trainable=False), RELU,
      FLATTEN, dense(3)]),
    ("torch", "tanh on images and on features", [6, 5, 2],
     [conv(3, 2, 2), kind("tanh"), FLATTEN, dense(6), kind("tanh"), dense(3)]),
]
STATISTICS = ("running_mean", "running_var")


def as_float32(values):
    return numpy.asarray(values, dtype="float32").astype("float64")


def named(layers):
    return [{"name": f"{layer['kind']}{i}", **layer} for i, layer in enumerate(layers)]


def window_output(extent, size, stride, padding):
    return -(-extent // stride) if padding == "same" else (extent - size) // stride + 1


def parameter_shapes(shape, layers):
    """Yields (layer, parameter, shape) in the order of the layers."""
    shape = list(shape)
    for layer in layers:
        what, stride, padding = layer["kind"], layer.get("stride", 1), layer.get("padding", "valid")
        if what in ("dense", "conv2d"):
            kernel = [layer["units"], shape[0]] if what == "dense" else [
                layer["filters"], shape[2], layer["rows"], layer["columns"]]
            yield layer, "weight", kernel
            if layer.get("bias", True):
                yield layer, "bias", kernel[:1]
            if what == "dense":
                shape = [layer["units"]]
            else:
                shape = [window_output(shape[0], layer["rows"], stride, padding),
                         window_output(shape[1], layer["columns"], stride, padding),
                         layer["filters"]]
        elif what.endswith("pool2d"):
            shape[:2] = [window_output(extent, layer["size"], stride, padding)
                         for extent in shape[:2]]
        elif what == "batch_norm":
            for parameter in ("weight", "bias", *STATISTICS):
                yield layer, parameter, [shape[-1]]
        elif what == "flatten":
            shape = [int(numpy.prod(shape))]
        elif what == "global_avg_pool":
            shape = shape[2:]


def torch_forward(layers, parameters, x, training):
    """Activations are kept as Millrace orders them, channels last."""
    for layer in layers:
        what = layer["kind"]
        get = lambda name: parameters.get(f"{layer['name']}.{name}")
        images_first = lambda values: values.permute(0, 3, 1, 2)
        images_last = lambda values: values.permute(0, 2, 3, 1)
        if what == "dense":
            x = functional.linear(x, get("weight"), get("bias"))
        elif what == "conv2d":
            x = images_last(functional.conv2d(images_first(x), get("weight"), get("bias"),
                                              stride=layer.get("stride", 1)))
        elif what == "max_pool2d":
            x = images_last(functional.max_pool2d(images_first(x), layer["size"], layer["stride"]))
        elif what == "avg_pool2d":
            x = images_last(functional.avg_pool2d(images_first(x), layer["size"], layer["stride"]))
        elif what == "batch_norm":
            flat = x.reshape(-1, x.shape[-1])
            x = functional.batch_norm(
                flat, get("running_mean"), get("running_var"), get("weight"), get("bias"),
                training=training and layer.get("trainable", True),
                momentum=1 - layer.get("momentum", 0.9), eps=layer.get("epsilon", 1e-5),
            ).reshape(x.shape)
        else:
            x = {"flatten": lambda v: v.reshape(len(v), -1), "relu": torch.relu,
                 "sigmoid": torch.sigmoid, "tanh": torch.tanh, "softmax": lambda v: torch.softmax(v, -1),
                 "global_avg_pool": lambda v: v.mean(dim=(1, 2))}[what](x)
    return x


def by_torch(model, parameters, x, labels):
    values = {name: torch.tensor(value) for name, value in parameters.items()}
    frozen = {layer["name"] for layer in model["layers"] if not layer.get("trainable", True)}
    trainable = [name for name in values
                 if not name.endswith(STATISTICS) and name.split(".")[0] not in frozen]
    for name in trainable:
        values[name].requires_grad_()
    x, labels = torch.tensor(x), torch.tensor(labels)
    logits = torch_forward(model["layers"], values, x, training=False)
    trained = torch_forward(model["layers"], values, x, training=True)
    loss = functional.cross_entropy(trained, labels)
    loss.backward()
    return (logits.detach().numpy(), loss.item(),
            {name: values[name].grad.numpy() for name in trainable},
            {name: value.numpy() for name, value in values.items() if name.endswith(STATISTICS)})


def keras_layer(layer):
    what, layers = layer["kind"], keras.layers
    options = {"padding": layer.get("padding", "valid")}
    if what == "dense":
        return layers.Dense(layer["units"])
    if what == "conv2d":
        return layers.Conv2D(layer["filters"], (layer["rows"], layer["columns"]),
                             strides=layer.get("stride", 1), **options)
    if what == "max_pool2d":
        return layers.MaxPooling2D(layer["size"], layer["stride"], **options)
    if what == "avg_pool2d":
        return layers.AveragePooling2D(layer["size"], layer["stride"], **options)
    if what == "batch_norm":
        return layers.BatchNormalization(momentum=layer["momentum"], epsilon=layer["epsilon"])
    return {"flatten": layers.Flatten, "relu": layers.ReLU,
            "global_avg_pool": layers.GlobalAveragePooling2D}[what]()


KERAS_NAMES = {"kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias",
               "moving_mean": "running_mean", "moving_variance": "running_var"}


def to_keras(value):
    return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T


def from_keras(value):
    return value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T


def by_keras(model, parameters, x, labels):
    layers = [keras_layer(layer) for layer in model["layers"]]
    network = keras.Sequential([keras.Input(model["input"]), *layers])
    names = {}
    for layer, described in zip(layers, model["layers"]):
        for variable in layer.variables:
            names[variable.path] = f"{described['name']}.{KERAS_NAMES[variable.name]}"
            variable.assign(to_keras(parameters[names[variable.path]]))
    logits = network(x, training=False)
    with tensorflow.GradientTape() as tape:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
            labels, network(x, training=True))
    gradients = tape.gradient(loss, [variable.value for variable in network.trainable_variables])
    return (logits.numpy(), float(loss),
            {names[variable.path]: from_keras(gradient.numpy())
             for variable, gradient in zip(network.trainable_variables, gradients)},
            {names[variable.path]: variable.numpy()
             for variable in network.non_trainable_variables})


def record(random, library, name, shape, layers):
    model = {"name": name, "input": shape, "layers": named(layers)}
    parameters = {}
    for layer, parameter, extents in parameter_shapes(shape, model["layers"]):
        value = random.normal(size=extents) * 0.7
        if parameter == "running_var":
            value = 0.5 + value ** 2
        parameters[f"{layer['name']}.{parameter}"] = as_float32(value)
    x = as_float32(random.normal(size=[SAMPLES, *shape]))
    labels = random.integers(0, 3, size=SAMPLES)
    run = by_torch if library == "torch" else by_keras
    logits, loss, gradients, statistics = run(model, parameters, x, labels)
    flat = lambda values: {key: value.ravel().tolist() for key, value in values.items()}
    return {"library": library, "model": model, "parameters": flat(parameters),
            "input": x.ravel().tolist(), "labels": labels.tolist(),
            "logits": logits.ravel().tolist(), "mean_loss": loss, "gradients": flat(gradients),
            "statistics": flat(statistics)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    random = numpy.random.default_rng(parser.parse_args().seed)
    keras.config.set_floatx("float64")
    print(json.dumps([record(random, *network) for network in NETWORKS], indent=None))


if __name__ == "__main__":
    main()
