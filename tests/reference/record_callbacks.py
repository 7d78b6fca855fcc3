#!/usr/bin/env python3
"""Records what Keras's callbacks decide on scripted and random sequences of a metric, for tests/nn.

The real callbacks watch a real model whose one weight is the number of the epoch, so that restored
weights say which epoch was the best. NaN is written as null.
Recorded with Python 3.11, keras 3.15.1 on tensorflow 2.21.0.

    python3 tests/reference/record_callbacks.py --seed 1 > tests/data/nn/callbacks.json
"""
import argparse
import json
import math
import os
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import keras
import numpy

NAN = math.nan


def make_model():
    model = keras.Sequential([keras.layers.Input([1]), keras.layers.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    return model


def run(model, callbacks, values, at_epoch_end=lambda: None):
    """Calls what fit() calls, in its order, until training is stopped."""
    model.stop_training = False
    all_callbacks = keras.callbacks.CallbackList(callbacks, model=model)
    all_callbacks.on_train_begin()
    epochs = 0
    for epoch, value in enumerate(values):
        all_callbacks.on_epoch_begin(epoch)
        model.set_weights([numpy.array([[epoch]])])
        all_callbacks.on_epoch_end(epoch, {"loss": 0.0, "val_x": value})
        at_epoch_end()
        epochs += 1
        if model.stop_training:
            break
    all_callbacks.on_train_end()
    return epochs


def early_stopping(model, options, values):
    callback = keras.callbacks.EarlyStopping("val_x", restore_best_weights=True, **options)
    epochs = run(model, [callback], values)
    return {"epochs": epochs, "best_epoch": int(model.get_weights()[0][0, 0]),
            "stopped": bool(model.stop_training), "wait": callback.wait}


def plateau(model, options, values):
    model.optimizer.learning_rate = 0.5
    rates = []
    run(model, [keras.callbacks.ReduceLROnPlateau("val_x", **options)], values,
        lambda: rates.append(float(model.optimizer.learning_rate.numpy())))
    return {"rates": [float(f"{rate:.8g}") for rate in rates]}


def checkpoint(model, options, values):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "{epoch}.weights.h5")
        run(model, [keras.callbacks.ModelCheckpoint(path, "val_x", save_best_only=True,
                                                    save_weights_only=True, **options)], values)
        return {"saved": sorted(int(name.split(".")[0]) - 1 for name in os.listdir(folder))}


SCRIPTED = {
    early_stopping: [
        ({"mode": "min"}, [1, 2, 3]),
        ({"mode": "min", "patience": 1}, [1, 1, 0.5]),
        ({"mode": "min", "patience": 2}, [NAN, 1, 0.5, 0.2]),
        ({"mode": "min", "patience": 2}, [1, NAN, 0.5, NAN, NAN, 0.1]),
        ({"mode": "min", "patience": 3}, [2, 1, 1, 1, 1, 0]),
        ({"mode": "max", "patience": 2, "min_delta": 0.1}, [0.5, 0.6, 0.61, 0.7, 0.71, 0.72, 0.9]),
        ({"mode": "min", "patience": 2, "min_delta": 0.25}, [1, 0.75, 0.5, 0.25, 0.2, 0.1, 0]),
        ({"mode": "min", "patience": 2, "baseline": 0.4}, [1, 0.9, 0.8, 0.7, 0.3]),
        ({"mode": "min", "patience": 4, "baseline": 0.4}, [1, 0.9, 0.3, 0.5, 0.5, 0.5, 0.5, 0.5]),
        ({"mode": "max", "patience": 1, "baseline": 0.5}, [0.1, 0.6, 0.2, 0.9]),
        ({"mode": "min", "patience": 1, "start_from_epoch": 3}, [1, 2, 3, 4, 5, 6]),
        ({"mode": "min", "patience": 0}, [5, 4, 3, 3, 2]),
    ],
    plateau: [
        ({"mode": "min", "patience": 1}, [1, 1, 1, 1]),
        ({"mode": "min", "patience": 2, "cooldown": 2, "factor": 0.5}, [1] * 14),
        ({"mode": "min", "patience": 1, "min_lr": 0.03, "factor": 0.3}, [1] * 8),
        ({"mode": "max", "patience": 2, "min_delta": 0.05}, [0.1, 0.12, 0.14, 0.2, 0.2, 0.21, 0.3]),
        ({"mode": "min", "patience": 2}, [NAN, 1, 0.5, 0.4, 0.3]),
        ({"mode": "min", "patience": 1, "cooldown": 1}, [1, NAN, NAN, 0.5, NAN, 0.6, 0.4]),
        ({"mode": "min", "patience": 0, "factor": 0.9}, [1, 1, 0.9, 1]),
    ],
    checkpoint: [
        ({"mode": "min"}, [3, 2, 2, 1, 1.5, 0.5]),
        ({"mode": "max"}, [0.1, 0.1, 0.3, NAN, 0.2, 0.4]),
        ({"mode": "min"}, [NAN, 1, 0.5]),
        ({"mode": "min", "initial_value_threshold": 1.0}, [2, 1.5, 1.0, 0.9, 0.95, 0.1]),
    ],
}


def random_sequence(draws):
    length = int(draws.integers(4, 18))
    values = numpy.cumsum(draws.normal(-0.05, 0.15, length)) + 1
    values = numpy.round(values, int(draws.integers(1, 4)))  # few digits: ties
    return [NAN if draws.uniform() < 0.06 else float(v) for v in values]


def random_options(draws, kind):
    options = {"mode": str(draws.choice(["min", "max"]))}
    if kind is checkpoint:
        return options | ({"initial_value_threshold": 0.9} if draws.uniform() < 0.3 else {})
    options |= {"patience": int(draws.integers(0, 5)),
                "min_delta": float(draws.choice([0, 0.01, 0.1]))}
    if kind is plateau:
        return options | {"cooldown": int(draws.integers(0, 4)),
                          "factor": float(draws.choice([0.1, 0.5, 0.8])),
                          "min_lr": float(draws.choice([0, 0.01, 0.2]))}
    if draws.uniform() < 0.3:
        options["baseline"] = float(numpy.round(draws.uniform(0.6, 1.2), 2))
    return options | {"start_from_epoch": int(draws.choice([0, 0, 0, 2, 4]))}


def csv_log(model):
    """What CSVLogger writes: with validation and without."""
    result = {}
    for name, logs in (("with", {"loss": 0.5, "val_loss": 0.25, "accuracy": 1e-05}),
                       ("without", {"loss": 0.5, "accuracy": 123456789.125})):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "log.csv")
            callbacks = keras.callbacks.CallbackList([keras.callbacks.CSVLogger(path)],
                                                     model=model)
            callbacks.on_train_begin()
            callbacks.on_epoch_end(0, dict(logs))
            callbacks.on_epoch_end(1, dict(logs))
            callbacks.on_train_end()
            with open(path, newline="") as file:
                result[name] = {"logs": logs, "text": file.read()}
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    draws = numpy.random.default_rng(parser.parse_args().seed)
    model = make_model()
    records = {"csv_logger": csv_log(model)}
    for kind, scripted in SCRIPTED.items():
        cases = scripted + [(random_options(draws, kind), random_sequence(draws))
                            for _ in range(40)]
        records[kind.__name__] = [
            {"options": options, "values": [None if v != v else v for v in values],
             **kind(model, options, [float(v) for v in values])} for options, values in cases]
    print(json.dumps(records, separators=(",", ":"), allow_nan=False))


if __name__ == "__main__":
    main()
