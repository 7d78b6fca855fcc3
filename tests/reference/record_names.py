#!/usr/bin/env python3
"""Records pairs of names and in what they differ, as Python's unicodedata says.

    python3 tests/reference/record_names.py > tests/data/io/names.jsonl

Python 3.11 (Unicode 14); any later one says the same of these letters. A line is [a, b, what]: "" for
names that are equal or not alike, "case", "form" (NFC against NFD), "case and form".
"""
import itertools
import json
import sys
import unicodedata

WORDS = ["café", "Ångström", "Müller", "naïve", "Żółw", "čeština", "Việt Nam", "Ελλάδα", "Привёт, йод",
         "ガラス", "パン", "한국어", "각도", "नज़र", "Ñandú", "Ǻ", "ő", "cats", "T-shirt", "n01440764", "10", "a b"]


def what(a, b):
    nfc = lambda s: unicodedata.normalize("NFC", s)
    if a == b:
        return ""
    if a.lower() == b.lower():
        return "case"
    if nfc(a) == nfc(b):
        return "form"
    if nfc(a).lower() == nfc(b).lower():
        return "case and form"
    return ""


def main():
    forms = []
    for word in WORDS:
        variants = {unicodedata.normalize(form, case) for form in ("NFC", "NFD")
                    for case in (word, word.lower(), word.upper())}
        forms.append(sorted(variants))
    pairs = [pair for variants in forms for pair in itertools.combinations(variants, 2)]
    pairs += [(a[0], b[0]) for a, b in zip(forms, forms[1:])]
    pairs += [("café", "cafe"), ("cafe", "cafè"), ("Mull", "Müll"), ("カラス", "ガラス"), ("나", "낙")]
    for a, b in pairs:
        print(json.dumps([a, b, what(a, b)]), file=sys.stdout)


if __name__ == "__main__":
    main()
