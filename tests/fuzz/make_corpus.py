#!/usr/bin/env python3
"""Writes the seeds of the fuzzers: small files of each kind, whole. What is found lies beside them.

Pinned: Pillow 12.1.1, numpy 2.4.6.

    python3 tests/fuzz/make_corpus.py --seed 1 tests/fuzz/corpus
"""
import argparse
import gzip
import io
import json
import pathlib
import struct
import zipfile
import zlib

import numpy
from PIL import Image

HEIGHT, WIDTH = 5, 6


def images(random):
    """{name: function that saves it}"""
    rgb = Image.fromarray(random.integers(0, 256, (HEIGHT, WIDTH, 3), numpy.uint8))
    grey, palette = rgb.convert("L"), rgb.quantize(16)
    rgba = rgb.copy()
    rgba.putalpha(grey)
    cmyk = Image.merge("CMYK", [*rgb.split(), grey])
    second = Image.fromarray(random.integers(0, 256, (HEIGHT, WIDTH, 3), numpy.uint8)).quantize(16)
    return {
        "rgb.png": (rgb, {}), "rgba.png": (rgba, {}), "palette.png": (palette, {"transparency": 3}),
        "bits.png": (rgb.convert("1"), {}), "grey16.png": (grey.convert("I;16"), {}),
        "rgb.jpg": (rgb, {"quality": 50}), "progressive.jpg": (rgb, {"quality": 50, "progressive": True}),
        "cmyk.jpg": (cmyk, {"quality": 50}), "grey.jpg": (grey, {"quality": 50}),
        "rgb.bmp": (rgb, {}), "palette.bmp": (palette, {}), "bits.bmp": (rgb.convert("1"), {}), "rgba.bmp": (rgba, {}),
        "animation.gif": (palette, {"save_all": True, "append_images": [second], "transparency": 2, "disposal": 2}),
        "interlaced.gif": (palette, {"interlace": 1}),
        "rgb.ppm": (rgb, {}), "grey.pgm": (grey, {}), "bits.pbm": (rgb.convert("1"), {}),
        "rgb.tga": (rgb, {}), "palette.tga": (palette, {}), "rle.tga": (rgba, {"compression": "tga_rle"}),
        "lossy.webp": (rgb, {"quality": 50}), "lossless.webp": (rgba, {"lossless": True}),
        "raw.tif": (rgb, {}), "lzw.tif": (rgb, {"compression": "tiff_lzw"}),
        "deflate.tif": (palette, {"compression": "tiff_adobe_deflate"}), "bits.tif": (rgb.convert("1"), {
            "compression": "group4"}),
    }


def texts_of_pnm():
    return {"plain.ppm": b"P3 2 2\n# of no account\n255\n 1 2 3 4 5 6\n7 8 9 10 11 255\n",
            "plain.pgm": b"P2\n2 2 99\n0 50 99 7\n", "plain.pbm": b"P1\n3 2\n0 1 0\n110\n",
            "deep.pgm": b"P5 2 2 1000\n" + struct.pack(">4H", 0, 500, 999, 1000)}


def psd(random, packed):
    planes = random.integers(0, 256, (3, HEIGHT, WIDTH), numpy.uint8)
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, HEIGHT, WIDTH, 8, 3) + bytes(12)
    if not packed:
        return head + bytes(2) + planes.tobytes()
    row = struct.pack(">bBbBB", -3, 9, 1, 7, 8)  # four of one, then two others
    return head + struct.pack(">H", 1) + struct.pack(">H", len(row)) * 3 * HEIGHT + row * 3 * HEIGHT


def oriented(folder):
    image = Image.new("L", (3, 2))
    exif = Image.Exif()
    exif[274] = 6
    for ending in ("jpg", "png", "webp"):
        image.save(folder / f"six.{ending}", exif=exif, xmp=b'<x tiff:Orientation="8"/>')
    image.save(folder / "six.tif", tiffinfo={274: 6})


def safetensors(tensors, metadata=None, data=b""):
    head = json.dumps({**({"__metadata__": metadata} if metadata else {}), **tensors}).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + data


def tensor(kind, shape, begin, end):
    return {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}


def weights():
    floats = struct.pack("<6f", 1, 2, 3, 4, 5, 6)
    yield "float.safetensors", safetensors({"kernel": tensor("F32", [2, 3], 0, 24)}, {"format": "pt"}, floats)
    yield "kinds.safetensors", safetensors(
        {"h": tensor("F16", [2], 0, 4), "b": tensor("BF16", [2], 4, 8), "i": tensor("I64", [1], 8, 16),
         "d": tensor("F64", [1], 16, 24), "none": tensor("F32", [0], 24, 24)}, data=floats)


def checkpoints():
    for name, values, count in (("empty", {}, 0), ("arrays", {"step": "12", "rate": "0.1", "is": "true"}, 4)):
        tensors = {"arena": tensor("F32", [count], 0, 4 * count)} if count else {}
        tensors["checksum"] = tensor("U32", [1], 4 * count, 4 * count + 4)
        whole = safetensors(tensors, {"format": "millrace checkpoint 1", **values}, bytes(4 * count))
        yield f"{name}.safetensors", whole + struct.pack("<I", zlib.crc32(whole))


def zip_of(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    return file.getvalue()


def unchecked(whole):
    """No chance gets a checksum right: 0 is not checked."""
    whole = bytearray(whole)
    for place, at in ((b"PK\x01\x02", 16), (b"PK\x03\x04", 14)):
        begin = whole.find(place)
        while begin >= 0:
            whole[begin + at:begin + at + 4] = bytes(4)
            begin = whole.find(place, begin + 1)
    return bytes(whole)


def keras_archives():
    whole = zip_of((("metadata.json", b"{}"), ("config.json", b'{"data_format": "channels_first"}'),
                    ("model.weights.h5", b"\x89HDF\r\n\x1a\n")))
    yield "checked.keras", whole
    yield "unchecked.keras", unchecked(whole)


def torch_files():
    """As torch.save writes a dict of two tensors that share a storage; the second one is turned."""
    def text(value):
        return b"X" + struct.pack("<I", len(value)) + value

    def tensor(offset, sizes, strides):
        storage = b"(" + text(b"storage") + b"ctorch\nFloatStorage\n" + text(b"0") + text(b"cpu") + b"K\x06tQ"
        numbers = [b"(" + b"".join(struct.pack("BB", 75, value) for value in values) + b"t" for values in (sizes, strides)]
        return (b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + struct.pack("BB", 75, offset) + b"".join(numbers)
                + b"\x89ccollections\nOrderedDict\n)RtR")
    floats = struct.pack("<6f", 1, 2, 3, 4, 5, 6)
    pickle = b"\x80\x02}q\x00(" + text(b"a") + tensor(1, [4], [1]) + text(b"b") + tensor(0, [3, 2], [1, 3]) + b"u."
    magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
    system = b"\x80\x02}(" + text(b"little_endian") + b"\x88u."
    yield "legacy.pth", (magic + b"\x80\x02M\xe9\x03." + system + pickle + b"\x80\x02](" + text(b"0") + b"e."
                         + struct.pack("<Q", 6) + floats)
    def archive():
        return zip_of((("a/data.pkl", pickle), ("a/byteorder", b"little"), ("a/data/0", floats)))
    yield "checked.pth", archive()
    yield "unchecked.pth", unchecked(archive())
    limits, zipfile.ZIP64_LIMIT = zipfile.ZIP64_LIMIT, 0  # numbers as in an archive of more than 4 GiB
    large = unchecked(archive())
    zipfile.ZIP64_LIMIT = limits
    yield "zip64.pth", large[:-14] + b"\xff" * 12 + large[-2:]


def hdf5_lists():
    def text(value):
        return struct.pack("<Q", len(value)) + value

    def number(*values):
        return struct.pack(f"<{len(values)}Q", *values)
    yield "empty.bin", number(0, 0)
    yield "one.bin", (number(1) + text(b"") + number(1) + text(b"layer_names") + number(2) + text(b"a") + text(b"b")
                      + number(2) + text(b"a/kernel:0") + text(b"F32") + number(2, 3, 4)
                      + text(b"a/step") + text(b"I64") + number(0))


def tables():
    pixels = bytes(range(27))
    cube = struct.pack(">HBBIII", 0, 8, 3, 3, 3, 3) + pixels
    yield "idx/images.idx", cube
    yield "idx/images.idx.gz", gzip.compress(cube, mtime=0)
    yield "idx/labels.idx", struct.pack(">HBBI", 0, 8, 1, 3) + b"\0\2\1"
    yield "idx/colour.idx", struct.pack(">HBBIIII", 0, 8, 4, 3, 1, 1, 3) + pixels[:9]
    yield "csv/plain.csv", b"1,2.5,0\n-3e2,4,1\n"
    yield "csv/header.csv", b"\xef\xbb\xbfa,b,class\r\n+1, 2 ,0\r\n\r\n3,4,2\r\n"
    yield "csv/quoted.csv", b'"a,""b""","c\nd",class\r1,2,0\r\r3,4,1'
    yield "csv/named.csv", b"class;id;a;b\n?;x;1;2\n;;3;4\n"
    yield "csv/pandas.csv", b"0,1,2\n1,2,1\n"
    yield "recipe/plain.ini", b"# a comment\nepochs = 3\nlearning-rate=0.1\nquiet = true\n; another\nmodel = x # y\n"
    yield "recipe/wrong.ini", b"epoch = 3\n"
    yield "recipe/twice.ini", b"size = 5\nsize = -5\nseed = 70000\n"


def models():
    yield "small.json", {"name": "m", "input": [8, 8, 3], "layers": [
        {"name": "c", "kind": "conv2d", "filters": 2, "rows": 3, "columns": 3, "padding": "same"},
        {"name": "n", "kind": "batch_norm"}, {"name": "r", "kind": "relu"},
        {"name": "p", "kind": "max_pool2d", "size": 2, "stride": 2}, {"name": "f", "kind": "flatten"},
        {"name": "o", "kind": "dropout", "rate": 0.3}, {"name": "d", "kind": "dense", "units": 2},
        {"name": "s", "kind": "softmax"}]}
    yield "told.json", {"name": "m", "input": [3], "classes": ["a", "b"], "layers": [
        {"name": "d", "kind": "dense", "units": 2, "bias": False, "initializer": "he_normal", "trainable": False}],
        "preprocessing": {"filter": "bilinear", "scale": 0.5, "mean": [1, 2, 3], "deviation": [1, 1, 1]}}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    random = numpy.random.default_rng(arguments.seed)

    def write(name, content):
        path = arguments.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (arguments.folder / "decode").mkdir(parents=True, exist_ok=True)
    for name, (image, options) in images(random).items():
        image.save(arguments.folder / "decode" / name, **options)
    for name, content in {**texts_of_pnm(), "raw.psd": psd(random, False), "packed.psd": psd(random, True)}.items():
        write(f"decode/{name}", content)
    (arguments.folder / "orientation").mkdir(exist_ok=True)
    oriented(arguments.folder / "orientation")
    for kind, files in (("safetensors", weights()), ("checkpoint", checkpoints()), ("hdf5", hdf5_lists()),
                        ("torch", torch_files()), ("keras", keras_archives())):
        for name, content in files:
            write(f"{kind}/{name}", content)
    for name, content in tables():
        write(name, content)
    for name, model in models():
        write(f"model/{name}", json.dumps(model).encode())


main()
