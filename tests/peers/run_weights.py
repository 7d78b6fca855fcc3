#!/usr/bin/env python3
"""Loads FOLDER/torch.safetensors into a small network of PyTorch with strict=True, saves it again as
saved.safetensors and prints the outputs for samples.f32 (float32, [3][12][10][3]) as JSON. The network is
that of tests/apps/convert_peers_test.cpp.

    python3 tests/peers/run_weights.py FOLDER
"""
import json
import pathlib
import sys

import numpy
import safetensors.torch
import torch
from torch import nn


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.ModuleDict({"conv": nn.Conv2d(3, 8, 3, padding=1), "bn": nn.BatchNorm2d(8)})
        self.block = nn.ModuleDict({
            "depthwise": nn.Conv2d(8, 8, 3, padding=1, groups=8),
            "norm": nn.LayerNorm(8),
            "project": nn.Conv2d(8, 8, 1)})
        self.hidden = nn.Linear(8 * 6 * 5, 7)
        self.classes = nn.Linear(7, 4)

    def forward(self, x):
        x = torch.relu(self.stem["bn"](self.stem["conv"](x)))
        branch = self.block["depthwise"](x).permute(0, 2, 3, 1)
        branch = self.block["norm"](branch).permute(0, 3, 1, 2)
        x = torch.max_pool2d(x + self.block["project"](branch), 2)
        return self.classes(torch.relu(self.hidden(x.flatten(1))))


def main():
    folder = pathlib.Path(sys.argv[1])
    network = Network().eval()
    network.load_state_dict(safetensors.torch.load_file(folder / "torch.safetensors"), strict=True)
    safetensors.torch.save_file(network.state_dict(), folder / "saved.safetensors")
    x = numpy.fromfile(folder / "samples.f32", "float32").reshape(3, 12, 10, 3)
    with torch.no_grad():
        y = network(torch.tensor(x).permute(0, 3, 1, 2))
    print(json.dumps({"outputs": y.numpy().ravel().tolist()}))


if __name__ == "__main__":
    main()
