#!/usr/bin/env python3
"""The table of docs/choosing-a-model.md: what a network of the zoo costs on this machine.

    benchmarks/networks.py [--millrace build/release/apps/millrace] [--input 150x150x3] [--batch 32]
        [--rounds 3] [NETWORK...]

`bench compute` of each with 5 outputs, Adam, fp32, a process each, all networks in turns, so that whatever
else the machine does meets all of them; told are medians over the rounds.
"""
import argparse
import json
import re
import statistics
import subprocess

NETWORKS = ["cnn", "mobilenet_v3_small", "squeezenet1_1", "efficientnet_lite0", "mobilenet_v2",
            "mobilenet_v3_large", "efficientnet_b0", "resnet18", "resnet34", "resnet50", "convnext_tiny",
            "vgg16"]
OUTPUTS = 5


def measured(options, name):
    command = [options.millrace, "bench", "compute", name, "--input", options.input, "--classes",
               str(OUTPUTS), "--batch", str(options.batch), "--repeats", "3", "--json", "-"]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    document = json.loads(text)
    return document, document["devices"][0]["batches"][0]


def size_of(options, name):
    """Parameters, and MFLOP an image, as `inspect model` tells them."""
    command = [options.millrace, "inspect", "model", name, "--input", options.input, "--outputs",
               str(OUTPUTS)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"^([0-9,]+) parameters .* ([0-9.]+) MFLOP a sample", text, re.MULTILINE)
    return found.group(1), float(found.group(2))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK", default=NETWORKS)
    parser.add_argument("--millrace", default="build/release/apps/millrace")
    parser.add_argument("--input", default="150x150x3")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rounds = {name: [] for name in options.networks}
    for _ in range(options.rounds):
        for name in options.networks:
            document, batch = measured(options, name)
            rounds[name].append(batch)
    machine = document["machine"]
    print(f"{machine['cpu']}, {machine['cores']} cores; {document['devices'][0]['engine']}; "
          f"{options.input}, batches of {options.batch}")
    print("\n| network | parameters | MFLOP an image | training, images/s | evaluation, images/s | memory |\n"
          "|---|---|---|---|---|---|")
    for name, batches in rounds.items():
        count, flops = size_of(options, name)
        rate = {key: statistics.median(batch[key] for batch in batches)
                for key in ("train_images_per_s", "evaluate_images_per_s")}
        print(f"| `{name}` | {count} | {flops:,.0f} | {rate['train_images_per_s']:.0f} | "
              f"{rate['evaluate_images_per_s']:.0f} | {batches[0]['training_bytes'] / 2**20:,.0f} MiB |")


if __name__ == "__main__":
    main()
