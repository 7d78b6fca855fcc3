#!/usr/bin/env python3
"""Records exponential moving averages of PyTorch's AveragedModel, in float64, for tests/nn.

The average begins with the weights that training begins with: PyTorch copies weights in the first
update_parameters(), so that is called once before the first step. Numbers that training begins with
are float32's. Recorded with Python 3.11, torch 2.15.0.

    python3 tests/reference/record_average.py --seed 1 > tests/data/nn/average.json
"""
import argparse
import json

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

STEPS, BATCH = 4, 6
CASES = [
    {"average": 0.9, "optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9},
    {"average": 0.999, "optimizer": "sgd", "learning_rate": 0.5},
    {"average": 0.5, "optimizer": "adam", "learning_rate": 0.01},
]


def floats(values):
    return values.float().double()


def rounded(values):
    return [float(f"{value:.14g}") for value in values.detach().flatten().tolist()]


def record(case):
    model = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
    model = model.double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(floats(parameter))
    start = [rounded(p) for p in model.parameters()]
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(case["average"]))
    averaged.update_parameters(model)
    make = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[case["optimizer"]]
    options = {key: case[key] for key in ("momentum",) if key in case}
    optimizer = make(model.parameters(), case["learning_rate"], **options)
    steps = []
    for _ in range(STEPS):
        inputs = floats(torch.randn(BATCH, 4, dtype=torch.float64))
        labels = torch.randint(3, (BATCH,))
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
        averaged.update_parameters(model)
        with torch.no_grad():
            loss = torch.nn.functional.cross_entropy(averaged(inputs), labels).item()
        steps.append({"inputs": rounded(inputs), "labels": labels.tolist(), "loss": loss,
                      "weights": [rounded(p) for p in model.parameters()],
                      "averages": [rounded(p) for p in averaged.module.parameters()]})
    return {"options": case, "start": start, "steps": steps}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    torch.manual_seed(parser.parse_args().seed)
    torch.use_deterministic_algorithms(True)
    print(json.dumps([record(case) for case in CASES]))


if __name__ == "__main__":
    main()
