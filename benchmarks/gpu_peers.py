#!/usr/bin/env python3
"""What PyTorch makes of the training steps that `millrace bench` measures on a GPU, on the same card.

    python3 benchmarks/gpu_peers.py [--quick] [--no-compile] [--json FILE] [mlp] [cnn] [vgg16]

mlp    784-500-10, batch 100, plain SGD, float32, 60,000 pictures resident on the device as uint8: the
       article's comparison; microseconds a step, seconds for 5 epochs. Eager, and the step captured as
       a CUDA graph.
cnn    3x3 convolutions of 32, 64, 128, 128 filters with ReLU and pooling, dense 512, at 150x150,
       batch 32, four classes, Adam, from resident data; eager with channels_last and autocast to
       float16, and the same compiled. Images a second.
vgg16  its convolution base frozen, dense 256 and an output for each of two classes on top
       (vgg16-frozen.json), at 150x150, batch 32, float16, Adam. Images a second.

Median of five runs after a warm-up, with the spread. Random pictures and labels: no time depends on
what they show. FILE is written anew after each. Without a GPU it says so and ends with status 3;
--device cpu tries the script itself.
"""
import argparse
import functools
import json
import statistics
import sys
import time

try:
    import torch
    from torch import nn
except ImportError:
    print("gpu_peers: python3 has no torch here", file=sys.stderr)
    sys.exit(3)


def layers_of_cnn(classes):
    layers, channels = [], 3
    for filters in (32, 64, 128, 128):
        layers += [nn.Conv2d(channels, filters, 3), nn.ReLU(), nn.MaxPool2d(2)]
        channels = filters
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 7 * 7, 512), nn.ReLU(),
                         nn.Linear(512, classes))


def base_of_vgg16():
    layers, channels = [], 3
    for block in ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3):
        for filters in block:
            layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU()]
            channels = filters
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


class Pictures:
    """Resident uint8 pictures; a batch is gathered and scaled on the device."""

    def __init__(self, shape, classes, count, device, channels_last):
        self.pixels = torch.randint(0, 256, (count, *shape), dtype=torch.uint8, device=device)
        if channels_last:
            self.pixels = self.pixels.to(memory_format=torch.channels_last)
        self.labels = torch.randint(0, classes, (count,), device=device)
        self.order = torch.randperm(count, device=device)

    def batch(self, step, size, dtype):
        first = step * size % (len(self.order) - size + 1)
        rows = self.order[first:first + size]
        return self.pixels[rows].to(dtype).div_(255), self.labels[rows]


def timed(step, steps, device):
    """Seconds a step: median, least and most of five runs."""
    def once():
        if device.type == "cuda":
            torch.cuda.synchronize()
        begin = time.perf_counter()
        for i in range(steps):
            step(i)
        if device.type == "cuda":
            torch.cuda.synchronize()
        return (time.perf_counter() - begin) / steps
    once()
    runs = [once() for _ in range(5)]
    return {"median_s": statistics.median(runs), "min_s": min(runs), "max_s": max(runs)}


def training_step(model, pictures, batch, optimizer, autocast):
    loss_of = nn.CrossEntropyLoss()
    scaler = torch.amp.GradScaler(enabled=autocast is not None)

    def step(i):
        x, y = pictures.batch(i, batch, torch.float32)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(pictures.pixels.device.type, dtype=autocast or torch.float16,
                            enabled=autocast is not None):
            loss = loss_of(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return step


def captured(model, pictures, batch, optimizer):
    """The same step as one CUDA graph on fixed inputs; the gather stays outside."""
    loss_of = nn.CrossEntropyLoss()
    x, y = (t.clone() for t in pictures.batch(0, batch, torch.float32))

    def work():
        optimizer.zero_grad(set_to_none=True)
        loss_of(model(x), y).backward()
        optimizer.step()
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()

    def step(i):
        a, b = pictures.batch(i, batch, torch.float32)
        x.copy_(a)
        y.copy_(b)
        graph.replay()
    return step


def mlp(device, quick):
    pictures = Pictures((784,), 10, 6000 if quick else 60000, device, False)
    steps = len(pictures.order) // 100

    def fresh():
        model = nn.Sequential(nn.Linear(784, 500), nn.ReLU(), nn.Linear(500, 10)).to(device)
        return model, torch.optim.SGD(model.parameters(), lr=1e-3)
    model, optimizer = fresh()
    result = {"eager": timed(training_step(model, pictures, 100, optimizer, None), steps, device)}
    if device.type == "cuda":
        model, optimizer = fresh()
        result["captured"] = timed(captured(model, pictures, 100, optimizer), steps, device)
    for one in result.values():
        one["us_a_step"] = one["median_s"] * 1e6
        one["five_epochs_s"] = one["median_s"] * 3000
    return result


def cnn(device, quick, compiles=False):
    batch, steps = 32, 3 if quick else 100
    pictures = Pictures((3, 150, 150), 4, 64 if quick else 4096, device, True)
    result = {}
    for name in ("eager", "compiled") if compiles else ("eager",):
        model = layers_of_cnn(4).to(device, memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(model.parameters(), fused=device.type == "cuda")
        run = torch.compile(model) if name == "compiled" else model
        try:
            times = timed(training_step(run, pictures, batch, optimizer, torch.float16), steps,
                          device)
        except Exception as error:  # no compiler for torch.compile, say
            result[name] = {"not_measured": str(error).splitlines()[0]}
            continue
        result[name] = times | {"images_a_second": batch / times["median_s"]}
    return result


def vgg16(device, quick):
    batch, steps = 32, 2 if quick else 100
    pictures = Pictures((3, 150, 150), 2, 32 if quick else 2048, device, True)
    base = base_of_vgg16().to(device, dtype=torch.float16, memory_format=torch.channels_last).eval()
    head = nn.Sequential(nn.Flatten(), nn.Linear(512 * 4 * 4, 256), nn.ReLU(),
                         nn.Linear(256, 2)).to(device)
    optimizer = torch.optim.Adam(head.parameters(), fused=device.type == "cuda")
    loss_of = nn.CrossEntropyLoss()

    def step(i):
        x, y = pictures.batch(i, batch, torch.float16)
        with torch.no_grad():
            features = base(x)
        optimizer.zero_grad(set_to_none=True)
        loss_of(head(features.float()), y).backward()
        optimizer.step()
    times = timed(step, steps, device)
    return {"eager": times | {"images_a_second": batch / times["median_s"]}}


def main():
    workloads = {"mlp": mlp, "cnn": cnn, "vgg16": vgg16}
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("workloads", nargs="*", metavar="|".join(workloads))
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--quick", action="store_true", help="a few steps, to try the script")
    parser.add_argument("--no-compile", action="store_true",
                        help="nothing that torch.compile must build first, which takes a minute")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    if not options.quick and not options.no_compile:
        workloads["cnn"] = functools.partial(cnn, compiles=True)
    unknown = set(options.workloads) - set(workloads)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    if options.device == "cuda" and not torch.cuda.is_available():
        print("gpu_peers: PyTorch finds no GPU", file=sys.stderr)
        return 3
    device = torch.device(options.device)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    result = {"torch": torch.__version__, "cuda": torch.version.cuda, "device": name,
              "cudnn": torch.backends.cudnn.version() if device.type == "cuda" else None}
    torch.backends.cudnn.benchmark = True
    for workload in options.workloads or workloads:
        torch.manual_seed(1)
        result[workload] = workloads[workload](device, options.quick)
        print(workload, json.dumps(result[workload]), flush=True)
        if options.json:
            with open(options.json, "w", encoding="utf-8") as file:
                json.dump(result, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
