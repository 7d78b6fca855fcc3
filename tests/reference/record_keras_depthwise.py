#!/usr/bin/env python3
"""Writes weight files of a network with depthwise convolutions as Keras writes them, and its outputs.

depthwise.h5 (the layout of Keras 2, layers named by the user), depthwise.weights.h5 (Keras 3, which sorts layers by
their class): 6x6x3, conv 4 (3x3, same), depthwise conv (3x3, same, 2 filters a channel), conv 5 (1x1) in no groups,
depthwise conv (2x2, stride 2, without bias), global average, dense 3. grouped.weights.h5: conv 6 (3x3) in 3 groups of
one channel each, global average, dense 3. depthwise.json: an input, and the outputs of both.
Recorded with Python 3.11, keras 3.15.1 on torch 2.15.0, h5py 3.16.0, numpy 2.4.6.

    KERAS_BACKEND=torch python3 tests/reference/record_keras_depthwise.py tests/data/io/weights
"""
import json
import pathlib
import sys

import h5py
import keras
import numpy
from keras import layers
from keras.src.legacy.saving import legacy_h5_format


def randomize(network, generator):
    network.set_weights([numpy.round(generator.normal(size=value.shape), 3) for value in network.get_weights()])


def main():
    folder = pathlib.Path(sys.argv[1])
    generator = numpy.random.default_rng(1)

    def network(names):
        named = [{"name": name} for name in names] if names else [{}] * 5
        return keras.Sequential([
            keras.Input((6, 6, 3)), layers.Conv2D(4, 3, padding="same", **named[0]),
            layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, **named[1]), layers.Conv2D(5, 1, **named[2]),
            layers.DepthwiseConv2D(2, strides=2, use_bias=False, **named[3]), layers.GlobalAveragePooling2D(),
            layers.Dense(3, **named[4])])

    plain, named = network(None), network(["first", "spread", "mix", "thin", "top"])
    randomize(plain, generator)
    named.set_weights(plain.get_weights())
    plain.save_weights(folder / "depthwise.weights.h5")
    with h5py.File(folder / "depthwise.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, named)
    grouped = keras.Sequential([keras.Input((6, 6, 3)), layers.Conv2D(6, 3, groups=3),
                                layers.GlobalAveragePooling2D(), layers.Dense(3)])
    randomize(grouped, generator)
    grouped.save_weights(folder / "grouped.weights.h5")
    image = numpy.round(generator.normal(size=(1, 6, 6, 3)), 3)
    outputs = {name: [float(value) for value in keras.ops.convert_to_numpy(one(image))[0]]
               for name, one in [("depthwise", plain), ("grouped", grouped)]}
    record = {"input": image.reshape(-1).tolist()} | outputs
    (folder / "depthwise.json").write_text(json.dumps(record, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
