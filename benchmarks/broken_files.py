#!/usr/bin/env python3
"""What broken files cost the good ones: the same folder with and without them, trained in turns.

    benchmarks/broken_files.py [--millrace build/release/apps/millrace] [--rounds 5] [--share 0.01]
        [--photographs FOLDER] [--threads N] [--epochs N] [--folder FOLDER] [--json FILE] [png] [jpeg]

png      30,000 PNG files of 28x28 greys, which this makes.
jpeg     1,500 JPEG photographs of 500x375: those below --photographs, such as benchmarks/cut_photographs.py
         makes, or smooth ones that this makes.

The folder with broken files has the good ones as links, and as many broken ones as --share is of all, each
kind in turn, spread over the classes: an empty file, a text and an HTML page named as images, PNG, JPEG, GIF
and WebP cut in the middle, a PNG with a wrong checksum, one without its palette, an AVIF file, a header that
claims 60,000 x 60,000 pixels, a file that may not be read (a pipe nobody writes to for root, who may read
all), and, which are left out before training, a pipe, a link to nowhere and a note.

Told are good images a second of `train --on-bad-image skip` with a model so small that loading is all of it,
from metrics.csv without the first epoch, and good images a second of the processor's time of the whole
process, which others on the machine disturb less: medians of --rounds, the least and the greatest, and of the
ratios of each round, with broken files to without. From that follows what a broken file takes of the time of
a good one. On a busy machine --share 0.5 tells that with less noise: 0.01 of such files then cost a hundredth
of it. Needs Pillow with WebP, and numpy.
"""
import argparse
import csv
import io
import json
import os
import pathlib
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import zlib

import numpy
from PIL import Image

CLASSES = ("a", "b")


def encoded(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def cut(file):
    return file[: len(file) // 2]


def part(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width, height, colour, *parts):
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)) + b"".join(
        part(kind, data) for kind, data in (*parts, (b"IEND", b"")))


def broken_kinds(image):
    """{ending of the name: bytes}, or None for what write_broken() makes in another way."""
    pixels = (b"IDAT", zlib.compress(bytes(5 * 4)))
    whole = encoded(image, "PNG")
    wrong = bytearray(whole)
    wrong[-16] ^= 1  # in the last checksum before IEND's
    page = b"<!DOCTYPE html><html><head><title>404 Not Found</title></head><body>gone</body></html>"
    return {
        "empty.png": b"", "text.jpg": b"Nothing but words.\n" * 9, "page.png": page, "cut.png": cut(whole),
        "cut.jpg": cut(encoded(image, "JPEG")), "cut.gif": cut(encoded(image, "GIF")),
        "cut.webp": cut(encoded(image, "WEBP")), "checksum.png": bytes(wrong),
        "no_palette.png": png_of(4, 4, 3, pixels), "avif.jpg": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + bytes(300),
        "large.png": png_of(60000, 60000, 0, pixels), "unreadable.png": None, "pipe.png": None,
        "nowhere.png": None, "note.txt": b"to be sorted\n",
    }


def write_broken(path, kind, content):
    if kind == "nowhere.png":
        path.symlink_to("/nowhere/at/all.png")
    elif kind == "pipe.png" or (kind == "unreadable.png" and os.geteuid() == 0):
        os.mkfifo(path)
    else:
        path.write_bytes(content or b"x")
        if kind == "unreadable.png":
            path.chmod(0)


def smooth(random, shape, cells):
    """Random colours that change slowly, with a little noise, as bytes."""
    height, width, channels = shape
    few = Image.fromarray(random.integers(0, 256, (*cells, 3), numpy.uint8))
    many = numpy.asarray(few.resize((width, height), Image.Resampling.BICUBIC), numpy.int16)
    many = many[..., :channels] + random.integers(-6, 7, shape)
    return Image.fromarray(numpy.clip(many, 0, 255).astype(numpy.uint8).squeeze())


def write_good(folder, workload, random, photographs):
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
    if workload == "png":
        files = (encoded(smooth(random, (28, 28, 1), (5, 5)), "PNG") for _ in range(30000))
    elif photographs:
        files = (path.read_bytes() for path in sorted(photographs.rglob("*.jpg"))[:1500])
    else:
        files = (encoded(smooth(random, (375, 500, 3), (19, 25)), "JPEG", quality=90) for _ in range(1500))
    for i, file in enumerate(files):
        (folder / CLASSES[i % 2] / f"{i:05}.{workload}").write_bytes(file)


def add_broken(clean, folder, share, random):
    """Links to the good files with broken ones between them; gives how many of these there are."""
    good = sorted(clean.rglob("*.*"))
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
    for path in good:
        os.link(path, folder / path.parent.name / path.name)
    kinds = list(broken_kinds(Image.open(good[0]).convert("RGB")).items())
    count = max(1, round(len(good) * share / (1 - share)))
    for i in range(count):
        kind, content = kinds[i % len(kinds)]
        place = random.integers(len(good))
        write_broken(folder / CLASSES[i // len(kinds) % 2] / f"{place:05}_{i}_{kind}", kind, content)
    return count


def train(o, data, workload, run_dir):
    size = {"png": "28", "jpeg": "64"}[workload]
    epochs = o.epochs or {"png": 6, "jpeg": 4}[workload]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([o.millrace, "train", data, "--run-dir", run_dir, "--overwrite", "--quiet", "--on-bad-image",
                    "skip", "--validation-share", "0", "--model", "mlp:16", "--size", size, "--batch", "100",
                    "--epochs", str(epochs), "--device", "cpu", *(["--threads", o.threads] if o.threads else [])],
                   check=True, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(run_dir / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    timed = rows[1:] or rows
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"images_per_s": sum(int(row["samples"]) for row in timed) / sum(float(row["seconds"]) for row in timed),
            "images_per_cpu_s": sum(int(row["samples"]) for row in rows) / cpu,
            "left_out": sum(int(row["left_out"]) for row in rows)}


def measure(o, workload, folder):
    random = numpy.random.default_rng(1)
    clean, broken = folder / workload / "clean", folder / workload / "broken"
    if not clean.exists():
        write_good(clean, workload, random, o.photographs)
    shutil.rmtree(broken, ignore_errors=True)
    count = add_broken(clean, broken, o.share, random)
    runs = {"clean": [], "broken": []}
    for turn in range(o.rounds):
        for name, data in (("clean", clean), ("broken", broken))[:: 1 if turn % 2 == 0 else -1]:
            runs[name].append(train(o, data, workload, folder / workload / "run"))
            print(f"{workload} {name}: {runs[name][-1]['images_per_s']:.0f} images/s", file=sys.stderr)
            assert (runs[name][-1]["left_out"] > 0) == (name == "broken"), "what is broken is left out"
    result = {"workload": workload, "broken_files": count, "runs": runs}
    for key in ("images_per_s", "images_per_cpu_s"):
        columns = {name: [run[key] for run in runs[name]] for name in runs}
        columns["ratio"] = [b / a for a, b in zip(columns["clean"], columns["broken"])]
        for name, values in columns.items():
            digits = 3 if name == "ratio" else 0
            median, least, most = (f"{f(values):.{digits}f}" for f in (statistics.median, min, max))
            print(f"{workload} {name:6} {key:16} {median:>8} ({least} to {most})", flush=True)
        ratio = statistics.median(columns["ratio"])
        cost = (1 / ratio - 1) * (1 - o.share) / o.share
        print(f"{workload} a broken file takes {cost:.2f} of a good one's", flush=True)
        result |= {f"{key}_ratio": ratio, f"{key}_cost": cost}
    return result


def main():
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("workloads", nargs="*", metavar="png|jpeg", default=["png", "jpeg"])
    line.add_argument("--millrace", default="build/release/apps/millrace")
    line.add_argument("--rounds", type=int, default=5)
    line.add_argument("--share", type=float, default=0.01, help="of all files, that is broken")
    line.add_argument("--photographs", type=pathlib.Path)
    line.add_argument("--threads")
    line.add_argument("--epochs", type=int)
    line.add_argument("--folder", type=pathlib.Path, help="where files are made and stay for the next time")
    line.add_argument("--json", type=pathlib.Path)
    o = line.parse_args()
    if not set(o.workloads) <= {"png", "jpeg"} or not 0 < o.share < 1:
        line.error("workloads are png and jpeg, --share is between 0 and 1")
    with tempfile.TemporaryDirectory() as folder:
        results = [measure(o, workload, o.folder or pathlib.Path(folder)) for workload in o.workloads]
    if o.json:
        o.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
