#!/usr/bin/env python3
"""Writes tar shards with Python's tarfile and records what others read in them.

tests/data/io/tar/*.tar, *.tgz and tests/data/io/tar.json:
- `members`: of each archive, by tarfile: name (its bytes as Latin-1), offset and length of each file's content
- `samples`: of shards, by webdataset's own reader: key, ending of the image, label
- `braces`: patterns as braceexpand, which webdataset calls, expands them
Pinned: Python 3.11's tarfile, webdataset 1.0.2, braceexpand 0.1.7.

    python3 tests/reference/record_tar.py tests/data/io
"""
import argparse
import gzip
import io
import json
import pathlib
import tarfile
import unicodedata

import braceexpand
import webdataset

LONG = "folder-" + "x" * 90 + "/" + "y" * 120 + "/"


def image(value):
    """A grey PGM of 2x2 pixels, all of one value."""
    return b"P5 2 2 255\n" + bytes([value]) * 4


def member(name, content=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def archive(members, form, end=True):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, encoding="utf-8") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
        if not end:
            return out.getvalue()
    return out.getvalue()


def labelled(first, count, label):
    for i in range(first, first + count):
        yield member(f"{i:06d}.pgm", image(i))
        yield member(f"{i:06d}.cls", label(i).encode())


def archives():
    pax, gnu, ustar = tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT
    yield "numbers-000.tar", archive(labelled(0, 5, lambda i: str(i % 3)), ustar)
    yield "numbers-001.tar", archive(labelled(5, 4, lambda i: f" {i % 3}\n"), pax)
    compressed = io.BytesIO()
    with gzip.GzipFile(fileobj=compressed, mode="wb", mtime=0) as out:
        out.write(archive(labelled(9, 3, lambda i: str(i % 3)), gnu))
    yield "numbers-002.tgz", compressed.getvalue()
    yield "named.tar", archive(
        [member("a.pgm", image(1)), member("a.json", b'{"width": 2, "label": "owl"}'),
         member("b.json", b'{"cls": "cat", "label": 7}'), member("b.pgm", image(2)),
         member("c.pgm", image(3)), member("c.cls", b"dog"), member("c.json", b'{"cls": "owl"}')], pax)
    # Names that do not fit into a header's 100 bytes, with blanks, line ends, and not of ASCII, composed or not.
    decomposed = unicodedata.normalize("NFD", "\u00e9t\u00e9")
    names = [LONG + "1.pgm", LONG + "2.pgm", "with blank/two  blanks.pgm", "with blank/line\nend.pgm",
             "\u00e9t\u00e9/3.pgm", decomposed + "/4.pgm"]
    for name, form in (("names-pax.tar", pax), ("names-gnu.tar", gnu)):
        yield name, archive([member(n, image(i)) for i, n in enumerate(names)], form)
    # As others pack folders: folders, users, times with fractions, a comment for the whole archive.
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=pax, pax_headers={"comment": "c" * 700}) as tar:
        for folder in ("photos", "photos/cats", "photos/dogs"):
            tar.addfile(member(folder, type=tarfile.DIRTYPE, mode=0o755)[0])
        for i, name in enumerate(("photos/cats/1.pgm", "photos/dogs/old/2.pgm", "photos/cats/3.v2.pgm")):
            info, content = member(name, image(i), mtime=1.25 + i, uname="J\u00f6rg", uid=3_000_000)
            tar.addfile(info, io.BytesIO(content))
    yield "folders.tar", out.getvalue()
    yield "links.tar", archive(
        [member("1.pgm", image(1)), member("1.cls", b"0"),
         member("2.pgm", type=tarfile.LNKTYPE, linkname="1.pgm"), member("2.cls", b"1"),
         member("3.pgm", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
         member("pipe.pgm", type=tarfile.FIFOTYPE), member("4.pgm", image(4)), member("4.cls", b"1")], gnu)
    yield "empty.tar", archive([], ustar)
    yield "converted.tar", converted()


def members_of(data):
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as tar:
        return [[m.name.encode("utf-8", "surrogateescape").decode("latin-1"), m.offset_data, m.size]
                for m in tar if m.isreg()]


def samples_of(path):
    found = []
    for sample in webdataset.WebDataset(str(path), shardshuffle=False):
        ending = "pgm"
        if "cls" in sample:
            label = sample["cls"].decode().strip()
        else:
            said = json.loads(sample["json"])
            label = str(said.get("cls", said.get("label")))
        found.append([sample["__key__"], ending, label, list(sample[ending])[-1]])
    return found


def converted():
    """What millrace convert tar makes of cats/1.pgm, cats/2.pgm, dogs/3.pgm, in this order."""
    files = [(0, image(10), "pgm"), (0, image(20), "pgm"), (1, image(30), "pgm")]
    members = []
    for i, (label, content, ending) in enumerate(files):
        for name, data in ((f"{i:09d}.{ending}", content), (f"{i:09d}.cls", str(label).encode())):
            members.append(member(name, data, mode=0o644, uid=0, gid=0, mtime=0, uname="", gname=""))
    return archive(members, tarfile.USTAR_FORMAT)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    out = parser.parse_args().out
    (out / "tar").mkdir(parents=True, exist_ok=True)
    record = {"members": {}, "samples": {}, "braces": {}}
    for name, data in archives():
        (out / "tar" / name).write_bytes(data)
        record["members"][name] = members_of(data)
    for name in ("numbers-000.tar", "numbers-001.tar", "named.tar"):
        record["samples"][name] = samples_of(out / "tar" / name)
    for pattern in ("s-{000..012}.tar", "s-{8..11}.tar", "{a,b,}x.tar", "{a,b}-{0..1}.tar", "s.tar", "{x}.tar"):
        record["braces"][pattern] = list(braceexpand.braceexpand(pattern))
    (out / "tar.json").write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
