#!/usr/bin/env python3
"""Records what PyTorch computes with the networks of the zoo, in float64, for tests/nn and tests/cpu.

Networks are torchvision's, and EfficientNet-Lite0 of the package efficientnet_lite_pytorch. Weights and
images come from a rule (rule.py), element by element of each tensor of the library's state_dict, by its
name; the output layer is divided by a number that makes its largest logit about 1. Dropout and stochastic
depth are off. VGG's pooling to 7x7 is left out, which Millrace does not have. Of each network:
  tensors      a hash of the names and shapes of all tensors but counts of steps
  parameters   their number with 1000 outputs at 224x224, running statistics not counted
  logits       outside training
  loss         cross-entropy in training mode, and of its gradient the norm and the product with numbers
               of a rule
  steps        the losses of 20 steps of SGD
Recorded with Python 3.11, torch 2.15.0, torchvision 0.29.2, efficientnet_lite_pytorch 0.1.0.

    python3 tests/reference/record_zoo.py > tests/data/nn/zoo.json
"""
import argparse
import json
import math

import numpy
import torch
import torchvision
from efficientnet_lite_pytorch import EfficientNet
from rule import mixed, name_hash

SEED, CLASSES = 1, 5
IMAGES = 1000  # the number of the tensor of images
HEIGHT, WIDTH = 35, 33
STEPS = 20
# Of each: samples; and of 20 steps: size, samples, learning rate. The rates are small: with larger ones
# PyTorch's own float32 leaves its float64 by more than a ten-thousandth.
NETWORKS = {
    "resnet18": (4, (48, 48, 8, 0.001)),
    "resnet34": (4, (64, 64, 8, 0.001)),
    "resnet50": (4, (64, 64, 8, 0.0001)),
    "mobilenet_v2": (4, (64, 64, 8, 0.00002)),
    "mobilenet_v2:0.35": (4, (64, 64, 8, 0.00001)),
    "mobilenet_v2:1.4": (2, (64, 64, 8, 0.00003)),
    "squeezenet1_1": (2, (64, 64, 8, 0.001)),
    "vgg11": (2, (32, 32, 8, 0.0003)),
    "vgg11_bn": (2, (32, 32, 8, 0.0001)),
    "vgg13": (2, (32, 32, 8, 0.0003)),
    "vgg13_bn": (2, (32, 32, 8, 0.0001)),
    "vgg16": (2, (32, 32, 8, 0.0001)),
    "vgg16_bn": (2, (32, 32, 8, 0.00003)),
    "vgg19": (2, (32, 32, 8, 0.00003)),
    "vgg19_bn": (2, (32, 32, 8, 0.000003)),
    "efficientnet_b0": (4, (64, 64, 8, 0.02)),
    "efficientnet_lite0": (4, (64, 64, 8, 0.0001)),
    "mobilenet_v3_small": (4, (64, 64, 8, 0.02)),
    "mobilenet_v3_large": (4, (64, 64, 8, 0.005)),
    "convnext_tiny": (2, (64, 64, 8, 0.02)),
}


def build(spec, classes, height, width):
    name, _, word = spec.partition(":")
    if name == "efficientnet_lite0":
        network = EfficientNet.from_name("efficientnet-lite0", num_classes=classes,
                                         image_size=(height, width), drop_connect_rate=0.0)
    else:
        options = {"width_mult": float(word)} if word else {}
        network = getattr(torchvision.models, name)(weights=None, num_classes=classes, **options)
    if name.startswith("vgg"):
        pixels = (height // 32) * (width // 32)
        network.avgpool = torch.nn.Identity()
        network.classifier[0] = torch.nn.Linear(512 * pixels, 4096)
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if isinstance(module, torchvision.ops.StochasticDepth):
            module.p = 0.0
        if hasattr(module, "eps"):
            module.eps = float(numpy.float32(module.eps))
    return network.double()


def tensors(network):
    return {name: value for name, value in network.state_dict().items()
            if not name.endswith("num_batches_tracked")}


def output_layer(network):
    """The last layer with a kernel: its name."""
    return [name.rsplit(".", 1)[0] for name, value in tensors(network).items() if value.ndim > 1][-1]


def is_of_norm(network, name):
    module = network.get_submodule(name.rsplit(".", 1)[0]) if "." in name else network
    return isinstance(module, (torch.nn.BatchNorm2d, torch.nn.LayerNorm))


def rule_value(network, name, value):
    count, kind = value.numel(), name.rsplit(".", 1)[-1]
    values = mixed(SEED, name_hash(name), count) / 2**31 - 1
    if kind == "running_var" or kind == "layer_scale" or (
            kind == "weight" and is_of_norm(network, name)):
        values = 1 + 0.25 * values
    elif kind == "weight":
        values = values * math.sqrt(6.0 / math.prod(value.shape[1:]))
    else:
        values = values * 0.1
    return values


def fill(network, scale):
    with torch.no_grad():
        last = output_layer(network)
        for name, value in tensors(network).items():
            values = rule_value(network, name, value)
            if name.startswith(last + "."):
                values = values / scale
            value.copy_(torch.tensor(values.astype("float32")).reshape(value.shape))


def images(height, width, samples):
    pixels = mixed(SEED, IMAGES, samples * height * width * 3) >> numpy.uint32(24)
    values = pixels.reshape(samples, height, width, 3) / 128.0 - 1
    return torch.tensor(values).permute(0, 3, 1, 2), torch.arange(samples) % CLASSES


def output_scale(spec, height, width, samples):
    """A power of two: the division rounds nothing."""
    network = build(spec, CLASSES, height, width)
    fill(network, 1)
    x, _ = images(height, width, samples)
    with torch.no_grad():
        largest = max(network.eval()(x).abs().max().item(), network.train()(x).abs().max().item())
    return 2.0 ** math.ceil(math.log2(largest))


def gradient(network):
    norm, product = 0.0, 0.0
    for name, value in network.named_parameters():
        flat = value.grad.reshape(-1).numpy()
        norm += float((flat * flat).sum())
        product += float((flat * (mixed(SEED + 1, name_hash(name), flat.size) / 2**31 - 1)).sum())
    return [math.sqrt(norm), product]


def record_outputs(spec, samples):
    scale = output_scale(spec, HEIGHT, WIDTH, samples)
    network = build(spec, CLASSES, HEIGHT, WIDTH)
    fill(network, scale)
    x, labels = images(HEIGHT, WIDTH, samples)
    with torch.no_grad():
        logits = network.eval()(x)
    loss = torch.nn.functional.cross_entropy(network.train()(x), labels)
    loss.backward()
    lines = sorted(f"{name} {'x'.join(map(str, value.shape))}\n"
                   for name, value in tensors(network).items())
    return {"size": [HEIGHT, WIDTH], "samples": samples, "scale": scale,
            "output": output_layer(network), "tensors": name_hash("".join(lines)),
            "logits": logits.reshape(-1).tolist(), "loss": loss.item(),
            "gradient": gradient(network)}


def record_steps(spec, height, width, samples, rate):
    scale = output_scale(spec, height, width, samples)
    network = build(spec, CLASSES, height, width)
    fill(network, scale)
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=rate)
    x, labels = images(height, width, samples)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(x), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"size": [height, width], "samples": samples, "scale": scale, "rate": rate,
            "losses": losses}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("specs", nargs="*", help="all by default")
    torch.set_num_threads(1)
    networks = []
    for spec in parser.parse_args().specs or NETWORKS:
        samples, steps = NETWORKS[spec]
        record = {"spec": spec, **record_outputs(spec, samples)}
        whole = build(spec, 1000, 224, 224)
        record["parameters"] = sum(value.numel() for value in whole.parameters())
        record["steps"] = record_steps(spec, *steps)
        networks.append(record)
    print(json.dumps({"seed": SEED, "classes": CLASSES, "networks": networks}, indent=0))


if __name__ == "__main__":
    main()
