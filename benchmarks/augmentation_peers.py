#!/usr/bin/env python3
"""What the geometry of one picture costs other libraries, beside `millrace bench augment`.

Random rotation up to 40 degrees, shifts up to a fifth, zoom of 0.8 to 1.2, bilinear, on one thread;
processor time, median of 5 (min-max). SciPy is what Keras's ImageDataGenerator calls, per channel, on
float32; `keras` is the whole random_transform; torchvision's affine works on a uint8 tensor.

Keras (with SciPy) and torchvision are measured by two runs, since TensorFlow and PyTorch do not
always go into one process.

    python3 benchmarks/augmentation_peers.py keras 150x150x3 28x28x1
    python3 benchmarks/augmentation_peers.py torchvision 150x150x3 28x28x1
"""
import os
import statistics
import sys
import time
import warnings

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")
warnings.filterwarnings("ignore")
import numpy

random = numpy.random.default_rng(1)


def draw(height, width):
    return (random.uniform(-40, 40), random.uniform(-0.2, 0.2) * width,
            random.uniform(-0.2, 0.2) * height, random.uniform(0.8, 1.2))


def by_scipy(picture):
    import scipy.ndimage
    height, width, channels = picture.shape
    image = picture.astype(numpy.float32)

    def change():
        angle, dx, dy, zoom = draw(height, width)
        c, s = zoom * numpy.cos(numpy.deg2rad(angle)), zoom * numpy.sin(numpy.deg2rad(angle))
        matrix, centre = numpy.array([[c, -s], [s, c]]), numpy.array([height - 1, width - 1]) / 2
        offset = centre - matrix @ centre + [dy, dx]
        return [scipy.ndimage.affine_transform(image[:, :, k], matrix, offset, order=1,
                                               mode="nearest") for k in range(channels)]
    return change


def by_keras(picture):
    from keras.src.legacy.preprocessing.image import ImageDataGenerator
    generator = ImageDataGenerator(rotation_range=40, width_shift_range=0.2,
                                   height_shift_range=0.2, shear_range=0.2, zoom_range=0.2,
                                   horizontal_flip=True, data_format="channels_last")
    image = picture.astype(numpy.float32)
    return lambda: generator.random_transform(image)


def by_torchvision(picture):
    import torch
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional
    torch.set_num_threads(1)
    image = torch.from_numpy(picture.transpose(2, 0, 1).copy())
    height, width = picture.shape[:2]

    def change():
        angle, dx, dy, zoom = draw(height, width)
        return functional.affine(image, angle=angle, translate=[int(dx), int(dy)], scale=zoom,
                                 shear=[0.0], interpolation=InterpolationMode.BILINEAR)
    return change


def seconds(change, rounds):
    start = time.process_time()
    for _ in range(rounds):
        change()
    return (time.process_time() - start) / rounds


def main():
    peers = {"keras": (by_scipy, by_keras), "torchvision": (by_torchvision,)}[sys.argv[1]]
    for size in sys.argv[2:]:
        height, width, channels = map(int, size.split("x"))
        picture = random.integers(0, 256, (height, width, channels), numpy.uint8)
        for make in peers:
            change = make(picture)
            rounds = max(1, int(0.2 / max(seconds(change, 3), 1e-6)))
            times = sorted(seconds(change, rounds) for _ in range(5))
            us, ns = [1e6 * t for t in times], [1e9 * t / (height * width) for t in times]
            print(f"{size} {make.__name__}: {statistics.median(us):.1f} ({us[0]:.1f}-{us[-1]:.1f}) "
                  f"us a picture, {statistics.median(ns):.2f} ns a pixel")


main()
