#!/usr/bin/env python3
"""Records the learning rates of Keras's and PyTorch's schedules over 1,000 steps, for tests/nn.

Keras computes in float64 here, as the base rate is a NumPy float64. The options are written in Millrace's words.
Recorded with Python 3.11, torch 2.15.0, keras 3.15.1 on tensorflow 2.21.0. --seed draws the base
rates.

    python3 tests/reference/record_schedules.py --seed 1 > tests/data/nn/schedules.json
"""
import argparse
import concurrent.futures
import json
import multiprocessing
import os
import random

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy

STEPS = 1001


def keras_cases(base):
    from keras.optimizers import schedules as s
    yield s.ExponentialDecay(base, 300, 0.5), {"kind": "exponential", "decay_steps": 300,
                                               "decay_rate": 0.5}
    yield (s.ExponentialDecay(base, 150, 0.7, staircase=True),
           {"kind": "exponential", "decay_steps": 150, "decay_rate": 0.7, "staircase": True})
    yield (s.PiecewiseConstantDecay([200, 650], [base, base * 0.3, base * 0.05]),
           {"kind": "piecewise", "milestones": [201, 651], "factors": [0.3, 0.05]})
    yield (s.PolynomialDecay(base, 600, base * 0.1, 2.0),
           {"kind": "polynomial", "decay_steps": 600, "end_factor": 0.1, "power": 2})
    yield (s.PolynomialDecay(base, 240, base * 0.02, 0.5, cycle=True),
           {"kind": "polynomial", "decay_steps": 240, "end_factor": 0.02, "power": 0.5,
            "cycle": True})
    yield (s.InverseTimeDecay(base, 100, 0.8),
           {"kind": "inverse-time", "decay_steps": 100, "decay_rate": 0.8})
    yield (s.InverseTimeDecay(base, 130, 0.4, staircase=True),
           {"kind": "inverse-time", "decay_steps": 130, "decay_rate": 0.4, "staircase": True})
    yield s.CosineDecay(base, 900, 0.1), {"kind": "cosine", "decay_steps": 900, "end_factor": 0.1}
    yield (s.CosineDecay(base * 0.2, 700, 0.05, warmup_target=base, warmup_steps=200),
           {"kind": "cosine", "decay_steps": 700, "end_factor": 0.05, "warmup_steps": 200,
            "warmup_from": 0.2})
    yield (s.CosineDecayRestarts(base, 130, 2.0, 0.7, 0.1),
           {"kind": "cosine-restarts", "decay_steps": 130, "restart_growth": 2.0,
            "restart_factor": 0.7, "end_factor": 0.1})
    yield (s.CosineDecayRestarts(base, 130, 1.0, 0.9),
           {"kind": "cosine-restarts", "decay_steps": 130, "restart_growth": 1.0,
            "restart_factor": 0.9})


def torch_cases():
    """What makes the scheduler of an optimizer of rate `base`, and Millrace's options."""
    from torch.optim import lr_scheduler as s
    yield (lambda o, base: s.StepLR(o, 170, 0.4),
           {"kind": "step", "decay_steps": 170, "decay_rate": 0.4})
    yield (lambda o, base: s.MultiStepLR(o, [100, 500, 800], 0.3),
           {"kind": "piecewise", "milestones": [100, 500, 800], "decay_rate": 0.3})
    yield (lambda o, base: s.CosineAnnealingLR(o, STEPS - 1, base * 0.01),
           {"kind": "cosine", "decay_steps": STEPS - 1, "end_factor": 0.01})
    yield (lambda o, base: s.PolynomialLR(o, 800, 1.5),
           {"kind": "polynomial", "decay_steps": 800, "power": 1.5})
    yield (lambda o, base: s.LinearLR(o, 0.25, 1.0, 300),
           {"kind": "constant", "warmup_steps": 300, "warmup_from": 0.25})
    yield (lambda o, base: s.SequentialLR(o, [s.LinearLR(o, 0.1, 1.0, 120),
                                              s.StepLR(o, 250, 0.5)], [120]),
           {"kind": "step", "decay_steps": 250, "decay_rate": 0.5, "warmup_steps": 120,
            "warmup_from": 0.1})


def by_keras(bases):
    import keras
    keras.config.set_floatx("float64")
    records = []
    for i in range(len(list(keras_cases(1.0)))):
        schedule, options = list(keras_cases(numpy.float64(bases[i])))[i]
        rates = [float(schedule(keras.ops.convert_to_tensor(step, "int64")))
                 for step in range(STEPS)]
        records.append({"source": "keras " + type(schedule).__name__, "base": bases[i],
                        "options": options, "rates": rates})
    return records


def by_torch(bases):
    import torch
    records = []
    for base, (make, options) in zip(bases, torch_cases()):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=base)
        scheduler = make(optimizer, base)
        rates = []
        for _ in range(STEPS):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        records.append({"source": "torch " + type(scheduler).__name__, "base": base,
                        "options": options, "rates": rates})
    return records


def in_process(record, *arguments):
    """The two libraries bring two LLVMs that cannot live in one process."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(record, *arguments).result()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    draws = random.Random(parser.parse_args().seed)
    bases = [round(10 ** draws.uniform(-4, -0.5), 6) for _ in range(20)]
    records = in_process(by_keras, bases) + in_process(by_torch, bases)
    for record in records:
        record["rates"] = [float(f"{rate:.8g}") for rate in record["rates"]]
    print(json.dumps(records, separators=(",", ":")))


if __name__ == "__main__":
    main()
