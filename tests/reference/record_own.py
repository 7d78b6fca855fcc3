#!/usr/bin/env python3
"""Records what the layer, the losses and the optimizer of examples/ compute, in float64, for tests/nn.

Mish and Nesterov-Adam are PyTorch's own. It has no quantile loss: that is the definition, the mean of
max(q u, (q - 1) u) with u = target - output, whose gradient PyTorch derives. Weights of outputs multiply
within the mean.
Recorded with Python 3.11, torch 2.15.0.

    python3 tests/reference/record_own.py --seed 1 > tests/data/nn/own.json
"""
import argparse
import json

import torch

STEPS, WEIGHTS = 7, 6
OPTIMIZERS = [
    {"kind": "nesterov_adam", "learning_rate": 0.002},
    {"kind": "nesterov_adam", "learning_rate": 0.002, "weight_decay": 0.1},
    {"kind": "nesterov_adam", "learning_rate": 0.01, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
]


def normal(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def mish():
    x = torch.cat([normal(20) * 3, torch.tensor([0.0, -30, 30, -800, 800], dtype=torch.float64)])
    x.requires_grad_()
    y = torch.nn.functional.mish(x)
    y.sum().backward()
    return {"x": x.tolist(), "y": y.tolist(), "slope": x.grad.tolist()}


def quantile(name, share, weighted):
    outputs, targets = normal(6, 4).requires_grad_(), normal(6, 4).float().double()
    weights = torch.rand(6, 4).float().double() if weighted else torch.ones(6, 4, dtype=torch.float64)
    weights[1, 2] = 0 if weighted else 1
    below = targets - outputs
    loss = (weights * torch.maximum(share * below, (share - 1) * below)).mean()
    loss.backward()
    return {"loss": name, "outputs": outputs.tolist(), "targets": targets.tolist(),
            "weights": weights.tolist() if weighted else [], "mean_loss": loss.item(),
            "gradient": outputs.grad.tolist()}


def steps(case):
    weights = normal(WEIGHTS).requires_grad_()
    start = weights.tolist()
    # Sizes from 1e-6 to 1: epsilon matters for the small ones.
    gradients = normal(STEPS, WEIGHTS) * 10.0 ** -torch.arange(WEIGHTS, dtype=torch.float64)
    # The rate changes on the way: a schedule's must act at once.
    rates = [case["learning_rate"] * (1 if step < 4 else 0.5) for step in range(STEPS)]
    optimizer = torch.optim.NAdam([weights], rates[0], eps=case.get("epsilon", 1e-8),
                                  betas=(case.get("beta1", 0.9), case.get("beta2", 0.999)),
                                  weight_decay=case.get("weight_decay", 0.0))
    result = []
    for gradient, rate in zip(gradients, rates):
        optimizer.param_groups[0]["lr"] = rate
        weights.grad = gradient.clone()
        optimizer.step()
        result.append(weights.tolist())
    return {"options": case, "start": start, "gradients": gradients.tolist(), "rates": rates,
            "weights": result}


def late_step():
    """One weight after 2,000 steps: the product of all momenta has no share in it any more."""
    weight = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.NAdam([weight], 0.001)
    for t in range(2000):
        weight.grad = torch.cos(torch.tensor([0.1 * t], dtype=torch.float64))
        optimizer.step()
    return weight.item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    torch.set_default_dtype(torch.float64)  # in which NAdam keeps its product of momenta, too
    torch.manual_seed(parser.parse_args().seed)
    losses = [quantile(name, share, weighted) for name, share in
              (("quantile_90", 0.9), ("quantile_10", 0.1)) for weighted in (False, True)]
    print(json.dumps({"mish": mish(), "losses": losses, "steps": [steps(c) for c in OPTIMIZERS],
                      "after_2000": late_step()}, indent=1))


if __name__ == "__main__":
    main()
