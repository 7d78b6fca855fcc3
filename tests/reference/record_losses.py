#!/usr/bin/env python3
"""Records losses and their gradients from logits, in float64, for tests/nn.

Each case is computed by PyTorch and by Keras; the script fails if they differ.
The loss is sum(weight * loss) / samples, Keras's "sum_over_batch_size".
Recorded with Python 3.11, torch 2.15.0, keras 3.15.1 on tensorflow 2.21.0 (huber: on torch).

    python3 tests/reference/record_losses.py --seed 1 > tests/data/nn/losses.json
"""
import argparse
import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
import keras
import numpy
import torch
import torch.nn.functional as functional


def by_torch(case):
    logits = torch.tensor(case["logits"], dtype=torch.float64, requires_grad=True)
    weights = torch.tensor(case["weights"] or [1.0] * len(logits), dtype=torch.float64)
    is_integer = numpy.ndim(case["labels"]) == 1
    if case["loss"] == "huber":
        labels = torch.tensor(case["labels"], dtype=torch.float64)
        losses = functional.huber_loss(logits, labels, reduction="none").mean(dim=1)
    elif case["loss"] == "softmax":
        labels = torch.tensor(case["labels"], dtype=torch.int64 if is_integer else torch.float64)
        losses = functional.cross_entropy(logits, labels, reduction="none")
    else:
        labels = torch.tensor(case["labels"], dtype=torch.float64).reshape(logits.shape)
        losses = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
        losses = losses.mean(dim=1)
    mean = (losses * weights).sum() / len(logits)
    mean.backward()
    return mean.item(), logits.grad.tolist()


def by_keras(case):
    is_integer = numpy.ndim(case["labels"]) == 1
    labels = numpy.array(case["labels"], dtype="int32" if is_integer else "float64")
    if case["loss"] == "huber":
        loss = keras.losses.Huber()
    elif case["loss"] == "sigmoid":
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        labels = labels.reshape(numpy.shape(case["logits"])).astype("float64")
    elif is_integer:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    else:
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    weights = numpy.array(case["weights"]) if case["weights"] else None
    return float(loss(labels, numpy.array(case["logits"]), sample_weight=weights))


def as_floats(values):
    """Labels and weights travel as float32: record numbers that it holds exactly."""
    return numpy.asarray(values, dtype="float32").astype("float64").tolist()


def cases(random):
    for name, spread in (("usual", 2.0), ("extreme", 400.0)):
        softmax = random.normal(size=(6, 5)) * spread
        one, many = random.normal(size=(6, 1)) * spread, random.normal(size=(6, 3)) * spread
        weights = as_floats(random.uniform(0, 3, size=6))
        classes = random.integers(0, 5, size=6).tolist()
        bits = random.integers(0, 2, size=6).tolist()
        soft = as_floats(random.dirichlet(numpy.ones(5), size=6))
        for weighted in ([], weights):
            yield f"{name} classes", "softmax", softmax, classes, weighted
            yield f"{name} soft labels", "softmax", softmax, soft, weighted
            yield f"{name} bits", "sigmoid", one, bits, weighted
            shares = as_floats(random.uniform(size=(6, 1)))
            yield f"{name} soft bits", "sigmoid", one, shares, weighted
            shares = as_floats(random.uniform(size=(6, 3)))
            yield f"{name} several bits", "sigmoid", many, shares, weighted
    # After the others, whose random numbers stay what they were.
    for name, spread in (("usual", 2.0), ("extreme", 400.0)):
        outputs = random.normal(size=(6, 4)) * spread
        targets = as_floats(random.normal(size=(6, 4)) * spread)
        outputs[0] = numpy.asarray(targets[0]) + numpy.array([1, -1, 0, 0.5])  # |e| of 1, and of 0
        for weighted in ([], as_floats(random.uniform(0, 3, size=6))):
            yield f"{name} targets", "huber", outputs, targets, weighted


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    random = numpy.random.default_rng(parser.parse_args().seed)
    keras.config.set_floatx("float64")
    records = []
    for name, loss, logits, labels, weights in cases(random):
        case = {"name": name + (", weighted" if weights else ""), "loss": loss,
                "logits": logits.tolist(), "labels": labels, "weights": weights}
        case["mean_loss"], case["gradient"] = by_torch(case)
        # Keras's float32 rounding of soft labels that do not sum to 1 to the last bit shows here.
        numpy.testing.assert_allclose(by_keras(case), case["mean_loss"], rtol=1e-6)
        records.append(case)
    print(json.dumps(records, indent=1))


if __name__ == "__main__":
    main()
