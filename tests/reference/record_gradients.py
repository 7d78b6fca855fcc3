#!/usr/bin/env python3
"""Records training steps of Keras with L2, clipping and label smoothing, in float64, for tests/nn.

A dense net of two layers; kernels are written as [out][in]. The loss of a step is what Keras
reports: that of the weights before the step, with the regulariser. PyTorch repeats each run with
L2 in its loss; where it has the same clip the script fails unless it agrees (clip_grad_norm_ adds
1e-6 to the norm).
Recorded with Python 3.11, torch 2.15.0, keras 3.15.1 on tensorflow 2.21.0.

    python3 tests/reference/record_gradients.py --seed 1 > tests/data/nn/gradients.json
"""
import argparse
import concurrent.futures
import json
import multiprocessing
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy

STEPS, SAMPLES, INPUTS, HIDDEN = 5, 6, 4, 5
CASES = [
    {"outputs": 3, "label_smoothing": 0.1},
    {"outputs": 1, "label_smoothing": 0.2},
    {"outputs": 3, "l2": 0.03},
    {"outputs": 3, "l2": 0.03, "optimizer": "keras_adam", "learning_rate": 0.02},
    {"outputs": 3, "clip_value": 0.05},
    {"outputs": 3, "clip_norm": 0.2},
    {"outputs": 3, "clip_global_norm": 0.3},
    {"outputs": 3, "clip_global_norm": 30.0},
    {"outputs": 1, "clip_norm": 0.1, "l2": 0.1, "label_smoothing": 0.1, "momentum": 0.9},
    {"outputs": 3, "clip_value": 0.02, "l2": 0.1, "momentum": 0.9},
    {"outputs": 3, "clip_global_norm": 0.2, "l2": 0.05, "label_smoothing": 0.3,
     "optimizer": "keras_adam", "learning_rate": 0.02},
]


def keras_steps(case, start, inputs, labels):
    import keras
    keras.config.set_floatx("float64")
    clips = {"clipvalue": case.get("clip_value"), "clipnorm": case.get("clip_norm"),
             "global_clipnorm": case.get("clip_global_norm")}
    if case.get("optimizer") == "keras_adam":
        optimizer = keras.optimizers.Adam(case["learning_rate"], **clips)
    else:
        optimizer = keras.optimizers.SGD(case.get("learning_rate", 0.1),
                                         momentum=case.get("momentum", 0.0), **clips)
    l2 = keras.regularizers.L2(case["l2"]) if "l2" in case else None
    smoothing = case.get("label_smoothing", 0.0)
    loss = (keras.losses.BinaryCrossentropy if case["outputs"] == 1
            else keras.losses.CategoricalCrossentropy)(from_logits=True, label_smoothing=smoothing)
    model = keras.Sequential([
        keras.layers.Input([INPUTS]),
        keras.layers.Dense(HIDDEN, activation="relu", kernel_regularizer=l2),
        keras.layers.Dense(case["outputs"], kernel_regularizer=l2)])
    model.compile(optimizer, loss)
    model.set_weights([value.T for value in start])
    result = []
    for x, y in zip(inputs, labels):
        value = float(model.train_on_batch(x, y))
        result.append({"loss": value, "weights": [w.T.tolist() for w in model.get_weights()]})
    evaluated = float(model.test_on_batch(inputs[0], labels[0]))
    return {"steps": result, "evaluated": evaluated}


def torch_steps(case, start, inputs, labels):
    import torch
    import torch.nn.functional as functional
    weights = [torch.tensor(value, requires_grad=True) for value in start]
    optimizer = torch.optim.SGD(weights, case.get("learning_rate", 0.1),
                                momentum=case.get("momentum", 0.0))
    smoothing = case.get("label_smoothing", 0.0)
    for x, y in zip(inputs, labels):
        hidden = functional.linear(torch.tensor(x), weights[0], weights[1]).relu()
        logits = functional.linear(hidden, weights[2], weights[3])
        target = torch.tensor(y)
        if case["outputs"] == 1:
            target = target * (1 - smoothing) + 0.5 * smoothing
            loss = functional.binary_cross_entropy_with_logits(logits, target)
        else:
            loss = functional.cross_entropy(logits, target, label_smoothing=smoothing)
        loss = loss + case.get("l2", 0.0) * sum((w * w).sum() for w in (weights[0], weights[2]))
        optimizer.zero_grad()
        loss.backward()
        if "clip_value" in case:
            torch.nn.utils.clip_grad_value_(weights, case["clip_value"])
        if "clip_global_norm" in case:
            torch.nn.utils.clip_grad_norm_(weights, case["clip_global_norm"])
        for w in weights if "clip_norm" in case else []:
            torch.nn.utils.clip_grad_norm_([w], case["clip_norm"])
        optimizer.step()
    return [w.detach().numpy() for w in weights]


def in_process(steps, *arguments):
    """The two libraries bring two LLVMs that cannot live in one process."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(steps, *arguments).result()


def as_floats(values):
    """Batches travel as float32: record numbers that it holds exactly."""
    return numpy.asarray(values, dtype="float32").astype("float64")


def every_run(steps, runs):
    return [steps(*run) for run in runs]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    random = numpy.random.default_rng(parser.parse_args().seed)
    runs = []
    for case in CASES:
        k = case["outputs"]
        start = [as_floats(random.normal(size=shape))
                 for shape in ((HIDDEN, INPUTS), (HIDDEN,), (k, HIDDEN), (k,))]
        inputs = as_floats(random.normal(size=(STEPS, SAMPLES, INPUTS)))
        classes = random.integers(0, max(k, 2), size=(STEPS, SAMPLES))
        labels = classes[..., None].astype("float64") if k == 1 else numpy.eye(k)[classes]
        runs.append((case, start, inputs, labels))
    by_keras = in_process(every_run, keras_steps, runs)
    by_torch = in_process(every_run, torch_steps,
                          [run for run in runs if "optimizer" not in run[0]])
    torch_runs = iter(by_torch)
    records = []
    for (case, start, inputs, labels), recorded in zip(runs, by_keras):
        if "optimizer" not in case:
            for mine, other in zip(recorded["steps"][-1]["weights"], next(torch_runs)):
                numpy.testing.assert_allclose(mine, other, rtol=2e-5, atol=2e-6)
        records.append({"options": case, "start": [w.tolist() for w in start],
                        "inputs": inputs.tolist(), "labels": labels.tolist(), **recorded})
    print(json.dumps(records))


if __name__ == "__main__":
    main()
