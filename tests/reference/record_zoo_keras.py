#!/usr/bin/env python3
"""Records what keras.applications computes with the networks of the zoo, in float64, for tests/nn.

As record_zoo.py, but tensors are counted by Keras's names of layers, "conv1_conv/kernel", and made in
Millrace's layout before they are turned into Keras's. Layers that scale pixels are left out or undone.
Of each network: logits outside training, and the loss in training mode without dropout.
Recorded with Python 3.11, keras 3.15.1 on torch 2.15.0.

    python3 tests/reference/record_zoo_keras.py > tests/data/nn/zoo_keras.json
"""
import json
import math
import os

os.environ["KERAS_BACKEND"] = "torch"
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import keras
import numpy
import torch
from keras.src.backend.common import dtypes
from rule import mixed, name_hash

SEED, CLASSES, IMAGES = 1, 5, 1000
HEIGHT, WIDTH, SAMPLES = 35, 33, 2
APPLICATIONS = keras.applications
RAW = {"include_preprocessing": False}
NETWORKS = {
    "resnet50:keras": (APPLICATIONS.ResNet50, {}),
    "mobilenet_v2:keras": (APPLICATIONS.MobileNetV2, {}),
    "mobilenet_v2:0.35:keras": (APPLICATIONS.MobileNetV2, {"alpha": 0.35}),
    "mobilenet_v3_small:keras": (APPLICATIONS.MobileNetV3Small, RAW),
    "mobilenet_v3_large:keras": (APPLICATIONS.MobileNetV3Large, RAW),
    "efficientnet_b0:keras": (APPLICATIONS.EfficientNetB0, {}),
    "convnext_tiny": (APPLICATIONS.ConvNeXtTiny, RAW),
    "vgg19": (APPLICATIONS.VGG19, {}),
}
AROUND_ONE = ("gamma", "moving_variance")


def build(spec):
    make, options = NETWORKS[spec]
    network = make(weights=None, input_shape=(HEIGHT, WIDTH, 3), classes=CLASSES,
                   classifier_activation=None, **options)
    for layer in network._flatten_layers():
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
        if hasattr(layer, "epsilon"):
            layer.epsilon = float(numpy.float32(layer.epsilon))
    return network


def variables(network):
    """(layer, variable) of all layers that hold weights themselves, but those that scale pixels."""
    for layer in network._flatten_layers():
        leads = isinstance(layer, (keras.Model, keras.layers.Normalization))
        if leads:
            continue
        for variable in layer.variables:
            if variable.name != "seed_generator_state":
                yield layer, variable


def kind(variable):
    if variable.name.startswith("variable"):  # LayerScale does not name its factors
        return "gamma"
    return "kernel" if "kernel" in variable.name else variable.name


def fill(network, scale, output):
    for layer, variable in variables(network):
        shape, what = tuple(variable.shape), kind(variable)
        values = mixed(SEED, name_hash(f"{layer.name}/{what}"), math.prod(shape)) / 2**31 - 1
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        if what == "kernel":
            inputs = math.prod(shape[:2] if depthwise else shape[:-1])
            values = values * math.sqrt(6.0 / inputs)
        else:
            values = 1 + 0.25 * values if what in AROUND_ONE else values * 0.1
        if layer.name == output:
            values = values / scale
        values = values.astype("float32").astype("float64")
        if depthwise:  # [channels][1][rows][columns]
            values = values.reshape(shape[2], shape[3], *shape[:2]).transpose(2, 3, 0, 1)
        elif len(shape) == 4:  # [filters][channels][rows][columns]
            values = values.reshape(shape[3], shape[2], *shape[:2]).transpose(2, 3, 1, 0)
        elif len(shape) == 2:
            values = values.reshape(shape[::-1]).T
        variable.assign(values.reshape(shape))


def images(spec):
    pixels = mixed(SEED, IMAGES, SAMPLES * HEIGHT * WIDTH * 3) >> numpy.uint32(24)
    x = pixels.reshape(SAMPLES, HEIGHT, WIDTH, 3) / 128.0 - 1
    return torch.tensor(x * 255 if spec.startswith("efficientnet") else x)


def record(spec):
    network = build(spec)
    output = [layer.name for layer, variable in variables(network) if kind(variable) == "kernel"][-1]
    fill(network, 1, output)
    x = images(spec)
    with torch.no_grad():
        largest = max(float(network(x, training=training).abs().max()) for training in (True, False))
    scale = 2.0 ** math.ceil(math.log2(largest))
    fill(network, scale, output)
    with torch.no_grad():
        logits = network(x, training=False)
        trained = network(x, training=True)
    loss = torch.nn.functional.cross_entropy(trained, torch.arange(SAMPLES) % CLASSES)
    return {"spec": spec, "size": [HEIGHT, WIDTH], "samples": SAMPLES, "scale": scale,
            "output": output, "logits": logits.reshape(-1).tolist(), "loss": loss.item()}


def main():
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"  # else sums and products are float32's
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    torch.set_num_threads(1)
    print(json.dumps({"seed": SEED, "classes": CLASSES, "networks": [record(s) for s in NETWORKS]},
                     indent=0))


if __name__ == "__main__":
    main()
