#!/usr/bin/env python3
"""Prints what torchvision's VGG16 says of the images of record_vgg16.py with the weights of a safetensors
file, after Keras's preprocessing: for weights of Keras that Millrace converted.

    python3 tests/peers/run_vgg16.py FILE SEED
"""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "reference"))
import record_vgg16
import numpy
import safetensors.torch
import torch


def main():
    path, seed = sys.argv[1], int(sys.argv[2])
    network = record_vgg16.torch_network()
    network.load_state_dict(safetensors.torch.load_file(path), strict=True)
    bgr = record_vgg16.images(seed)[..., ::-1].astype("float32")
    x = torch.tensor(bgr - numpy.float32([103.939, 116.779, 123.68])).permute(0, 3, 1, 2)
    with torch.no_grad():
        print(json.dumps(torch.softmax(network(x), -1).numpy().ravel().tolist()))


if __name__ == "__main__":
    main()
