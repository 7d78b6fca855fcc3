#!/usr/bin/env python3
"""Writes weight files of networks with layers that Millrace does not have, as Keras writes them.

foreign.h5 (the layout of Keras 2) and foreign.weights.h5 (Keras 3) on 6x6x3: normalization that was adapted, conv 4
(3x3, same), PReLU, transposed conv 4 (3x3, same), LeakyReLU, dropout, flatten, dense 5, dense 3 (softmax), all
under Keras's own names. channels_first.h5: a saved model of images that are channels first, conv 2, flatten, dense 3.
Recorded with Python 3.11, keras 3.15.1 on jax 0.10.2, h5py 3.16.0, numpy 2.4.6.

    KERAS_BACKEND=jax python3 tests/reference/record_keras_layers.py tests/data/io/weights
"""
import pathlib
import sys

import h5py
import keras
import numpy
from keras import layers
from keras.src.legacy.saving import legacy_h5_format


def main():
    folder = pathlib.Path(sys.argv[1])
    keras.utils.set_random_seed(1)
    normalization = layers.Normalization()
    normalization.adapt(numpy.random.default_rng(1).uniform(0, 255, (10, 6, 6, 3)))
    network = keras.Sequential([
        keras.Input((6, 6, 3)), normalization, layers.Conv2D(4, 3, padding="same"), layers.PReLU(shared_axes=[1, 2]),
        layers.Conv2DTranspose(4, 3, padding="same"), layers.LeakyReLU(), layers.Dropout(0.5), layers.Flatten(),
        layers.Dense(5), layers.Dense(3, activation="softmax")])
    network.save_weights(folder / "foreign.weights.h5")
    with h5py.File(folder / "foreign.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, network)
    keras.Sequential([
        keras.Input((3, 4, 4)), layers.Conv2D(2, 3, data_format="channels_first"),
        layers.Flatten(data_format="channels_first"), layers.Dense(3)]).save(folder / "channels_first.h5")


if __name__ == "__main__":
    main()
