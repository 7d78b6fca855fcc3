#!/usr/bin/env python3
"""Training steps and evaluation of networks with branches beside PyTorch's or Keras's on a CPU.

    benchmarks/setup-cpu-peers FOLDER
    FOLDER/torch/bin/python benchmarks/graph_peers.py [--threads 2] [--rounds 3]
        [--millrace build/release/apps/millrace] [--compile | --keras FOLDER/tensorflow/bin/python]
        [NETWORK...]

resnet18, resnet50, mobilenet_v2 and squeezenet1_1 as torchvision builds them, or others of Millrace's zoo
by name; 1000 outputs, float32, 150x150, batch 32, cross-entropy, Adam. PyTorch: channels_last, with
--compile by torch.compile, which takes minutes. With --keras those of keras.applications (resnet50,
mobilenet_v2, efficientnet_b0) in Keras instead, on TensorFlow, by that environment's python.
Millrace: `bench compute` of the network of that name. The two in turns, a process each, so that whatever
else the machine does meets both; told are medians over the rounds.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import time

BATCH, SIDE, OUTPUTS = 32, 150, 1000
NETWORKS = ["resnet18", "resnet50", "mobilenet_v2", "squeezenet1_1"]
KERAS = {"resnet50": "ResNet50", "mobilenet_v2": "MobileNetV2", "efficientnet_b0": "EfficientNetB0"}


def median_ms(call, repeats):
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(times[1:])


def torch_ms(name, threads, compiles):
    """Milliseconds of a training step and of evaluating a batch."""
    import torch
    import torchvision
    torch.set_num_threads(threads)
    model = getattr(torchvision.models, name)(weights=None, num_classes=OUTPUTS)
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters())
    images = torch.randn(BATCH, 3, SIDE, SIDE).to(memory_format=torch.channels_last)
    labels = torch.randint(0, OUTPUTS, (BATCH,))
    run = torch.compile(model) if compiles else model

    def step():
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(run(images), labels).backward()
        optimizer.step()

    def evaluate():
        with torch.inference_mode():
            run(images)

    model.train()
    train = median_ms(step, 5)
    model.eval()
    return train, median_ms(evaluate, 5)


def keras_ms(name, threads):
    """The same."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
    import tensorflow
    tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    import keras
    model = getattr(keras.applications, KERAS[name])(weights=None, classes=OUTPUTS,
                                                     input_shape=(SIDE, SIDE, 3))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    images = tensorflow.random.normal((BATCH, SIDE, SIDE, 3))
    labels = tensorflow.random.uniform((BATCH,), maxval=OUTPUTS, dtype=tensorflow.int32)
    evaluate = tensorflow.function(lambda some: model(some, training=False))
    return (median_ms(lambda: model.train_on_batch(images, labels), 5),
            median_ms(lambda: evaluate(images).numpy(), 5))


def millrace_ms(program, name, threads):
    """The same."""
    command = [program, "bench", "compute", name, "--input", f"{SIDE}x{SIDE}x3", "--classes",
               str(OUTPUTS), "--batch", str(BATCH), "--repeats", "3", "--compute-threads",
               str(threads)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    number = r"([0-9.]+)"
    found = re.search(rf"^{BATCH}\s+{number} \([^)]*\)\s+{number}\s+{number} ", text, re.MULTILINE)
    return float(found.group(1)), float(found.group(3))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK",
                        help=f"names that both have; by default {', '.join(NETWORKS)}")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--millrace", default="build/release/apps/millrace")
    peers = parser.add_mutually_exclusive_group()
    peers.add_argument("--compile", action="store_true", help="PyTorch by torch.compile")
    peers.add_argument("--keras", metavar="PYTHON", help="Keras in place of PyTorch, by this python")
    parser.add_argument("--measure", choices=["torch", "keras"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        name = arguments.networks[0]
        print(*(keras_ms(name, arguments.threads) if arguments.measure == "keras" else
                torch_ms(name, arguments.threads, arguments.compile)))
        return
    unknown = [name for name in arguments.networks if arguments.keras and name not in KERAS]
    if unknown:
        parser.error(f"--keras: not {', '.join(unknown)}; {', '.join(KERAS)}")
    peer = "Keras" if arguments.keras else "PyTorch"
    print(f"{'network':15} {'':9} {peer:>16} {'Millrace':>16}  times as fast")
    for name in arguments.networks or (KERAS if arguments.keras else NETWORKS):
        theirs, ours = [], []
        for _ in range(arguments.rounds):
            command = [arguments.keras or sys.executable, __file__, name, "--measure",
                       "keras" if arguments.keras else "torch", "--threads", str(arguments.threads)]
            command += ["--compile"] if arguments.compile else []
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            theirs.append([float(word) for word in told.split()])
            ours.append(millrace_ms(arguments.millrace, name, arguments.threads))
        for i, what in enumerate(("training", "evaluation")):
            rates = [1e3 * BATCH / statistics.median(times[i] for times in all_of)
                     for all_of in (theirs, ours)]
            print(f"{name:15} {what:10} {rates[0]:7.1f} images/s {rates[1]:7.1f} images/s  "
                  f"{rates[1] / rates[0]:.2f}", flush=True)


main()
