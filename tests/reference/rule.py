"""Weights and images by a rule, for what is too large to keep: the same numbers as tests/nn/rule.h."""
import numpy


def mixed(seed, tensor, count):
    x = numpy.arange(count, dtype="uint32") * numpy.uint32(2654435761)
    x += numpy.uint32((tensor * 2246822519 + seed * 374761393) % 2**32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x ^= x >> numpy.uint32(shift)
        x *= numpy.uint32(factor)
    return x ^ (x >> numpy.uint32(16))


def uniform(seed, tensor, count, limit):
    """Floats in [-limit, limit)."""
    return ((mixed(seed, tensor, count) / 2**31 - 1) * limit).astype("float32")


def name_hash(text):
    """FNV-1a: the number of a tensor by its name."""
    value = 2166136261
    for byte in text.encode():
        value = (value ^ byte) * 16777619 % 2**32
    return value
