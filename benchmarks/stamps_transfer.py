#!/usr/bin/env python3
"""Transfer learning on a few real images: how many of them are recognised, and how long it takes.

    benchmarks/stamps_transfer.py [--millrace build/release/apps/millrace]
        [--stamps /usr/share/tuxpaint/stamps] [--folds 5] [--seeds 5] [--scratch FOLDER] [--json FILE]
        [-- OPTIONS of 'millrace train' ...]

The images are those of Tux Paint (Debian's tuxpaint-stamps-default), about 190 PNG files with an alpha
channel in five classes: mammals, birds, insects, flowers and fruit. Each seed divides the images of each class
into folds anew; each fold is once the validation of a training on the others. Each training is a process of
its own:

    millrace train FOLD --background white --seed SEED OPTIONS

for instance -- --model efficientnet_lite0 --weights FILE --freeze all --head gap,dense --size 224

What is printed is the accuracy on the last epoch's validation (there is no choice of the best epoch, which
would look at it), its mean and standard deviation over seeds, of each the mean over its folds, and the seconds
of the processes, from folder to accuracy. The most common class alone would be right for 35 % of the images.
"""
import argparse
import csv
import json
import pathlib
import random
import shutil
import statistics
import subprocess
import tempfile
import time

CLASSES = {
    "mammals": "animals/mammals",
    "birds": "animals/birds",
    "insects": "animals/insects",
    "flowers": "plants/flowers",
    "fruit": "food/fruit",
}


def images_of(stamps):
    """The PNG files of each class, sub-folders included, in a fixed order."""
    found = {name: sorted((stamps / folder).rglob("*.png")) for name, folder in CLASSES.items()}
    missing = [name for name, files in found.items() if not files]
    if missing:
        raise SystemExit(f"{stamps}: no images of {', '.join(missing)}; install tuxpaint-stamps-default")
    return found


def write_fold(folder, images, folds, fold, seed):
    """Links train/CLASS/... and val/CLASS/...; every image is in the validation of one fold of a seed."""
    for name, files in images.items():
        order = files[:]
        random.Random(f"{seed} {name}").shuffle(order)
        for part in ("train", "val"):
            (folder / part / name).mkdir(parents=True)
        for i, file in enumerate(order):
            part = "val" if i % folds == fold else "train"
            (folder / part / name / f"{i:03}-{file.name}").symlink_to(file)


def train(program, folder, seed, options):
    run = folder / "run"
    command = [program, "train", str(folder), "--background", "white", "--seed", str(seed),
               "--run-dir", str(run), "--no-events", "--quiet", *options]
    begin = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.monotonic() - begin
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    with open(run / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return float(rows[-1]["val_accuracy"]), seconds, rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--millrace", default="build/release/apps/millrace")
    parser.add_argument("--stamps", type=pathlib.Path, default="/usr/share/tuxpaint/stamps")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--scratch", help="folder for the folds; default: a temporary one")
    parser.add_argument("--json", help="write all results there")
    parser.add_argument("options", nargs="*", help="of 'millrace train', after --")
    o = parser.parse_args()
    images = images_of(o.stamps)
    print(", ".join(f"{name} {len(files)}" for name, files in images.items()))
    results = []
    for seed in range(1, o.seeds + 1):
        for fold in range(o.folds):
            folder = pathlib.Path(tempfile.mkdtemp(prefix="stamps-", dir=o.scratch))
            try:
                write_fold(folder, images, o.folds, fold, seed)
                accuracy, seconds, rows = train(o.millrace, folder, seed, o.options)
            finally:
                shutil.rmtree(folder)
            results.append({"seed": seed, "fold": fold, "accuracy": accuracy, "seconds": seconds,
                            "epochs": rows})
        of_seed = [r["accuracy"] for r in results if r["seed"] == seed]
        print(f"seed {seed}: {statistics.mean(of_seed):.3f}  (" + " ".join(f"{a:.3f}" for a in of_seed) + ")",
              flush=True)
    means = [statistics.mean(r["accuracy"] for r in results if r["seed"] == s)
             for s in range(1, o.seeds + 1)]
    spread = statistics.stdev(means) if len(means) > 1 else 0.0
    times = [r["seconds"] for r in results]
    print(f"accuracy {statistics.mean(means):.3f} +- {spread:.3f}; seconds of a fold: median "
          f"{statistics.median(times):.1f}, {min(times):.1f} to {max(times):.1f}")
    if o.json:
        pathlib.Path(o.json).write_text(json.dumps({"options": o.options, "results": results}, indent=1))


if __name__ == "__main__":
    main()
