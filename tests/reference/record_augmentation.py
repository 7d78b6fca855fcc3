#!/usr/bin/env python3
"""Records random changes of pictures by Keras's ImageDataGenerator and by SciPy.

augmentation_keras.csv: parameters that ImageDataGenerator.get_random_transform drew (rounded to six
decimals, so that both sides compute with the same numbers), and what apply_transform gave for them.
augmentation_scipy.csv: scipy.ndimage.affine_transform with the matrix of Millrace's documented
geometry, built here from the maps of points that the documentation names.

Pictures come from a linear congruential generator that the C++ test repeats. Of each result 16
samples are kept and the sum of all samples times 1 + (7 i mod 5).
Recorded with Python 3.11, keras 3.15.1, tensorflow 2.21.0, scipy 1.17.1, numpy 2.4.6, Pillow 13.0.0.

    python3 tests/reference/record_augmentation.py --seed 1 --out tests/data/image
"""
import argparse
import os
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
warnings.filterwarnings("ignore", category=DeprecationWarning)
import keras
import numpy
import scipy
import scipy.ndimage
from keras.src.legacy.preprocessing.image import ImageDataGenerator

PROBES = 16
COLUMNS = "kind,fill,cval,order,height,width,channels,theta,tx,ty,shear,zx,zy,mirrored,upturned," \
          "channel_shift,brightness,sum,samples"
GEOMETRY = ["theta", "tx", "ty", "shear", "zx", "zy"]


def picture(kind, height, width, channels, seed):
    """whole: 0 to 255; parts: with fractions of 1/256; beyond: outside of 0 to 255."""
    state, values = seed, []
    for _ in range(height * width * channels):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        value = float(state >> 24)
        if kind == "parts":
            value = (state >> 16) / 256.0
        if kind == "beyond":
            value = value * 1.5 - 60
        values.append(value)
    return numpy.array(values, numpy.float32).reshape((height, width, channels))


def text(value):
    return numpy.format_float_positional(value, trim="-")


def row(kind, fill, cval, order, shape, p, result):
    flat = result.astype(numpy.float64).ravel()
    probes = [flat[(i * 997 + 3) % flat.size] for i in range(PROBES)]
    weighted = (flat * (1 + 7 * numpy.arange(flat.size) % 5)).sum()
    numbers = [p[name] for name in GEOMETRY] + [int(p["flip_horizontal"]), int(p["flip_vertical"])]
    numbers += [p["channel_shift_intensity"] or 0, -1 if p["brightness"] is None else p["brightness"]]
    numbers += [round(weighted, 3)] + [round(v, 4) for v in probes]
    return ",".join([kind, fill, str(cval), str(order), *map(str, shape), *map(text, numbers)])


def draw_shape(random):
    return int(random.integers(4, 25)), int(random.integers(4, 25)), int(random.choice([1, 3]))


def keras_case(random, number, group):
    """One generator with its own options, one picture."""
    def sometimes(value, otherwise=0):
        return value if random.uniform() < 0.6 else otherwise

    def shift():
        return [float(random.uniform(0.05, 0.95)), int(random.integers(1, 6)),
                [1, 2.5, 4], float(random.uniform(1, 4))][int(random.integers(4))]

    moves = group in ("geometry", "all")
    colours = group in ("colour", "all")
    shape = draw_shape(random)
    fill = str(random.choice(["nearest", "constant", "reflect", "wrap"]))
    cval = int(random.integers(0, 256)) if fill == "constant" else 0
    order = 0 if random.uniform() < 0.1 else 1
    generator = ImageDataGenerator(
        rotation_range=sometimes(float(random.uniform(1, 180))) if moves else 0,
        width_shift_range=sometimes(shift()) if moves else 0,
        height_shift_range=sometimes(shift()) if moves else 0,
        shear_range=sometimes(float(random.uniform(1, 60))) if moves else 0,
        zoom_range=sometimes((0.3, 2.5), (1, 1)) if moves else (1, 1),
        channel_shift_range=0 if group == "beyond" else sometimes(float(random.uniform(1, 120))),
        brightness_range=(0.0, 2.5) if colours or group == "beyond" else None,
        horizontal_flip=True, vertical_flip=True,
        fill_mode=fill, cval=cval, interpolation_order=order, data_format="channels_last")
    kind = {"geometry": str(random.choice(["whole", "parts"], p=[0.7, 0.3])), "beyond": "beyond"}
    kind = kind.get(group, "whole")
    p = generator.get_random_transform(shape, seed=number)
    p = {k: v if v is None or isinstance(v, (bool, numpy.bool_)) else round(float(v), 6)
         for k, v in p.items()}
    result = generator.apply_transform(picture(kind, *shape, number), p)
    return row(kind, fill, cval, order, shape, p, result)


def documented_matrix(p, height, width):
    """The backward map as three points: (column, row) is moved to the centre, zoomed, sheared,
    shifted, rotated and moved back."""
    centre = numpy.array([(width - 1) / 2, (height - 1) / 2])

    def source(column, row_):
        x, y = numpy.array([column, row_]) - centre
        x, y = x * p["zx"], y * p["zy"]
        lean = numpy.deg2rad(p["shear"])
        x, y = x - y * numpy.sin(lean), y * numpy.cos(lean)
        x, y = x + p["ty"], y + p["tx"]
        turn = numpy.exp(1j * numpy.deg2rad(p["theta"])) * complex(x, y)
        return numpy.array([turn.imag, turn.real]) + centre[::-1]  # row, column

    origin = source(0, 0)
    return numpy.stack([source(0, 1) - origin, source(1, 0) - origin], axis=1), origin


def scipy_case(random, number):
    shape = draw_shape(random)
    fill = str(random.choice(["nearest", "constant", "reflect", "wrap"]))
    cval = int(random.integers(0, 256)) if fill == "constant" else 0
    order = 0 if random.uniform() < 0.1 else 1
    p = dict(theta=random.uniform(-180, 180), tx=random.uniform(-0.5, 0.5) * shape[0],
             ty=random.uniform(-0.5, 0.5) * shape[1], shear=random.uniform(-60, 60),
             zx=random.uniform(0.3, 2.5), zy=random.uniform(0.3, 2.5))
    p = {k: round(float(v), 6) for k, v in p.items()}
    p.update(flip_horizontal=random.uniform() < 0.5, flip_vertical=random.uniform() < 0.5,
             channel_shift_intensity=None, brightness=None)
    kind = str(random.choice(["whole", "parts"]))
    image = picture(kind, *shape, number)
    matrix, offset = documented_matrix(p, shape[0], shape[1])
    mode = "grid-wrap" if fill == "wrap" else fill
    result = numpy.stack([scipy.ndimage.affine_transform(
        image[:, :, c], matrix, offset, order=order, mode=mode, cval=cval)
        for c in range(shape[2])], axis=2)
    if p["flip_horizontal"]:
        result = result[:, ::-1]
    if p["flip_vertical"]:
        result = result[::-1]
    return row(kind, fill, cval, order, shape, p, result)


def write(path, seed, rows):
    with open(path, "w") as file:
        file.write(f"# keras {keras.__version__}, scipy {scipy.__version__}, numpy "
                   f"{numpy.__version__}, record_augmentation.py --seed {seed}\n{COLUMNS}\n")
        file.write("\n".join(rows) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    random = numpy.random.default_rng(arguments.seed)
    groups = ["geometry"] * 1000 + ["colour"] * 120 + ["all"] * 60 + ["beyond"] * 20
    write(os.path.join(arguments.out, "augmentation_keras.csv"), arguments.seed,
          [keras_case(random, i + 1, group) for i, group in enumerate(groups)])
    write(os.path.join(arguments.out, "augmentation_scipy.csv"), arguments.seed,
          [scipy_case(random, i + 1) for i in range(500)])


main()
