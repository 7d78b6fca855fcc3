#!/usr/bin/env python3
"""Records what Keras's LossScaleOptimizer and PyTorch's GradScaler make of steps whose gradients are
finite or not, for tests/nn.

A pattern has a letter a step: F all gradients finite, I one infinite, N one not a number. States are
[step, scale, good steps since the last change, steps skipped so far], after that step. A step counts
as skipped when the weight did not move; Keras's own count of iterations has to say the same.
Recorded with Python 3.11, torch 2.15.0, keras 3.15.1 on tensorflow 2.21.0.

    python3 tests/reference/record_loss_scale.py --seed 1 > tests/data/nn/loss_scale.json
"""
import argparse
import concurrent.futures
import json
import math
import multiprocessing
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy

VERSIONS = {"torch": "2.15.0", "keras": "3.15.1"}
BAD = {"I": math.inf, "N": math.nan}


def require(library, version):
    if version.split("+")[0] != VERSIONS[library]:
        raise SystemExit(f"{library} is {version}; this is recorded with {VERSIONS[library]}")


def keras_states(case):
    import keras
    require("keras", keras.__version__)
    inner = keras.optimizers.SGD(1.0)
    options = {}
    if "initial" in case:
        options["initial_scale"] = case["initial"]
    if "growth_steps" in case:
        options["dynamic_growth_steps"] = case["growth_steps"]
    scaler = keras.optimizers.LossScaleOptimizer(inner, **options)
    weight = keras.Variable(numpy.zeros(2, "float32"))
    scaler.build([weight])
    states = []
    for step, letter in enumerate(case["pattern"], 1):
        scale = float(scaler.dynamic_scale)
        gradient = numpy.asarray([scale, BAD.get(letter, scale)], "float32")
        scaler.apply([keras.ops.convert_to_tensor(gradient)], [weight])
        taken = -round(float(weight[0]))
        assert taken == int(inner.iterations), (taken, int(inner.iterations))
        states.append([step, float(scaler.dynamic_scale), int(scaler.step_counter), step - taken])
    return states


def torch_states(case):
    import torch
    require("torch", torch.__version__)
    options = {}
    if "initial" in case:
        options["init_scale"] = case["initial"]
    if "growth_steps" in case:
        options["growth_interval"] = case["growth_steps"]
    scaler = torch.amp.GradScaler("cpu", **options)
    weight = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.SGD([weight], 1.0)
    states = []
    for step, letter in enumerate(case["pattern"], 1):
        optimizer.zero_grad()
        scaler.scale(weight.sum()).backward()
        if letter in BAD:
            weight.grad[1] = BAD[letter]
        scaler.step(optimizer)
        scaler.update()
        taken = -round(weight[0].item())
        tracker = scaler.state_dict()["_growth_tracker"]
        states.append([step, scaler.get_scale(), tracker, step - taken])
    return states


def cases(random):
    yield {"pattern": "F" * 2002}  # the libraries' own constants
    yield {"pattern": "FFIFFFF", "growth_steps": 3}
    yield {"pattern": "NIFFNFFFFFFF", "growth_steps": 1}
    # PyTorch leaves the scale where float32 would overflow; Keras 3 does not look, so it is not asked.
    yield {"library": "torch", "pattern": "FFFFIFFF", "growth_steps": 1, "initial": 2.0**126}
    for growth_steps in (1, 2, 5, 9):
        pattern = "".join(random.choice(list("FIN"), size=60, p=(0.8, 0.1, 0.1)))
        yield {"pattern": pattern, "growth_steps": growth_steps, "initial": 2.0**random.integers(17)}


def told(states):
    """Long runs are told by their ends."""
    return states if len(states) < 100 else states[:2] + states[-5:]


def every(states_of, asked):
    return [states_of(case) for case in asked]


def in_process(*arguments):
    """The two libraries bring two LLVMs that cannot live in one process."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(every, *arguments).result()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    random = numpy.random.default_rng(parser.parse_args().seed)
    asked = list(cases(random))
    records = []
    for library, states_of in (("keras", keras_states), ("torch", torch_states)):
        own = [case for case in asked if case.get("library", library) == library]
        for case, states in zip(own, in_process(states_of, own)):
            records.append({**case, "library": library, "states": told(states)})
    print(json.dumps(records))


if __name__ == "__main__":
    main()
