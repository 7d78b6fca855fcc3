"""Records what Keras's TensorBoard callback writes, for tests/apps/event_log_test.cpp: two epochs of
five batches with validation; learning rate 0, so that each batch has the loss it has in either epoch.

usage: python record_tensorboard.py OUT.json [--seed 4]    (keras 3.15.1, tensorflow and tensorboard 2.21.0)
"""
import argparse
import json
import os
import tempfile

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np
from tensorboard.backend.event_processing import event_file_loader
from tensorboard.util import tensor_util

parser = argparse.ArgumentParser()
parser.add_argument("out")
parser.add_argument("--seed", type=int, default=4)
arguments = parser.parse_args()
keras.utils.set_random_seed(arguments.seed)
BATCH, EPOCHS, EVERY = 4, 2, 2


def data(samples):
    return np.random.rand(samples, 3).astype("float32"), np.random.randint(0, 2, samples)


x, y = data(18)  # the last batch is short
validation = data(6)
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax")])
model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy",
              metrics=["accuracy"])


def batch_results(x, y):
    rows = []
    for at in range(0, len(x), BATCH):
        p, labels = model.predict(x[at : at + BATCH], verbose=0), y[at : at + BATCH]
        loss = -np.log(p[np.arange(len(labels)), labels].astype(np.float64))
        rows.append([float(loss.sum()), int((p.argmax(1) == labels).sum()), len(labels)])
    return rows


def written(update_freq):
    """[run, tag, step, value] of all scalars."""
    scalars = []
    with tempfile.TemporaryDirectory() as folder:
        log = keras.callbacks.TensorBoard(folder, update_freq=update_freq, write_graph=False)
        model.fit(x, y, BATCH, EPOCHS, validation_data=validation, shuffle=False, callbacks=[log],
                  verbose=0)
        model.optimizer.iterations.assign(0)
        for run in sorted(os.listdir(folder)):
            for name in sorted(os.listdir(os.path.join(folder, run))):
                loader = event_file_loader.EventFileLoader(os.path.join(folder, run, name))
                for event in loader.Load():
                    for value in event.summary.value:
                        number = float(tensor_util.make_ndarray(value.tensor).item())
                        scalars.append([run, value.tag, event.step, number])
    return scalars


training_rows, validation_rows = batch_results(x, y), batch_results(*validation)
# With update_freq=N, Keras 3.15 loses the epoch_* of epochs that end off a multiple of N batches.
scalars = written("epoch") + [row for row in written(EVERY) if row[1].startswith("batch_")]
with open(arguments.out, "w") as out:
    record = {"epochs": EPOCHS, "every": EVERY, "training": training_rows,
              "validation": validation_rows, "scalars": scalars}
    json.dump({"seed": arguments.seed, **record}, out, indent=1)
    out.write("\n")
