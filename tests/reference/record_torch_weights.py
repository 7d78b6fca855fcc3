#!/usr/bin/env python3
"""Writes .pth files as torch.save does, for tests/io and tests/training, beside those of record_keras_weights.py.

network_*.pth hold the network of torch.safetensors: as a zip archive, in the form before PyTorch 1.6
("legacy"), with protocol 4 of pickles, in a checkpoint of a training with a wrapper's names, and with kernels
that are not contiguous, as those that were converted from TensorFlow. tensors_*.pth hold tensors of all
types, with strides, offsets and storages of several; tensors.json has their values, by torch. tensors_zip64.pth
is tensors_zip.pth packed again by Python's zipfile, with all numbers where those of archives over 4 GiB are.
Recorded with Python 3.11, torch 2.15.0, safetensors 0.8.0.

    python3 tests/reference/record_torch_weights.py tests/data/io/weights
"""
import argparse
import collections
import json
import pathlib
import zipfile

import safetensors.torch
import torch


def network(folder):
    state = collections.OrderedDict(safetensors.torch.load_file(folder / "torch.safetensors"))
    state._metadata = collections.OrderedDict({"": {"version": 1}, "batch_norm1": {"version": 2}})
    return state


def checkpoint(state):
    parameters = {f"module.{name}": torch.nn.Parameter(value.clone()) if value.is_floating_point() else value
                  for name, value in state.items()}
    trained = [value for value in parameters.values() if isinstance(value, torch.nn.Parameter)]
    optimizer = torch.optim.SGD(trained, lr=0.1, momentum=0.9)
    sum(value.sum() for value in trained).backward()
    optimizer.step()  # so that there are momenta
    for value, (_, before) in zip(parameters.values(), state.items()):
        value.data.copy_(before)
    return {"epoch": 3, "arch": "small", "state_dict": parameters, "optimizer": optimizer.state_dict(), "best": None,
            "done": False, "losses": [0.5, 0.25], "size": (8, 8, 3), "images": 2 ** 40, "offset": -5}


def strided(state):
    """Kernels as they lie after TensorFlow's were transposed: [rows][columns][in][out], [in][out]."""
    def turned(value):
        if value.dim() == 4:
            return value.permute(2, 3, 1, 0).contiguous().permute(3, 2, 0, 1)
        return value.t().contiguous().t() if value.dim() == 2 else value
    return {name: turned(value) for name, value in state.items()}


def tensors():
    base = torch.arange(60, dtype=torch.float32) / 7 - 3
    cube = base.view(3, 4, 5)
    return {
        "whole": base, "cube": cube, "turned": cube.permute(2, 0, 1), "row": cube[1, 2], "column": cube[:, 3, 1],
        "every_second": base[1::2], "part": cube[1:, 1:3, ::2], "spread": base[4:7].view(3, 1).expand(3, 4),
        "one": base[17], "none": base[:0], "long_rows": torch.arange(12.).view(3, 4)[:, 1:2],
        "half": (base / 3).half().view(12, 5).t(), "bfloat": base.bfloat16()[3:9], "double": (base.double() / 3)[7:],
        "count": torch.tensor(5), "flags": torch.tensor([True, False]), "bytes": torch.arange(3, dtype=torch.uint8)}


def pack_as_large(source, target):
    zipfile.ZIP64_LIMIT = zipfile.ZIP_FILECOUNT_LIMIT = 0  # so that every archive is a large one
    with zipfile.ZipFile(source) as members, zipfile.ZipFile(target, "w") as large:
        for member in members.infolist():
            with large.open(zipfile.ZipInfo(member.filename), "w", force_zip64=True) as file:
                file.write(members.read(member))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    legacy = {"_use_new_zipfile_serialization": False}

    state = network(folder)
    torch.save(state, folder / "network_zip.pth")
    torch.save(state, folder / "network_legacy.pth", **legacy)
    torch.save(state, folder / "network_protocol4.pth", pickle_protocol=4)
    torch.save(checkpoint(state), folder / "network_checkpoint.pth")
    torch.save(strided(state), folder / "network_strided.pth")
    torch.save(strided(state), folder / "network_strided_legacy.pth", **legacy)

    kinds = tensors()
    torch.save(kinds, folder / "tensors_zip.pth")
    torch.save(kinds, folder / "tensors_legacy.pth", **legacy)
    pack_as_large(folder / "tensors_zip.pth", folder / "tensors_zip64.pth")
    values = {name: {"shape": list(value.shape), "values": value.float().flatten().tolist()}
              for name, value in kinds.items() if value.is_floating_point()}
    (folder / "tensors.json").write_text(json.dumps(values) + "\n")


if __name__ == "__main__":
    main()
