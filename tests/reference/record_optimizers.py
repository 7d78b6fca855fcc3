#!/usr/bin/env python3
"""Records steps of the real optimizers of PyTorch and Keras, in float64, for tests/nn.

Keras decouples weight decay in every optimizer; Millrace's keras_adam adds it to the gradient, as a
regulariser would, so that case feeds Keras the gradient with the decay added.
lion is Keras's, whose decay is decoupled as the paper has it.
Recorded with Python 3.11, torch 2.15.0, keras 3.15.1 on tensorflow 2.21.0 (lion: on torch).

    python3 tests/reference/record_optimizers.py --seed 1 > tests/data/nn/optimizers.json
"""
import argparse
import concurrent.futures
import json
import multiprocessing
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy

STEPS, WEIGHTS = 7, 6
CASES = [
    {"kind": "sgd", "learning_rate": 0.1},
    {"kind": "sgd", "learning_rate": 0.1, "weight_decay": 0.05},
    {"kind": "sgd", "learning_rate": 0.05, "momentum": 0.9},
    {"kind": "sgd", "learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.05},
    {"kind": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True},
    {"kind": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.05},
    {"kind": "adam", "learning_rate": 0.002},
    {"kind": "adam", "learning_rate": 0.002, "weight_decay": 0.1},
    {"kind": "adam", "learning_rate": 0.01, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
    {"kind": "adamw", "learning_rate": 0.002},
    {"kind": "adamw", "learning_rate": 0.02, "weight_decay": 0.1},
    {"kind": "keras_adam", "learning_rate": 0.002},
    {"kind": "keras_adam", "learning_rate": 0.002, "weight_decay": 0.1},
    {"kind": "keras_adam", "learning_rate": 0.01, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
    {"kind": "rmsprop", "learning_rate": 0.002},
    {"kind": "rmsprop", "learning_rate": 0.002, "weight_decay": 0.1},
    {"kind": "rmsprop", "learning_rate": 0.01, "beta2": 0.9, "epsilon": 1e-3},
    {"kind": "rmsprop", "learning_rate": 0.002, "momentum": 0.9, "weight_decay": 0.1},
    {"kind": "adagrad", "learning_rate": 0.01},
    {"kind": "adagrad", "learning_rate": 0.01, "weight_decay": 0.1},
    {"kind": "adagrad", "learning_rate": 0.05, "epsilon": 1e-3},
    {"kind": "lion", "learning_rate": 1e-4},
    {"kind": "lion", "learning_rate": 0.01, "weight_decay": 0.1},
    {"kind": "lion", "learning_rate": 0.01, "beta1": 0.8, "beta2": 0.95},
    {"kind": "sgd", "learning_rate": 0.05, "momentum": 0.9, "dampening": 0.5},
    {"kind": "sgd", "learning_rate": 0.05, "momentum": 0.8, "dampening": 0.8, "weight_decay": 0.05},
]


def torch_optimizer(case, weights):
    import torch
    rate, decay = case["learning_rate"], case.get("weight_decay", 0.0)
    if case["kind"] == "sgd":
        return torch.optim.SGD(weights, rate, momentum=case.get("momentum", 0.0),
                               nesterov=case.get("nesterov", False), weight_decay=decay,
                               dampening=case.get("dampening", 0.0))
    if case["kind"] == "rmsprop":
        return torch.optim.RMSprop(weights, rate, alpha=case.get("beta2", 0.99),
                                   eps=case.get("epsilon", 1e-8), weight_decay=decay,
                                   momentum=case.get("momentum", 0.0))
    if case["kind"] == "adagrad":
        return torch.optim.Adagrad(weights, rate, weight_decay=decay,
                                   eps=case.get("epsilon", 1e-10))
    make = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[case["kind"]]
    return make(weights, rate, betas=(case.get("beta1", 0.9), case.get("beta2", 0.999)),
                eps=case.get("epsilon", 1e-8), weight_decay=decay)


def torch_steps(case, start, gradients, rates):
    import torch
    result = []
    weights = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = torch_optimizer(case, [weights])
    for gradient, rate in zip(gradients, rates):
        optimizer.param_groups[0]["lr"] = rate
        weights.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        result.append(weights.detach().tolist())
    return result


def keras_optimizer(case):
    import keras
    beta1, decay = case.get("beta1", 0.9), case.get("weight_decay", 0.0)
    if case["kind"] == "lion":
        return keras.optimizers.Lion(case["learning_rate"], beta_1=beta1,
                                     beta_2=case.get("beta2", 0.99), weight_decay=decay), 0.0
    return keras.optimizers.Adam(case["learning_rate"], beta_1=beta1,
                                 beta_2=case.get("beta2", 0.999),
                                 epsilon=case.get("epsilon", 1e-7)), decay


def keras_steps(case, start, gradients, rates):
    import keras
    keras.config.set_floatx("float64")
    result = []
    weights = keras.Variable(numpy.array(start), dtype="float64")
    optimizer, added_decay = keras_optimizer(case)
    for gradient, rate in zip(gradients, rates):
        optimizer.learning_rate = rate
        decay = added_decay * numpy.array(weights)
        optimizer.apply([keras.ops.convert_to_tensor(numpy.array(gradient) + decay)], [weights])
        result.append(numpy.array(weights).tolist())
    return result


def in_process(steps, *arguments):
    """The two libraries bring two LLVMs that cannot live in one process."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(steps, *arguments).result()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    random = numpy.random.default_rng(parser.parse_args().seed)
    records = []
    for case in CASES:
        start = random.normal(size=WEIGHTS).tolist()
        # Sizes from 1e-6 to 1: epsilon matters for the small ones.
        scale = 10.0 ** -numpy.arange(WEIGHTS)
        gradients = (random.normal(size=(STEPS, WEIGHTS)) * scale).tolist()
        # The rate changes on the way: a schedule's must act at once.
        rates = [case["learning_rate"] * (1 if step < 4 else 0.5) for step in range(STEPS)]
        steps = keras_steps if case["kind"] in ("keras_adam", "lion") else torch_steps
        records.append({"options": case, "start": start, "gradients": gradients, "rates": rates,
                        "weights": in_process(steps, case, start, gradients, rates)})
    print(json.dumps(records, indent=1))


if __name__ == "__main__":
    main()
