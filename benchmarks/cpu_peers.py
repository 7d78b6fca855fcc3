#!/usr/bin/env python3
"""What PyTorch, torchvision and Keras make of the work that Millrace does on a CPU.

    benchmarks/setup-cpu-peers FOLDER
    python3 benchmarks/cpu_peers.py --environments FOLDER [--threads 2] [--png FASHION/train]
        [--idx FASHION] [--quick] [--json FILE] [--millrace build/release/apps/millrace] [WORKLOAD...]

mlp      784-500-10, batch 100, SGD with momentum, 60,000 pictures in memory as float32; an epoch.
         PyTorch: a plain loop over tensors. Keras: fit() of arrays. Millrace: `train` of the IDX
         files of --idx by the recipe fashion-mnist.ini.
png      the same training from the files below --png (one folder a class). PyTorch: ImageFolder with
         decode_image to tensors and 2 workers. png-pil: the same with PIL. png-load: decode_image
         without the training. Millrace: `train` and, for png-load, the loading half of `bench train`.
cnn      convolutions 32-64-128-128, dense 512, 150x150, batch 32, Adam. PyTorch: channels_last.
         Keras: fit() of arrays. Millrace: `bench compute`.
vgg16    its convolution base, forward, 150x150, batch 32. PyTorch: channels_last under
         inference_mode. Keras: the compiled function that predict() runs. Millrace: `bench compute`
         of vgg16-frozen.json, with a head of two small dense layers.

Each library is a process of its own, in turn with `--millrace`, where that is given, for --rounds, so
that whatever else the machine does meets all of them. In each round one warm-up, then --repeats; told
are the median of all, the least and the greatest. Random pictures and labels, but for png and
Millrace's mlp: no time depends on what they show.
"""
import argparse
import csv
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve()


def timed(work, repeats):
    """Seconds of each run, after one that is not counted."""
    work()
    runs = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        runs.append(time.perf_counter() - begin)
    return runs


# PyTorch


def torch_layers(torch, name):
    nn = torch.nn
    if name == "mlp":
        return nn.Sequential(nn.Linear(784, 500), nn.ReLU(), nn.Linear(500, 10))
    layers, channels = [], 3
    if name == "cnn":
        for filters in (32, 64, 128, 128):
            layers += [nn.Conv2d(channels, filters, 3), nn.ReLU(), nn.MaxPool2d(2)]
            channels = filters
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 7 * 7, 512), nn.ReLU(),
                             nn.Linear(512, 2))
    for block in ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3):
        for filters in block:
            layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU()]
            channels = filters
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def torch_step(torch, model, name):
    if name == "cnn":
        optimizer = torch.optim.Adam(model.parameters(), fused=True)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    loss_of = torch.nn.CrossEntropyLoss()

    def step(x, y):
        optimizer.zero_grad(set_to_none=True)
        loss_of(model(x), y).backward()
        optimizer.step()
    return step


def torch_training(torch, name, o):
    batch = 100 if name == "mlp" else 32
    count = (6000 if o.quick else 60000) if name == "mlp" else batch * (2 if o.quick else 10)
    x = torch.rand(count, 784) if name == "mlp" else torch.rand(count, 3, 150, 150)
    y = torch.randint(0, 10 if name == "mlp" else 2, (count,))
    model = torch_layers(torch, name)
    if name == "cnn":
        x, model = (each.to(memory_format=torch.channels_last) for each in (x, model))
    step = torch_step(torch, model, name)

    def epoch():
        order = torch.randperm(count)
        for first in range(0, count, batch):
            rows = order[first:first + batch]
            step(x[rows], y[rows])
    return epoch, count


def torch_forward(torch, o):
    model = torch_layers(torch, "vgg16").to(memory_format=torch.channels_last).eval()
    x = torch.rand(32, 3, 150, 150).to(memory_format=torch.channels_last)

    def work():
        with torch.inference_mode():
            model(x)
    return work, 32


def torch_png(torch, o, by_pil, trains):
    import torchvision
    from torchvision.transforms import v2
    if by_pil:
        loader, steps = torchvision.datasets.folder.default_loader, [
            torchvision.transforms.Grayscale(), torchvision.transforms.ToTensor(),
            torchvision.transforms.Normalize(0.5, 0.5)]
    else:
        mode = torchvision.io.ImageReadMode.GRAY
        def loader(path):
            return torchvision.io.decode_image(path, mode)
        steps = [v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5], [0.5])]
    data = torchvision.datasets.ImageFolder(o.png, torchvision.transforms.Compose(steps), loader=loader)
    loader = torch.utils.data.DataLoader(data, batch_size=100, shuffle=True, num_workers=2,
                                         persistent_workers=True)
    limit = min(20, len(loader)) if o.quick else len(loader)
    step = torch_step(torch, torch_layers(torch, "mlp"), "mlp")

    def epoch():
        for i, (x, y) in enumerate(loader):
            if trains:
                step(x.flatten(1), y)
            if i + 1 == limit:
                break
    return epoch, min(len(data), limit * 100)


def by_torch(o):
    import torch
    torch.set_num_threads(o.threads)
    versions = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    if o.workload.startswith("png"):
        import torchvision
        versions["torchvision"] = torchvision.__version__
        work, count = torch_png(torch, o, o.workload == "png-pil", o.workload != "png-load")
    elif o.workload == "vgg16":
        work, count = torch_forward(torch, o)
    else:
        work, count = torch_training(torch, o.workload, o)
    return versions, timed(work, o.repeats), count


# Keras


def keras_model(keras, name):
    layers = keras.layers
    if name == "mlp":
        return keras.Sequential([layers.Input((784,)), layers.Dense(500, "relu"),
                                 layers.Dense(10, "softmax")]), 10
    model = keras.Sequential([layers.Input((150, 150, 3))])
    for filters in (32, 64, 128, 128):
        model.add(layers.Conv2D(filters, 3, activation="relu"))
        model.add(layers.MaxPooling2D(2))
    for layer in (layers.Flatten(), layers.Dense(512, "relu"), layers.Dense(2, "softmax")):
        model.add(layer)
    return model, 2


def by_keras(o):
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
    import numpy
    import tensorflow
    tensorflow.config.threading.set_intra_op_parallelism_threads(o.threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    import keras
    versions = {"tensorflow": tensorflow.__version__, "keras": keras.__version__,
                "threads": o.threads}
    if o.workload == "vgg16":
        model = keras.applications.VGG16(include_top=False, weights=None, input_shape=(150, 150, 3))
        x = tensorflow.random.uniform((32, 150, 150, 3))
        forward = tensorflow.function(lambda pictures: model(pictures, training=False))
        return versions, timed(lambda: forward(x), o.repeats), 32
    model, classes = keras_model(keras, o.workload)
    is_mlp = o.workload == "mlp"
    batch = 100 if is_mlp else 32
    count = (6000 if o.quick else 60000) if is_mlp else batch * (2 if o.quick else 10)
    x = numpy.random.rand(count, *model.input_shape[1:]).astype("float32")
    y = numpy.random.randint(0, classes, count)
    optimizer = keras.optimizers.SGD(1e-3, momentum=0.9) if is_mlp else "adam"
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy")
    return versions, timed(lambda: model.fit(x, y, batch_size=batch, epochs=1, verbose=0),
                           o.repeats), count


# Millrace


def millrace_training(o, data, threads):
    """Seconds of each epoch but the first one, of `millrace train` by the recipe."""
    recipe = HERE.parent.parent / "apps" / "recipes" / "fashion-mnist.ini"
    with tempfile.TemporaryDirectory() as folder:
        command = [o.millrace, "train", str(data), "--recipe", str(recipe), "--epochs",
                   str(o.repeats + 1), "--run-dir", os.path.join(folder, "run"), *threads]
        command += ["--validation-share", "0"] if o.workload == "png" else []
        command += ["--limit-batches", "60"] if o.quick else []
        subprocess.run(command, check=True, capture_output=True, text=True)
        with open(os.path.join(folder, "run", "metrics.csv"), newline="") as table:
            rows = list(csv.DictReader(table))[1:]
    count = int(rows[0]["samples"])
    return command, [count / float(row["images_per_s"]) for row in rows], count


def by_millrace(o):
    """The same work, in the words of `millrace`."""
    threads = ["--compute-threads", str(o.threads), "--threads", str(o.threads)]
    if o.workload in ("mlp", "png"):
        command, seconds, count = millrace_training(o, o.idx if o.workload == "mlp" else o.png,
                                                    threads)
        version = subprocess.run([o.millrace, "--version"], capture_output=True, text=True).stdout
        return {"millrace": version.strip(), "command": " ".join(command[1:])}, seconds, count
    commands = {
        "cnn": ["bench", "compute", "cnn", "--classes", "2"],
        "vgg16": ["bench", "compute", str(HERE.parent / "vgg16-frozen.json"), "--batch", "32",
                  "--classes", "2"],
        "png-load": ["bench", "train", str(o.png), "--model", "mlp:500", "--batch", "100"],
    }
    command = [o.millrace, *commands[o.workload], *threads, "--repeats", str(o.repeats), "--json", "-"]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    measured = told["devices"][0]["batches"][0]
    if o.workload == "png-load":
        rates, count = measured["loading_alone_images_per_s"], measured["samples"]
        times = {each: count / rate for each, rate in rates.items()}
    else:
        ms, count = measured["evaluate_ms" if o.workload == "vgg16" else "train_ms"], measured["batch"]
        times = {each: 1e-3 * time for each, time in ms.items()}
    version = {"millrace": told["machine"]["millrace"], "engine": told["devices"][0]["engine"],
               "command": " ".join(command[1:])}
    return version, list(times.values()), count


def measure_here(o):
    library = {"torch": by_torch, "tensorflow": by_keras, "millrace": by_millrace}[o.library]
    versions, runs, count = library(o)
    print(json.dumps({"library": o.library, "workload": o.workload, "versions": versions,
                      "images": count, "seconds": runs}))


def measured(o, library, workload):
    """In a process of its own; what went wrong instead of numbers."""
    python = sys.executable if library == "millrace" else os.path.join(
        o.environments, library, "bin", "python")
    command = [python, str(HERE), "--library", library, "--threads", str(o.threads), "--repeats",
               str(o.repeats), workload]
    for option, value in (("--png", o.png), ("--idx", o.idx), ("--millrace", o.millrace)):
        command += [option, value] if value else []
    if o.quick:
        command.append("--quick")
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True,
                              env={**os.environ, "OMP_NUM_THREADS": str(o.threads)})
        return json.loads(done.stdout.splitlines()[-1])
    except (OSError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", "") or str(error)
        return {"library": library, "workload": workload, "error": why.strip().splitlines()[-1]}


def summary(one):
    """Adds the median of all rounds; a line of text."""
    if "error" in one:
        return one["error"]
    seconds = one["seconds"]
    one["median_s"] = statistics.median(seconds)
    one["images_per_s"] = one["images"] / one["median_s"]
    return (f"{one['median_s']:.3f} s ({min(seconds):.3f}-{max(seconds):.3f})"
            f"  {one['images_per_s']:,.1f} images/s  {one['versions']}")


def cpu_name():
    try:
        with open("/proc/cpuinfo") as facts:
            names = [line.split(":", 1)[1].strip() for line in facts if line.startswith("model name")]
        return f"{names[0]}, {len(names)} processors" if names else platform.machine()
    except OSError:
        return platform.machine()


def main():
    line = argparse.ArgumentParser(description=__doc__,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("workload", nargs="*")
    line.add_argument("--environments", default=os.path.expanduser("~/.cache/millrace/peers"))
    line.add_argument("--library", choices=("torch", "tensorflow", "millrace"),
                      help="measure this one, in this process")
    line.add_argument("--millrace", help="the program, to be measured in the same minutes")
    line.add_argument("--png", help="a folder with one folder of pictures a class")
    line.add_argument("--idx", help="the folder of Fashion-MNIST's IDX files")
    line.add_argument("--threads", type=int, default=os.cpu_count())
    line.add_argument("--repeats", type=int, default=5)
    line.add_argument("--rounds", type=int, default=1, help="how often all take their turn")
    line.add_argument("--quick", action="store_true", help="small sizes, to try the script")
    line.add_argument("--json", help="a file for all numbers")
    o = line.parse_args()
    if o.library:
        o.workload = o.workload[0]
        return measure_here(o)
    results = []
    for workload in o.workload or ["mlp", "png", "png-pil", "png-load", "cnn", "vgg16"]:
        if workload.startswith("png") and not o.png:
            continue
        libraries = ["torch"] if workload.startswith("png") else ["torch", "tensorflow"]
        if o.millrace and workload != "png-pil" and (workload != "mlp" or o.idx):
            libraries.insert(0, "millrace")
        told = {library: {"library": library, "workload": workload, "seconds": []}
                for library in libraries}
        for _ in range(o.rounds):
            for library in libraries:
                one = measured(o, library, workload)
                one["seconds"] = told[library]["seconds"] + one.get("seconds", [])
                told[library].update(one)
        for one in told.values():
            results.append(one)
            print(f"{workload:8} {one['library']:11} {summary(one)}", flush=True)
    if o.json:
        facts = {"cpu": cpu_name(), "threads": o.threads, "python": sys.version,
                 "repeats": o.repeats, "rounds": o.rounds, "results": results}
        pathlib.Path(o.json).write_text(json.dumps(facts, indent=2) + "\n")


if __name__ == "__main__":
    main()
