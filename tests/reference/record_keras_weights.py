#!/usr/bin/env python3
"""Writes weight files of a small network as Keras and PyTorch write them, for tests/io and tests/training.

The network: conv 4 (3x3, same, ReLU), batch norm, 2x2 max pooling, conv 5 (3x3, valid), flatten,
dense 6 (ReLU), dense 3 (softmax), on 8x8x3. Keras's files: weights of Keras 3 (.weights.h5), weights in
the layout of Keras 2 (.h5), a saved model in that layout. PyTorch's: safetensors with Millrace's names.
Beside them weights.json: the input, both libraries' outputs, and a few numbers of the Keras files.
Recorded with Python 3.11, keras 3.15.1 on tensorflow 2.21.0, h5py 3.14.0, torch 2.15.0, safetensors 0.8.0.

    python3 tests/reference/record_keras_weights.py --seed 1 tests/data/io/weights
"""
import argparse
import json
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import h5py
import keras
import numpy
import safetensors.torch
import torch
from keras.src.legacy.saving import legacy_h5_format
from small_keras_network import small_network

SAMPLES = 3


def keras_network(random):
    network = small_network(keras)
    for variable in network.variables:
        value = random.normal(size=variable.shape) * 0.5
        variable.assign(numpy.abs(value) + 0.1 if "variance" in variable.name else value)
    return network


class TorchNetwork(torch.nn.Module):
    def __init__(self, random):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 4, 3, padding=1)
        self.batch_norm1 = torch.nn.BatchNorm2d(4, eps=1e-3)
        self.conv2 = torch.nn.Conv2d(4, 5, 3)
        self.dense1 = torch.nn.Linear(20, 6)
        self.dense2 = torch.nn.Linear(6, 3)
        with torch.no_grad():
            for name, value in self.state_dict().items():
                if name.endswith("num_batches_tracked"):
                    continue
                drawn = torch.tensor(random.normal(size=list(value.shape)) * 0.5)
                value.copy_(drawn.abs() + 0.1 if name.endswith("running_var") else drawn)

    def forward(self, x):
        x = self.batch_norm1(torch.relu(self.conv1(x.permute(0, 3, 1, 2))))
        x = self.conv2(torch.max_pool2d(x, 2)).flatten(1)
        return torch.softmax(self.dense2(torch.relu(self.dense1(x))), -1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    random = numpy.random.default_rng(arguments.seed)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    x = random.normal(size=(SAMPLES, 8, 8, 3)).astype("float32")

    network = keras_network(random)
    network.save_weights(arguments.folder / "keras3.weights.h5")
    with h5py.File(arguments.folder / "keras2.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, network)
    network.save(arguments.folder / "saved.h5")
    twin = TorchNetwork(random).eval()
    safetensors.torch.save_file(twin.state_dict(), arguments.folder / "torch.safetensors")

    flat = lambda values: numpy.asarray(values, dtype="float32").ravel().tolist()
    with torch.no_grad():
        torch_output = twin(torch.tensor(x)).numpy()
    variables = {variable.path.split("/", 1)[1]: flat(variable) for variable in network.variables}
    (arguments.folder / "weights.json").write_text(json.dumps({
        "input": flat(x), "keras_output": flat(network.predict(x, verbose=0)),
        "torch_output": flat(torch_output), "keras_variables": variables}) + "\n")


if __name__ == "__main__":
    main()
