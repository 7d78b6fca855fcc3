#!/usr/bin/env python3
"""Random tables, and how Python's csv module and the rule of docs/streaming-data.md read them.

    python3 tests/reference/record_tables.py tests/data/io/tables.jsonl

Recorded with Python 3.11.7. More, with another seed, for a program that is built:

    python3 tests/reference/record_tables.py more.jsonl --seed 7 --count 1000
    MILLRACE_TABLES=more.jsonl build/release/tests/io/test_io "random tables*"

A line a table: its text, what is said of it, and either the line that is refused (0: the whole) or
labels, features (float32, big-endian hex) and names of columns. Cells and lines come from csv.reader,
strict; which cells were in quotes, which it does not tell, from the generator.
"""
import argparse
import csv
import io
import json
import random
import re
import struct

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
UNCLEAR = re.compile(r"[ +\-.,'\"$(<>=~#%\x80-\U0010ffff]*[0-9]")
MISSING = {"", "?", "-", "--", ".", "nan", "-nan", "na", "n/a", "#n/a", "#na", "<na>", "null", "none", "nil",
           "n.a.", "#div/0!", "#value!", "#ref!", "#num!", "#name?"}
LARGEST = struct.unpack(">f", bytes.fromhex("7f7fffff"))[0]

GOOD = ["0", "1", "2", "-3", "+4", "5.", ".5", "-.25", "1e3", "1E-3", "2.5e+2", "1e-60", "-1e-400", "3.4028234e38",
        "16777217", "0.1", "0.30000001192092896", "123456789.123456789", "007", "1e-45", "-0", "0e999"]
BAD = ["", "nan", "?", "NA", "None", "x", "1e300", "-1e39", "1e400", "0x10", "1_000", "1.2.3", "1e", "--5", "+-5", "inf",
       "-Infinity", "1 000", "12abc", "$5", "<1", "e5", "\u22125", "\xa07", "\N{ARABIC-INDIC DIGIT ONE}"]
NAMES = ["x", "y", "age", "Age", "a b", "l\u00e4nge", "1st", "_1", "n/a", "2020", "5", "e", "-", "\u65e5", "#", "id"]


class Refused(Exception):
    def __init__(self, line):
        self.line = line


def kind(text):
    """number, bad or word, of a cell without its quotes."""
    text = text.strip(" \t")
    if NUMBER.fullmatch(text):
        return "number" if abs(float(text)) <= LARGEST else "bad"
    if text.lower() in MISSING or re.fullmatch(r"[+-]?(inf|infinity)", text.lower()):
        return "bad"
    return "bad" if UNCLEAR.match(text) else "word"


def records_of(text, separator, is_quoted):
    """(line, cells) of each record, a cell is (text, quoted); and the line of a fault, or None."""
    records, quoted = [], iter(is_quoted)
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return records, None
        except csv.Error as error:
            return records, line if "unexpected end" in str(error) else reader.line_num
        blanks = " " if separator == "\t" else " \t"
        if not cells or (len(cells) == 1 and not cells[0].strip(blanks)):
            continue  # blank: the generator writes no table of one column with a blank cell in quotes
        flags = next(quoted)
        cells = [(c if q else c.strip(blanks), q) for c, q in zip(cells, flags, strict=True)]
        if any("\0" in c or (not q and c.startswith('"')) for c, q in cells):
            return records, line
        records.append((line, cells))


def has_header(records, fault, said, known):
    if said is not None:
        return said
    names = [text for text, _ in records[0][1]]
    if known and all(name in names for name in known["columns"]):
        return True
    if len(names) > 1 and records[0][1] == [(str(i), False) for i in range(len(names))]:
        return True
    words = [i for i, name in enumerate(names) if kind(name) == "word"]
    if any(i < len(cells) and not cells[i][1] and kind(cells[i][0]) == "number"
           for _, cells in records[1:] for i in words):
        return True
    if words and fault:
        raise Refused(fault)
    return bool(words) and len(records) == 1 and all(kind(name) != "number" for name in names)


def place_of(name, names, line):
    if names.count(name) > 1:
        raise Refused(line)
    return names.index(name) if name in names else None


def label_of(table, names, count, line):
    said, known = table.get("label"), table.get("known")
    if said:
        place = place_of(said, names, line)
        if place is None and said.isdigit() and 1 <= int(said) <= count:
            place = int(said) - 1
    elif known and names:
        place = place_of(known["label"], names, line)
    else:
        place = known["label_column"] - 1 if known and known["label_column"] <= count else count - 1
    if place is None:
        raise Refused(line)
    return place


def features_of(table, names, count, label, line):
    known = table.get("known")
    others = [i for i in range(count) if i != label]
    if not known or not names or [names[i] for i in others] == known["columns"]:
        if any(names and names[i] == "" for i in others):
            raise Refused(line)
        if known and len(others) != len(known["columns"]):
            raise Refused(line)
        return others
    places = [place_of(name, names, line) for name in known["columns"]]
    if None in places or label in places:
        raise Refused(line)
    return places


def value(cell, line):
    text, is_quoted = cell
    if is_quoted or kind(text) != "number":
        raise Refused(line)
    return float(text)


def read(table, is_quoted):
    records, fault = records_of(table["text"], table.get("separator", ","), is_quoted)
    if not records:
        raise Refused(fault or 0)
    first, cells = records[0]
    count = len(cells)
    if count < 2:
        raise Refused(first)
    header = has_header(records, fault, table.get("header"), table.get("known"))
    names = [text for text, _ in cells] if header else []
    label = label_of(table, names, count, first)
    features = features_of(table, names, count, label, first)
    rows, labels = [], []
    for line, cells in records[header:]:
        if len(cells) != count:
            raise Refused(line)
        number = value(cells[label], line)
        if number < 0 or number != int(number) or number >= 100000:
            raise Refused(line)
        labels.append(int(number))
        rows.append([value(cells[i], line) for i in features])
    if fault:
        raise Refused(fault)
    if not rows:
        raise Refused(0)
    return {"labels": labels, "features": "".join(struct.pack(">f", x).hex() for row in rows for x in row),
            "columns": [names[i] for i in features] if header else []}


class Maker:
    """One random table."""

    def __init__(self, rng):
        self.rng = rng
        self.separator = rng.choice(",,,;\t|:")
        self.count = rng.choice([1] + 5 * [2, 3, 3, 4] + [5, 5])
        self.ends = [rng.choice(["\n", "\r\n", "\r"])] if rng.random() < 0.8 else ["\n", "\r\n", "\r"]
        self.has_newlines = rng.random() < 0.3
        self.quoted = []

    def chance(self, p):
        return self.rng.random() < p

    def header(self):
        style = self.rng.choice(["none", "none", "words", "words", "words", "mixed", "counting", "quoted", "quoted",
                                 "numbers"])
        if style == "none":
            return None
        if style == "counting":
            return [(str(i), False) for i in range(self.count)]
        if style == "numbers":
            return [(self.rng.choice(["2019", "7", "1.5"]), self.chance(0.5)) for _ in range(self.count)]
        names = self.rng.sample(NAMES, self.count)
        if style == "mixed":
            return [(self.rng.choice([n, "3", "nan", ""]), self.chance(0.3)) for n in names]
        if style == "quoted":
            more = ["", self.separator, '"', " "] + (["\n", "\r\n", "\r"] if self.has_newlines else [])
            return [(n + self.rng.choice(more) + self.rng.choice(["", "z"]), True) for n in names]
        return [(n, self.chance(0.2)) for n in names]

    def row(self):
        cells = [(self.rng.choice(GOOD), False) for _ in range(self.count - 1)]
        cells.insert(self.place, (self.rng.choice(["0", "1", "2", "3", "1.0", "2e0", "+1"]), False))
        return cells

    def spoil(self, rows):
        if not rows:
            return
        row = self.rng.choice(rows)
        at = self.rng.randrange(len(row))
        what = self.rng.choice(["bad", "bad", "bad", "quotes", "label", "ragged", "ragged"])
        if what == "bad":
            row[at] = (self.rng.choice(BAD), self.chance(0.15))
        elif what == "quotes":
            row[at] = (self.rng.choice(["1.5", "", "nan", "a" + self.separator + "b", "1,5"]), True)
        elif what == "label":
            row[min(self.place, len(row) - 1)] = (self.rng.choice(["cat", "-1", "1.5", "100000", "1e300"]), False)
        elif self.chance(0.5) and len(row) > 1:
            row.pop()
        else:
            row.append((self.rng.choice(["", "1"]), False))

    def written(self, cell):
        text, is_quoted = cell
        if is_quoted:
            return '"' + text.replace('"', '""') + '"'
        pad = self.rng.choice(["", "", "", " ", "  "] + ([] if self.separator == "\t" else ["\t"]))
        return pad + text + self.rng.choice(["", "", "", " "])

    def text(self, rows):
        out = "\ufeff" if self.chance(0.1) else ""
        for i, row in enumerate(rows):
            while self.chance(0.08):
                out += self.rng.choice(["", " ", "  "]) + self.rng.choice(self.ends)
            if len(row) == 1 and not row[0][0].strip():
                row = [("x", True)]
            self.quoted.append([q for _, q in row])
            out += self.separator.join(self.written(cell) for cell in row)
            if i + 1 < len(rows) or self.chance(0.8):
                out += self.rng.choice(self.ends)
        return out

    def break_text(self, rows):
        """A fault of the text in one cell, which is written as it is."""
        row = self.rng.choice(rows)
        at = self.rng.randrange(len(row))
        fault = self.rng.choice(['"1"5', '"1" ', ' "1"', "1\0", '"1'])
        row[at] = (fault, False)
        return fault

    def table(self):
        header = self.header()
        self.place = self.rng.randrange(self.count) if self.chance(0.3) else self.count - 1
        rows = ([header] if header else []) + [self.row() for _ in range(self.rng.choice([0, 1, 2, 2, 3, 3, 4, 4, 6, 6]))]
        if self.chance(0.3):
            self.spoil(rows)
        if self.chance(0.1):
            self.spoil(rows)
        if rows and not self.has_newlines and self.chance(0.08):
            self.break_text(rows)
        table = {}
        if self.separator != "," or self.chance(0.1):
            table["separator"] = self.separator
        if self.chance(0.15):
            table["header"] = self.chance(0.75 if header else 0.25)
        names = [text for text, _ in header] if header and len(header) > self.place else []
        if self.place != self.count - 1 or self.chance(0.05):
            named = self.rng.choice(names) if names and self.chance(0.1) else str(self.place + 1)
            table["label"] = names[self.place] if names and self.chance(0.5) and names[self.place] else named
        elif names and all(n.strip() == n != "" for n in names) and self.chance(0.4):
            wanted = names[:-1]
            self.rng.shuffle(wanted)
            wanted = wanted[: self.rng.randint(1, len(wanted))] if wanted else wanted
            if self.chance(0.15):
                wanted.append("other")
            if wanted:
                table["known"] = {"columns": wanted, "label": names[-1], "label_column": len(wanted) + 1}
        return {"text": self.text(rows), **table}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--count", type=int, default=1000)
    options = parser.parse_args()
    refused = 0
    with open(options.out, "w", encoding="ascii", newline="\n") as out:
        for i in range(options.count):
            maker = Maker(random.Random(f"{options.seed}/{i}"))
            table = maker.table()
            try:
                result = read(table, maker.quoted)
            except Refused as error:
                result = {"refused": error.line}
                refused += 1
            out.write(json.dumps({"table": f"{options.seed}/{i}", **table, **result}, separators=(",", ":")) + "\n")
    print(f"seed {options.seed}: {options.count} tables, {refused} of them refused")


main()
