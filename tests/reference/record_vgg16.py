#!/usr/bin/env python3
"""Records what Keras's and torchvision's VGG16 say of two images, for tests/training/vgg16_test.cpp.

Weights and images are too large to keep, so both sides make them by one rule, `uniform` of rule.py, element
by element in Millrace's layout (tests/nn/rule.h). Images go through the library's own preprocessing.
torchvision's pooling to 7x7 is left out, which Keras does not have. With --files FOLDER the weights are
also written as the libraries write them: keras_top.h5, keras_notop.h5, keras_top.weights.h5,
torch.safetensors (torchvision's names) and timm.safetensors.
Recorded with Python 3.11, keras 3.15.1 on tensorflow 2.21.0, torch 2.15.0, torchvision 0.29.2.

    python3 tests/reference/record_vgg16.py --seed 1 > tests/data/nodes/vgg16.json
"""
import argparse
import json
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import torch  # isort: before tensorflow, whose LLVM does not bear another one after it
import torchvision
import h5py
import keras
import numpy
import safetensors.torch
from keras.src.legacy.saving import legacy_h5_format
from rule import mixed, uniform

SIZE, CLASSES, SAMPLES = 64, 10, 2
# The output layer is scaled so that the outputs differ from each other and are not one-hot.
OUTPUT_SCALE = {"keras": 0.02, "torch": 1.0}
TIMM = {"classifier.0": "pre_logits.fc1", "classifier.3": "pre_logits.fc2",
        "classifier.6": "head.fc"}


def images(seed):
    pixels = mixed(seed, 1000, SAMPLES * SIZE * SIZE * 3) >> numpy.uint32(24)
    return pixels.astype("uint8").reshape(SAMPLES, SIZE, SIZE, 3)


def weights(seed, shapes, family):
    """In Millrace's layouts. `shapes`: {torchvision's name: shape}, in order."""
    values = {}
    for tensor, (name, shape) in enumerate(shapes.items()):
        fan_in = numpy.prod(shape[1:])
        limit = numpy.sqrt(6.0 / fan_in) if name.endswith("weight") else 0.1
        if name.startswith("classifier.6"):
            limit *= OUTPUT_SCALE[family]
        values[name] = uniform(seed, tensor, numpy.prod(shape), limit).reshape(shape)
    return values


def to_keras(value):
    return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T


def to_torch(name, value):
    if name != "classifier.0.weight":
        return value
    side = SIZE // 32
    return value.reshape(-1, side, side, 512).transpose(0, 3, 1, 2).reshape(value.shape)


def torch_network():
    network = torchvision.models.vgg16(weights=None, num_classes=CLASSES)
    network.avgpool = torch.nn.Identity()
    network.classifier[0] = torch.nn.Linear(512 * (SIZE // 32) ** 2, 4096)
    return network.eval()


def by_torch(seed, shapes, folder):
    network = torch_network()
    state = {name: torch.tensor(to_torch(name, value))
             for name, value in weights(seed, shapes, "torch").items()}
    network.load_state_dict(state)
    x = torch.tensor(images(seed)).permute(0, 3, 1, 2)
    x = torchvision.transforms.functional.convert_image_dtype(x, torch.float32)
    x = torchvision.transforms.functional.normalize(x, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    if folder:
        state = {name: value.contiguous() for name, value in network.state_dict().items()}
        safetensors.torch.save_file(state, folder / "torch.safetensors")
        side, renamed = SIZE // 32, {}
        for name, value in state.items():
            layer, kind = name.rsplit(".", 1)
            if kind == "weight" and layer == "classifier.0":
                value = value.reshape(4096, 512, side, side)
            elif kind == "weight" and layer == "classifier.3":
                value = value.reshape(4096, 4096, 1, 1)
            renamed[f"{TIMM.get(layer, layer)}.{kind}"] = value
        safetensors.torch.save_file(renamed, folder / "timm.safetensors")
    with torch.no_grad():
        return torch.softmax(network(x), -1).numpy(), network.features(x).permute(0, 2, 3, 1).numpy()


def save_keras2(network, path):
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, network)


def by_keras(seed, shapes, folder):
    options = {"weights": None, "input_shape": (SIZE, SIZE, 3)}
    network = keras.applications.VGG16(include_top=True, classes=CLASSES, **options)
    base = keras.applications.VGG16(include_top=False, **options)
    values = [to_keras(value) for value in weights(seed, shapes, "keras").values()]
    network.set_weights(values)
    base.set_weights(values[:26])
    if folder:
        save_keras2(network, folder / "keras_top.h5")
        save_keras2(base, folder / "keras_notop.h5")
        network.save_weights(folder / "keras_top.weights.h5")
    x = keras.applications.vgg16.preprocess_input(images(seed).astype("float32"))
    return network.predict(x, verbose=0), base.predict(x, verbose=0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--files", type=pathlib.Path)
    arguments = parser.parse_args()
    shapes = {name: tuple(value.shape) for name, value in torch_network().state_dict().items()}
    result = {"seed": arguments.seed, "size": SIZE, "classes": CLASSES, "samples": SAMPLES,
              "output_scale": OUTPUT_SCALE}
    for family, run in (("keras", by_keras), ("torch", by_torch)):
        output, features = run(arguments.seed, shapes, arguments.files)
        result[family] = {"output": output.ravel().tolist(), "features": features.ravel().tolist()}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
