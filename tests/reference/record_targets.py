#!/usr/bin/env python3
"""Records trainings on tables with targets, and figures of targets, for tests/training and tests/nn.

"trainings": 100 steps of PyTorch in float64, batches in the order of the rows. A regression of two
targets, and three labels of which some are unknown (null). The loss is the mean over all rows and
outputs, that of an unknown target being 0.
"figures": scikit-learn's mean squared and absolute error, R2, accuracy and area of each target, over
the rows in which it is known; "mean" are their plain means.
Recorded with Python 3.11, torch 2.15.0, scikit-learn 1.9.1, numpy 2.4.6.

    python3 tests/reference/record_targets.py --seed 1 > tests/data/nn/targets.json
"""
import argparse
import json

import numpy
import torch
from sklearn import metrics

ROWS, BATCH, STEPS, HIDDEN, RATE = 120, 30, 100, 8, 0.01


def float32(values):
    return numpy.round(numpy.asarray(values, dtype="float64"), 4).astype("float32")


def table(random, kind):
    x = float32(random.normal(size=(ROWS, 4)))
    if kind == "regression":
        y = numpy.stack([3 * x[:, 0] - x[:, 1] * x[:, 2] + 20, numpy.sin(2 * x[:, 3]) / 5], axis=1)
        return x, float32(y + random.normal(size=y.shape) / 20)
    y = float32((x @ random.normal(size=(4, 3)) + random.normal(size=(ROWS, 3)) / 2) > 0)
    y[random.uniform(size=y.shape) < 0.25] = numpy.nan
    y[7] = numpy.nan  # a row of which nothing is known
    return x, y


def training(random, kind):
    x, y = table(random, kind)
    layers = [torch.nn.Linear(4, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, y.shape[1])]
    model = torch.nn.Sequential(*layers).double()
    with torch.no_grad():  # numbers that float32 holds
        for parameter in model.parameters():
            parameter.copy_(torch.tensor(float32(parameter.numpy())))
    weights = {f"dense{1 + i}.{name}": getattr(layer, name).tolist()
               for i, layer in enumerate([layers[0], layers[2]]) for name in ("weight", "bias")}
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    inputs, targets = torch.tensor(x).double(), torch.tensor(y).double()
    loss_of = {"regression": torch.nn.functional.mse_loss,
               "labels": torch.nn.functional.binary_cross_entropy_with_logits}[kind]
    losses = []
    for step in range(STEPS):
        rows = slice(step * BATCH % ROWS, step * BATCH % ROWS + BATCH)
        known = ~targets[rows].isnan()
        one = loss_of(model(inputs[rows]), targets[rows].nan_to_num(), reduction="none")
        loss = (one * known).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"features": short(x), "targets": short(y), "batch": BATCH, "rate": RATE,
            "weights": weights, "losses": losses}


def short(values):
    """Numbers that float32 reads back equal; null for those that are none."""
    return [[None if numpy.isnan(value) else float(f"{value:.9g}") for value in row] for row in values]


def figures(random, kind, rows):
    y = float32(random.uniform(size=(rows, 4)) * [1, 10, 1e-3, 1] + [0, 1e6, 0, 5])
    if kind == "labels":
        y = float32(random.uniform(size=(rows, 4)) < 0.4)
    outputs = float32(y + random.normal(size=y.shape) * [0.3, 2, 1e-4, 1])
    if kind == "labels":
        outputs = numpy.round(numpy.clip((outputs + 1) / 3, 0, 1), 1).astype("float32")  # with ties
    y[:, 3] = 1 if kind == "labels" else 7  # a constant: no area, and an R2 of 0
    y[random.uniform(size=y.shape) < 0.2] = numpy.nan
    each = []
    for c in range(4):
        known = ~numpy.isnan(y[:, c])
        a, b = y[known, c].astype("float64"), outputs[known, c].astype("float64")
        one = {"mse": metrics.mean_squared_error(a, b), "mae": metrics.mean_absolute_error(a, b),
               "r2": metrics.r2_score(a, b), "known": int(known.sum())}
        if kind == "labels":
            one["binary_accuracy"] = metrics.accuracy_score(a > 0.5, b > 0.5)
            one["auc"] = metrics.roc_auc_score(a, b) if c < 3 else None
        each.append(one)
    names = [name for name in each[0] if name != "known"]
    mean = {name: numpy.mean([one[name] for one in each if one[name] is not None]) for name in names}
    return {"outputs": short(outputs), "targets": short(y), "each": each, "mean": mean}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    seed = parser.parse_args().seed
    torch.manual_seed(seed)
    random = numpy.random.default_rng(seed)
    kinds = ("regression", "labels")
    print(json.dumps({"trainings": {kind: training(random, kind) for kind in kinds},
                      "figures": {kind: figures(random, kind, 60) for kind in kinds}}))


if __name__ == "__main__":
    main()
