#!/usr/bin/env python3
"""Checks the ONNX files of a folder and prints what onnxruntime says of them, as JSON by name. The input of
NAME.onnx is NAME.f32: float32 in the order of the graph.

    python3 tests/peers/run_onnx.py FOLDER
"""
import json
import pathlib
import sys

import numpy
import onnx
import onnxruntime


def outputs(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    (made,) = session.get_outputs()
    x = numpy.fromfile(path.with_suffix(".f32"), "float32")
    (y,) = session.run(None, {taken.name: x.reshape([-1, *taken.shape[1:]])})
    assert list(y.shape[1:]) == made.shape[1:], (path, y.shape, made.shape)
    if y.ndim == 4:
        y = y.transpose(0, 2, 3, 1)
    return y.ravel().tolist()


def main():
    folder = pathlib.Path(sys.argv[1])
    print(json.dumps({path.stem: outputs(path) for path in sorted(folder.glob("*.onnx"))}))


if __name__ == "__main__":
    main()
