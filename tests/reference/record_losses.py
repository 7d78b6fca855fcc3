#!/usr/bin/env python3
"""Records losses and their gradients from logits, in float64, for tests/nn.

Each case is computed by PyTorch and by Keras; the script fails if they differ. PyTorch has no focal
losses: there its gradient is that of Keras's formula, without the cut at 1e-7 from 0 and 1, which
shows in extreme cases, so that Keras computes the usual ones alone. Nor has Keras weights of outputs.
The loss is sum(weight * loss) / samples, Keras's "sum_over_batch_size"; with weights of outputs,
sum(weight * loss) / outputs / samples.
Recorded with Python 3.11, torch 2.15.0, keras 3.15.1 on tensorflow 2.21.0 (from huber on: on torch).

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


ALPHA, GAMMA = 0.25, 2.0


def softmax_focal(logits, labels):
    log_p = functional.log_softmax(logits, dim=1)
    return (-ALPHA * labels * (1 - log_p.exp()) ** GAMMA * log_p).sum(dim=1)


def sigmoid_focal(logits, labels):
    entropy = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    p = torch.sigmoid(logits)
    off = labels * (1 - p) + (1 - labels) * p
    return (labels * ALPHA + (1 - labels) * (1 - ALPHA)) * off ** GAMMA * entropy


TARGETS = {"huber": functional.huber_loss, "mean_squared": functional.mse_loss,
           "mean_absolute": functional.l1_loss}


def dense_labels(case):
    """Rows of labels, smoothed."""
    labels, shape = numpy.array(case["labels"], dtype="float64"), numpy.shape(case["logits"])
    if case["loss"].startswith("softmax") and labels.ndim == 1:
        labels = numpy.eye(shape[1])[labels.astype(int)]
    smoothing, classes = case.get("smoothing", 0), 2 if case["loss"].startswith("sigmoid") else shape[1]
    return torch.tensor(labels.reshape(shape) * (1 - smoothing) + smoothing / classes)


def by_torch(case):
    logits = torch.tensor(case["logits"], dtype=torch.float64, requires_grad=True)
    weights = torch.tensor(case["weights"] or [1.0] * len(logits), dtype=torch.float64)
    is_integer = numpy.ndim(case["labels"]) == 1
    if case["loss"] in TARGETS:
        labels = torch.tensor(case["labels"], dtype=torch.float64)
        losses = TARGETS[case["loss"]](logits, labels, reduction="none")
    elif case["loss"] == "softmax_focal":
        losses = softmax_focal(logits, dense_labels(case))
    elif case["loss"] == "sigmoid_focal":
        losses = sigmoid_focal(logits, dense_labels(case))
    elif case["loss"] == "softmax":
        labels = torch.tensor(case["labels"], dtype=torch.int64 if is_integer else torch.float64)
        losses = functional.cross_entropy(logits, labels, reduction="none")
    else:
        labels = torch.tensor(case["labels"], dtype=torch.float64).reshape(logits.shape)
        losses = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    if weights.dim() == 2:
        losses = torch.where(weights == 0, 0.0, losses * weights).mean(dim=1)
        weights = torch.ones(len(logits), dtype=torch.float64)
    elif losses.dim() == 2:
        losses = losses.mean(dim=1)
    mean = (losses * weights).sum() / len(logits)
    mean.backward()
    return mean.item(), logits.grad.tolist()


def by_keras(case):
    is_integer = numpy.ndim(case["labels"]) == 1
    labels = numpy.array(case["labels"], dtype="int32" if is_integer else "float64")
    makers = {"huber": keras.losses.Huber, "mean_squared": keras.losses.MeanSquaredError,
              "mean_absolute": keras.losses.MeanAbsoluteError}
    smoothing = case.get("smoothing", 0)
    if case["loss"] in makers:
        loss = makers[case["loss"]]()
    elif case["loss"] == "softmax_focal":
        loss = keras.losses.CategoricalFocalCrossentropy(from_logits=True,
                                                         label_smoothing=smoothing)
        labels = numpy.eye(len(case["logits"][0]))[labels] if is_integer else labels
    elif case["loss"] == "sigmoid_focal":
        loss = keras.losses.BinaryFocalCrossentropy(apply_class_balancing=True, from_logits=True,
                                                    label_smoothing=smoothing)
        labels = labels.reshape(numpy.shape(case["logits"])).astype("float64")
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
    for name, spread in (("usual", 2.0), ("extreme", 400.0)):
        outputs = random.normal(size=(6, 4)) * spread
        targets = as_floats(random.normal(size=(6, 4)) * spread)
        outputs[0, :2] = numpy.asarray(targets)[0, :2]  # an error of 0
        for weighted in ([], as_floats(random.uniform(0, 3, size=6))):
            yield f"{name} targets", "mean_squared", outputs, targets, weighted
            yield f"{name} targets", "mean_absolute", outputs, targets, weighted
    for name, spread in (("usual", 2.0), ("extreme", 40.0)):
        softmax, many = random.normal(size=(6, 5)) * spread, random.normal(size=(6, 3)) * spread
        one = random.normal(size=(6, 1)) * spread
        classes = random.integers(0, 5, size=6).tolist()
        bits = random.integers(0, 2, size=6).tolist()
        soft = as_floats(random.dirichlet(numpy.ones(5), size=6))
        shares = as_floats(random.uniform(size=(6, 3)))
        for weighted in ([], as_floats(random.uniform(0, 3, size=6))):
            yield f"{name} classes", "softmax_focal", softmax, classes, weighted
            yield f"{name} soft labels", "softmax_focal", softmax, soft, weighted
            yield f"{name} bits", "sigmoid_focal", one, bits, weighted
            yield f"{name} several bits", "sigmoid_focal", many, shares, weighted
    for loss in ("mean_squared", "mean_absolute", "huber", "sigmoid", "sigmoid_focal"):
        outputs = random.normal(size=(6, 4)) * 2
        targets = as_floats(random.uniform(size=(6, 4)))
        weights = random.uniform(0, 3, size=(6, 4)) * random.integers(0, 2, size=(6, 4))
        weights[2] = 0  # a sample of which nothing is asked
        yield "usual outputs with weights", loss, outputs, targets, as_floats(weights)


def smoothed(plain):
    """Focal losses with smoothed labels too."""
    for case in plain:
        yield (*case, 0)
        if "focal" in case[1] and case[0].startswith("usual") and numpy.ndim(case[4]) < 2:
            yield (case[0] + ", smoothed", *case[1:], 0.1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    random = numpy.random.default_rng(parser.parse_args().seed)
    keras.config.set_floatx("float64")
    records = []
    for name, loss, logits, labels, weights, smoothing in smoothed(cases(random)):
        case = {"name": name + (", weighted" if weights else ""), "loss": loss,
                "logits": logits.tolist(), "labels": labels, "weights": weights}
        if smoothing:
            case["smoothing"] = smoothing
        case["mean_loss"], case["gradient"] = by_torch(case)
        # Keras's float32 rounding of soft labels that do not sum to 1 to the last bit shows here.
        if numpy.ndim(weights) < 2 and not (name.startswith("extreme") and "focal" in loss):
            numpy.testing.assert_allclose(by_keras(case), case["mean_loss"], rtol=1e-6)
        records.append(case)
    print(json.dumps(records, indent=1))


if __name__ == "__main__":
    main()
