#!/usr/bin/env python3
"""Records ten epochs of a small Keras training in float32, for tests/nn.

One input, Dense 128 with ReLU, Dense 1 with sigmoid, Adam with Keras's defaults, binary
cross-entropy, batches of 32 of 1,000 samples. Kept: the samples, the initial weights, the order of
the samples in each epoch and the loss that fit() reports for it.
Recorded with Python 3.11, keras 3.15.1 on tensorflow 2.21.0.

    python3 tests/reference/record_batch_dense.py --seed 1 > tests/data/nn/batch_dense.json
"""
import argparse
import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import keras
import numpy

SAMPLES, EPOCHS, BATCH = 1000, 10, 32


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    seed = parser.parse_args().seed
    random = numpy.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    # A noisy band: |x| < 1 is likely to be class 1, so that the hidden layer has work to do.
    x = numpy.round(random.uniform(-3, 3, size=SAMPLES), 4).astype("float32")
    y = (random.uniform(size=SAMPLES) < numpy.where(numpy.abs(x) < 1, 0.9, 0.2)).astype("int32")

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(128, activation="relu"),
                              keras.layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=keras.optimizers.Adam(), loss="binary_crossentropy")
    kernel1, bias1, kernel2, bias2 = [value.T.ravel().tolist() for value in model.get_weights()]
    orders, losses = [], []
    for _ in range(EPOCHS):
        order = random.permutation(SAMPLES)
        history = model.fit(x[order, None], y[order], batch_size=BATCH, shuffle=False, verbose=0)
        orders.append(order.tolist())
        losses.append(history.history["loss"][0])
    # Numbers that float32 holds exactly, written short.
    short = lambda values: [float(f"{value:.9g}") for value in values]
    print(json.dumps({"x": short(x.tolist()), "labels": y.tolist(),
                      "dense1.weight": short(kernel1), "dense1.bias": bias1,
                      "dense2.weight": short(kernel2), "dense2.bias": bias2,
                      "orders": orders, "losses": losses}, separators=(",", ":")))


if __name__ == "__main__":
    main()
