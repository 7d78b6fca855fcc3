#!/usr/bin/env python3
"""Records the masks, schedules and a short training of tfmot's magnitude pruning, for tests.

schedules: what PolynomialDecay and ConstantSparsity say at each step.
counts:    how many of n different weights a sparsity keeps, and the threshold.
masks:     the mask and threshold of given weights: ties, zeros, tiny tensors, NaN. Not recorded: NaN
           before numbers, where the order of TensorFlow's top_k depends on its sort, and numbers
           below 1e-38, which TensorFlow takes for zeros.
training:  a dense net 6-8-1 trained by plain SGD with fit() and UpdatePruningStep; kernels and masks
           after each batch, and the kernels after each epoch.
Kernels of the training are transposed to [out][in]. Recorded with Python 3.11,
tensorflow-model-optimization 0.8.1 with tf_keras 2.21.0 on tensorflow 2.21.0.

    TF_USE_LEGACY_KERAS=1 python3 tests/reference/record_pruning.py --seed 1 \
        > tests/data/nn/pruning.json
"""
import argparse
import json
import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import numpy
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_impl

sparsity = tfmot.sparsity.keras


def schedule_of(options):
    if options["kind"] == "constant":
        return sparsity.ConstantSparsity(options["final"], options["begin"], options["end"],
                                         options["frequency"])
    return sparsity.PolynomialDecay(options["initial"], options["final"], options["begin"],
                                    options["end"], options["power"], options["frequency"])


def short(values):
    """Numbers that float32 holds exactly, written short; NaN and infinities as text."""
    return [float(f"{v:.9g}") if numpy.isfinite(v) else str(v)
            for v in numpy.asarray(values, "float64").ravel().tolist()]


def polynomial(initial, final, begin, end, power=3, frequency=100):
    return {"kind": "polynomial", "initial": initial, "final": final, "begin": begin, "end": end,
            "power": power, "frequency": frequency}


def constant(final, begin, end=-1, frequency=100):
    return {"kind": "constant", "final": final, "begin": begin, "end": end, "frequency": frequency}


def record_schedules():
    cases = [(polynomial(0.5, 0.8, 0, 844), 900, 1), (polynomial(0.0, 0.9, 10, 60, 3, 7), 70, 1),
             (polynomial(0.25, 0.75, 5, 35, 1, 5), 40, 1),
             (polynomial(0.1, 0.95, 0, 1000, 2.5, 33), 1040, 13),
             (constant(0.5, 0), 320, 1), (constant(0.8, 20, 50, 10), 60, 1)]
    result = []
    for options, last, stride in cases:
        schedule = schedule_of(options)
        steps = list(range(0, last + 1, stride))
        values = [schedule(tf.constant(step, tf.int64)) for step in steps]
        # A stride that hits no mask step still shows the sparsity between them.
        result.append({"schedule": options, "steps": steps,
                       "prunes": "".join("01"[int(v[0])] for v in values),
                       "sparsity": short([v[1] for v in values])})
    return result


def mask_of(weights, schedule, step):
    weight = tf.Variable(tf.constant(weights, tf.float32))
    mask, threshold = tf.Variable(tf.ones_like(weight)), tf.Variable(0.0)
    pruning = pruning_impl.Pruning(lambda: tf.constant(step, tf.int64),
                                   [(weight, mask, threshold)], schedule_of(schedule), (1, 1), "AVG")
    pruning.conditional_mask_update()
    return mask.numpy().ravel(), float(threshold.numpy())


def record_counts(random):
    result = []
    shares = [0.0, 0.05, 0.1, 0.2, 0.25, 0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99]
    for n in [1, 2, 3, 5, 6, 7, 10, 15, 25, 50, 75, 128, 250, 1000, 1250, 20280, 100353]:
        weights = random.permutation(n).astype("float32") + 1
        for share in shares:
            mask, threshold = mask_of(weights, constant(share, 0, -1, 1), 1)
            result.append([n, share, int(mask.sum()), threshold])
    return result


def record_masks(random):
    nan = float("nan")
    half = constant(0.5, 0, -1, 1)
    cases = [([0.5, -0.1, 0.3, -0.3, 0.05, 0.2, -0.7, 0.3], half, 1),
             ([1, 2, 3, 4, 5], half, 1), ([1, 2, 3, 4, 5, 6, 7], half, 1),
             (list(range(1, 11)), constant(0.2, 0, -1, 1), 1),
             ([0.0] * 6, half, 1), ([0.25] * 5, half, 1), ([-0.25, 0.25] * 4, half, 3),
             ([0.0, 0.0, 0.0, 1.0], half, 1), ([-0.0, 0.0, 2.0, -1.0], constant(0.25, 0, -1, 1), 1),
             ([7.0], constant(0.99, 0, -1, 1), 1), ([1.0, -2.0], constant(0.9, 0, -1, 1), 1),
             ([3e38, -3.3e38, 1.0, 2.0], half, 1),
             ([float("inf"), -1.0, 2.0, -float("inf")], half, 1),
             ([nan, nan, nan], half, 1), ([3.0, 2.0, 1.0, nan], half, 1),
             ([0.5, -0.1, 0.3], half, 0), ([0.5, -0.1, 0.3], constant(0.5, 10, -1, 5), 12),
             ([0.5, -0.1, 0.3], constant(0.5, 10, 20, 5), 25)]
    for _ in range(40):
        n = int(random.integers(2, 60))
        grid = int(random.choice([4, 16, 10000]))
        weights = numpy.round(random.normal(size=n) * grid) / grid
        begin, frequency = int(random.integers(0, 5)), int(random.integers(1, 4))
        initial, final = numpy.round(random.uniform(0, 0.99, 2), 3).tolist()
        end = begin + frequency * int(random.integers(1, 9))
        options = polynomial(initial, final, begin, end, int(random.integers(1, 5)), frequency)
        cases.append((weights.astype("float32").tolist(), options, begin + frequency *
                      int(random.integers(0, (end - begin) // frequency + 1))))
    result = []
    for weights, schedule, step in cases:
        mask, threshold = mask_of(weights, schedule, step)
        result.append({"weights": short(weights), "schedule": schedule, "step": step,
                       "mask": "".join("01"[int(m)] for m in mask), "threshold": short([threshold])[0]})
    return result


class Recorder(tf_keras.callbacks.Callback):
    """What the kernels and masks are after each batch."""

    def __init__(self):
        super().__init__()
        self.steps, self.epochs = [], []

    def variables(self, of):
        layers = [layer for layer in self.model.layers if hasattr(layer, "pruning_vars")]
        return [of(v).numpy().T for layer in layers for v in layer.pruning_vars]

    def on_train_batch_end(self, batch, logs=None):
        masks = self.variables(lambda v: v[1])
        self.steps.append({"kernels": [short(k) for k in self.variables(lambda v: v[0])],
                           "biases": [short(layer.layer.bias.numpy()) for layer in self.model.layers],
                           "masks": ["".join("01"[int(m)] for m in mask.ravel()) for mask in masks],
                           "thresholds": short([t.numpy() for layer in self.model.layers
                                                for _, _, t in layer.pruning_vars])})

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append([short(k) for k in self.variables(lambda v: v[0])])


def record_training(seed, random):
    tf_keras.utils.set_random_seed(seed)
    batch, epochs, rate = 8, 4, 1.0
    options = polynomial(0.2, 0.75, 1, 29, 3, 2)  # also at the first batch of an epoch
    x = numpy.round(random.normal(size=(64, 6)), 3).astype("float32")
    y = (x[:, 0] * x[:, 1] + x[:, 2] > 0).astype("int32")
    layers = [tf_keras.layers.Dense(8, activation="relu", input_shape=(6,)),
              tf_keras.layers.Dense(1, activation="sigmoid")]
    model = sparsity.prune_low_magnitude(tf_keras.Sequential(layers), schedule_of(options))
    first = [short(layer.kernel.numpy().T) for layer in layers]
    model.compile(optimizer=tf_keras.optimizers.SGD(rate), loss="binary_crossentropy")
    recorder = Recorder()
    # After UpdatePruningStep, so that the end of an epoch is seen as it leaves it.
    model.fit(x, y, batch_size=batch, epochs=epochs, shuffle=False, verbose=0,
              callbacks=[sparsity.UpdatePruningStep(), recorder])
    return {"x": short(x), "labels": y.tolist(), "batch": batch, "learning_rate": rate,
            "schedule": options, "kernels": first, "steps": recorder.steps,
            "epochs": recorder.epochs}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    seed = parser.parse_args().seed
    random = numpy.random.default_rng(seed)
    print(json.dumps({"schedules": record_schedules(), "counts": record_counts(random),
                      "masks": record_masks(random), "training": record_training(seed, random)},
                     separators=(",", ":")))


if __name__ == "__main__":
    main()
