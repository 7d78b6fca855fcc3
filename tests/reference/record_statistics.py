#!/usr/bin/env python3
"""Records what Keras's ImageDataGenerator fits to small sets of pictures and makes of samples, in
float64, for tests/nodes. Versions: keras 3.15.1, numpy 2.4.6.

    python3 tests/reference/record_statistics.py --seed 1 > tests/data/nodes/statistics.json
"""
import argparse
import json
import os
import warnings

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras.src.legacy.preprocessing.image import ImageDataGenerator  # noqa: E402

OPTIONS = ("featurewise_center", "featurewise_std_normalization", "samplewise_center",
           "samplewise_std_normalization", "zca_whitening")
KINDS = (
    {"featurewise_center": True},
    {"featurewise_std_normalization": True},
    {"samplewise_center": True},
    {"samplewise_std_normalization": True},
    {"samplewise_std_normalization": True, "featurewise_std_normalization": True},
    {"zca_whitening": True},
    {"zca_whitening": True, "samplewise_center": True, "zca_epsilon": 0.01},
)


def pictures(generator, count, shape):
    """Smooth random pictures: neighbours are alike, as in photographs, and channels differ."""
    noise = generator.normal(size=(count, *shape))
    noise[:, 1:] += 0.7 * noise[:, :-1]
    noise[:, :, 1:] += 0.7 * noise[:, :, :-1]
    channel = np.arange(shape[2]) * 25 + 90 + 4 * generator.normal(size=shape[2])
    return np.clip(np.rint(noise * 30 + channel), 0, 255)


def numbers(values):
    return [float(f"{v:.9g}") for v in np.asarray(values, np.float64).ravel()]


def case(kind, rescale, data, samples):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # options that set others say so
        generator = ImageDataGenerator(rescale=rescale, dtype="float64", **kind)
    generator.fit(data)
    record = {name: bool(getattr(generator, name)) for name in OPTIONS}
    record |= {"scale": rescale or 1.0, "zca_epsilon": generator.zca_epsilon}
    for name, value in (("mean", generator.mean), ("std", generator.std),
                        ("matrix", generator.zca_whitening_matrix)):
        if value is not None:
            record[name] = numbers(value)
    record["outputs"] = [numbers(generator.standardize(sample.copy())) for sample in samples]
    return record


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    generator = np.random.default_rng(parser.parse_args().seed)
    sets = []
    # More samples than elements, and fewer: then the matrix has not full rank.
    for count, shape in ((60, (4, 4, 3)), (20, (6, 6, 1))):
        data = pictures(generator, count, shape)
        samples = np.float32(data[:2] + generator.uniform(0, 1, size=data[:2].shape))
        samples = np.clip(samples, 0, 255).astype(np.float64)
        sets.append({
            "shape": shape,
            "pixels": [[int(v) for v in picture.ravel()] for picture in data],
            "samples": [numbers(sample) for sample in samples],
            "cases": [case(kind, rescale, data, samples)
                      for rescale in (None, 1 / 255) for kind in KINDS],
        })
    print(json.dumps({"versions": {"keras": keras.__version__, "numpy": np.__version__},
                      "sets": sets}))


if __name__ == "__main__":
    main()
