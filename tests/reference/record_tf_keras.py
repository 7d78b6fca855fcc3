#!/usr/bin/env python3
"""Writes the network of record_keras_weights.py as TensorFlow 2.12 writes a .keras file, whose layers are in
a group of another name and have none of their own. Its weights are those of keras2.h5, so weights.json has
its outputs.
Recorded with Python 3.11, tensorflow-cpu 2.12.0 with its Keras.

    python3 tests/reference/record_tf_keras.py tests/data/io/weights
"""
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import tensorflow
from small_keras_network import small_network


def main():
    folder = pathlib.Path(sys.argv[1])
    network = small_network(tensorflow.keras)
    network.load_weights(folder / "keras2.h5")
    network.save(folder / "tf_2_12.keras", save_format="keras_v3")


if __name__ == "__main__":
    main()
