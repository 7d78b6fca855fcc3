#!/usr/bin/env python3
"""Writes weight files of a network with branches as Keras writes them, and its outputs.

The network, on 8x8x3: conv "stem" 4 (3x3, same, ReLU); from it conv "left" 4 (1x1) with batch norm "left_norm", and conv
"right" 4 (3x3, same) with batch norm "right_norm" and ReLU; left + right + stem; that beside the stem; global average;
dense "top" 3 (softmax). graph.h5 (Keras's older layout, in the order right before left), graph.weights.h5, graph.keras.
graph_renamed.keras has other names. graph_narrow.keras has a left branch of 6 filters beside, not added, so that no two
layers are alike, and other names. graphs.json: an input, and the outputs of both.
Recorded with Python 3.11, keras 3.15.1 on torch 2.15.0, h5py 3.16.0, numpy 2.4.6.

    KERAS_BACKEND=torch python3 tests/reference/record_keras_graphs.py tests/data/io/weights
"""
import json
import pathlib
import sys

import h5py
import keras
import numpy
from keras import layers
from keras.src.legacy.saving import legacy_h5_format


def network(prefix, is_narrow=False):
    def named(name):
        return prefix + name
    image = keras.Input((8, 8, 3))
    stem = layers.Conv2D(4, 3, padding="same", activation="relu", name=named("stem"))(image)
    right = layers.Conv2D(4, 3, padding="same", name=named("right"))(stem)
    if not is_narrow:
        right = layers.BatchNormalization(epsilon=1e-3, name=named("right_norm"))(right)
    right = layers.ReLU()(right)
    left = layers.Conv2D(6 if is_narrow else 4, 1, name=named("left"))(stem)
    left = layers.BatchNormalization(epsilon=1e-3, name=named("left_norm"))(left)
    joined = [layers.Add()([right, stem]), left] if is_narrow else [layers.Add()([left, right, stem]), stem]
    x = layers.GlobalAveragePooling2D()(layers.Concatenate()(joined))
    return keras.Model(image, layers.Dense(3, activation="softmax", name=named("top"))(x))


def randomize(model, generator):
    for variable in model.variables:
        value = numpy.round(generator.normal(size=variable.shape) * 0.5, 3)
        variable.assign(numpy.abs(value) + 0.1 if "variance" in variable.name else value)


def main():
    folder = pathlib.Path(sys.argv[1])
    generator = numpy.random.default_rng(7)
    graph = network("")
    randomize(graph, generator)
    graph.save(folder / "graph.keras")
    graph.save_weights(folder / "graph.weights.h5")
    with h5py.File(folder / "graph.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, graph)
    renamed = network("other_")
    renamed.set_weights(graph.get_weights())
    renamed.save(folder / "graph_renamed.keras")
    narrow = network("other_", is_narrow=True)
    randomize(narrow, generator)
    narrow.save(folder / "graph_narrow.keras")
    image = numpy.round(generator.normal(size=(1, 8, 8, 3)), 3)
    outputs = {name: [float(value) for value in keras.ops.convert_to_numpy(one(image, training=False))[0]]
               for name, one in [("graph", graph), ("narrow", narrow)]}
    record = {"input": image.reshape(-1).tolist()} | outputs
    (folder / "graphs.json").write_text(json.dumps(record, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
