#!/usr/bin/env python3
"""Training steps of networks with branches beside PyTorch's on a CPU.

    benchmarks/setup-cpu-peers FOLDER
    FOLDER/torch/bin/python benchmarks/graph_peers.py [--threads 2] [--rounds 3]
        [--millrace build/release/apps/millrace] [NETWORK...]

resnet18, mobilenet_v2 and squeezenet (1.1) as torchvision builds them, 1000 outputs, float32, 150x150,
batch 32, cross-entropy, Adam. PyTorch: channels_last. Millrace: `bench compute` of the same network
as JSON. The two in turns, a process each, so that whatever else the machine does meets both; told
are medians over the rounds.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

BATCH, SIDE, OUTPUTS = 32, 150, 1000
# Of MobileNetV2: expansion, channels, blocks, stride of the first.
INVERTED = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
            (6, 320, 1, 1)]
BASIC = [(64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)]
FIRES = [(16, 64), (16, 64), None, (32, 128), (32, 128), None, (48, 192), (48, 192), (64, 256),
         (64, 256)]


class Json:
    """Layers as Millrace's JSON has them; each takes what the one before makes, unless it says."""

    def __init__(self, name):
        self.model = {"name": name, "input": [SIDE, SIDE, 3], "layers": []}

    def add(self, kind, inputs=None, **options):
        name = f"{kind}{len(self.model['layers'])}"
        layer = {"name": name, "kind": kind, **({"inputs": inputs} if inputs else {}), **options}
        self.model["layers"].append(layer)
        return name

    @property
    def last(self):
        return self.model["layers"][-1]["name"]

    def conv(self, filters, size, stride=1, bias=True, inputs=None, padding=None, **more):
        around = [size // 2 if padding is None else padding] * 4
        self.add("conv2d", inputs, filters=filters, rows=size, columns=size, stride=stride,
                 padding=around, bias=bias, **more)
        return self.last

    def normed(self, filters, size, stride=1, activation=None, **more):
        self.conv(filters, size, stride, False, **more)
        name = self.add("batch_norm")
        return self.add(activation) if activation else name

    def classified(self):
        self.add("global_avg_pool")
        self.add("dense", units=OUTPUTS)
        self.add("softmax")
        return self.model


def resnet18_json():
    b, channels = Json("resnet18"), 64
    b.normed(64, 7, 2, "relu")
    b.add("max_pool2d", size=3, stride=2, padding=[1, 1, 1, 1])
    for filters, stride in BASIC:
        before = b.last
        b.normed(filters, 3, stride, "relu")
        inner = b.normed(filters, 3)
        if stride != 1 or filters != channels:
            before = b.normed(filters, 1, stride, inputs=[before])
        b.add("add", [inner, before])
        b.add("relu")
        channels = filters
    return b.classified()


def mobilenet_v2_json():
    b, channels = Json("mobilenet_v2"), 32
    b.normed(32, 3, 2, "relu6")
    for expansion, filters, count, first in INVERTED:
        for i in range(count):
            before, stride, wide = b.last, first if i == 0 else 1, channels * expansion
            if expansion != 1:
                b.normed(wide, 1, 1, "relu6")
            b.normed(wide, 3, stride, "relu6", groups=wide)
            b.normed(filters, 1)
            if stride == 1 and filters == channels:
                b.add("add", [b.last, before])
            channels = filters
    b.normed(1280, 1, 1, "relu6")
    b.add("global_avg_pool")
    b.add("dropout", rate=0.2)
    b.add("dense", units=OUTPUTS)
    b.add("softmax")
    return b.model


def squeezenet_json():
    b = Json("squeezenet")
    b.conv(64, 3, 2, padding=0)
    b.add("relu")
    for fire in [None, *FIRES]:
        if fire is None:
            b.add("max_pool2d", size=3, stride=2, ceil=True)
            continue
        b.conv(fire[0], 1)
        squeezed = b.add("relu")
        b.conv(fire[1], 1)
        left = b.add("relu")
        b.conv(fire[1], 3, inputs=[squeezed])
        b.add("concat", [left, b.add("relu")])
    b.add("dropout", rate=0.5)
    b.conv(OUTPUTS, 1)
    b.add("relu")
    b.add("global_avg_pool")
    b.add("softmax")
    return b.model


MODELS = {"resnet18": resnet18_json, "mobilenet_v2": mobilenet_v2_json,
          "squeezenet": squeezenet_json}


def torch_model(name):
    import torch
    nn = torch.nn

    def normed(before, filters, size, stride, activation, groups=1):
        layers = [nn.Conv2d(before, filters, size, stride, size // 2, groups=groups, bias=False),
                  nn.BatchNorm2d(filters)]
        return nn.Sequential(*layers, *([activation(inplace=True)] if activation else []))

    class Basic(nn.Module):
        def __init__(self, before, filters, stride):
            super().__init__()
            self.inner = nn.Sequential(normed(before, filters, 3, stride, nn.ReLU),
                                       normed(filters, filters, 3, 1, None))
            same = stride == 1 and before == filters
            self.shortcut = nn.Identity() if same else normed(before, filters, 1, stride, None)

        def forward(self, x):
            return nn.functional.relu(self.inner(x) + self.shortcut(x), inplace=True)

    class Inverted(nn.Module):
        def __init__(self, before, filters, stride, expansion):
            super().__init__()
            wide = before * expansion
            expand = [normed(before, wide, 1, 1, nn.ReLU6)] if expansion != 1 else []
            self.inner = nn.Sequential(*expand, normed(wide, wide, 3, stride, nn.ReLU6, wide),
                                       normed(wide, filters, 1, 1, None))
            self.is_residual = stride == 1 and before == filters

        def forward(self, x):
            return x + self.inner(x) if self.is_residual else self.inner(x)

    class Fire(nn.Module):
        def __init__(self, before, squeeze, expand):
            super().__init__()
            self.squeeze = nn.Sequential(nn.Conv2d(before, squeeze, 1), nn.ReLU(True))
            self.left = nn.Sequential(nn.Conv2d(squeeze, expand, 1), nn.ReLU(True))
            self.right = nn.Sequential(nn.Conv2d(squeeze, expand, 3, padding=1), nn.ReLU(True))

        def forward(self, x):
            x = self.squeeze(x)
            return torch.cat([self.left(x), self.right(x)], 1)

    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if name == "resnet18":
        layers, channels = [normed(3, 64, 7, 2, nn.ReLU), nn.MaxPool2d(3, 2, 1)], 64
        for filters, stride in BASIC:
            layers.append(Basic(channels, filters, stride))
            channels = filters
        return nn.Sequential(*layers, *end, nn.Linear(512, OUTPUTS))
    if name == "mobilenet_v2":
        layers, channels = [normed(3, 32, 3, 2, nn.ReLU6)], 32
        for expansion, filters, count, first in INVERTED:
            for i in range(count):
                layers.append(Inverted(channels, filters, first if i == 0 else 1, expansion))
                channels = filters
        return nn.Sequential(*layers, normed(320, 1280, 1, 1, nn.ReLU6), *end, nn.Dropout(0.2),
                             nn.Linear(1280, OUTPUTS))
    layers, channels = [nn.Conv2d(3, 64, 3, 2), nn.ReLU(True)], 64
    for fire in [None, *FIRES]:
        if fire is None:
            layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
        else:
            layers.append(Fire(channels, *fire))
            channels = 2 * fire[1]
    return nn.Sequential(*layers, nn.Dropout(0.5), nn.Conv2d(512, OUTPUTS, 1), nn.ReLU(True), *end)


def torch_step_ms(name, threads):
    import torch
    torch.set_num_threads(threads)
    model = torch_model(name).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam(model.parameters())
    images = torch.randn(BATCH, 3, SIDE, SIDE).to(memory_format=torch.channels_last)
    labels = torch.randint(0, OUTPUTS, (BATCH,))
    times = []
    for _ in range(6):
        begin = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
        times.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(times[1:])


def millrace_step_ms(program, file, threads):
    command = [program, "bench", "compute", file, "--batch", str(BATCH), "--repeats", "3",
               "--compute-threads", str(threads)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.search(rf"^{BATCH}\s+([0-9.]+)", text, re.MULTILINE).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=", ".join(MODELS))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--millrace", default="build/release/apps/millrace")
    parser.add_argument("--torch-step", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.torch_step:
        print(torch_step_ms(arguments.torch_step, arguments.threads))
        return
    for name in arguments.networks or MODELS:
        if name not in MODELS:
            parser.error(f"there is no {name}; known: {', '.join(MODELS)}")
    print(f"{'network':14} {'PyTorch':>16} {'Millrace':>16}  times as fast")
    for name in arguments.networks or MODELS:
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / f"{name}.json"
            file.write_text(json.dumps(MODELS[name]()), encoding="utf-8")
            theirs, ours = [], []
            for _ in range(arguments.rounds):
                command = [sys.executable, __file__, "--torch-step", name, "--threads",
                           str(arguments.threads)]
                theirs.append(float(subprocess.run(command, check=True, capture_output=True,
                                                   text=True).stdout))
                ours.append(millrace_step_ms(arguments.millrace, str(file), arguments.threads))
        rates = [1e3 * BATCH / statistics.median(times) for times in (theirs, ours)]
        print(f"{name:14} {rates[0]:7.1f} images/s {rates[1]:7.1f} images/s  "
              f"{rates[1] / rates[0]:.2f}")


main()
