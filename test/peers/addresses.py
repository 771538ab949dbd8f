#!/usr/bin/env python3
"""Reads the tables of addresses of other projects' tests: addresses.py FOLDER prints a line of JSON for each entry,
{"suite", "text", "want"}: what may stand in a To field, and the addresses that the project finds in it."""
import json
import pathlib
import re
import subprocess
import sys


def unquoted(literal):
    """The value of a string literal of C, for the escapes that the table has."""
    return re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), literal)


def nullmailer(folder):
    text = (folder / "test/address-test.cc").read_text()
    text = re.sub(r"^\s*//.*$", "", text, flags=re.M)
    string = r'"((?:[^"\\]|\\.)*)"'
    for m in re.finditer(rf"TEST\({string},\s*{string},\s*{string}\)", text):
        yield unquoted(m[1]), unquoted(m[3]).split()


def email_address(folder):
    # The table is Perl; the lines around it, which test the module, are left out.
    text = (folder / "t/tests.t").read_text()
    table = text[text.index("my @list = ("):]
    table = table[:re.search(r"^\);", table, re.M).end()]
    program = table + "use JSON::PP; print encode_json(\\@list)"
    out = subprocess.run(["perl", "-Mutf8", "-e", program], check=True, capture_output=True).stdout
    for text, found in json.loads(out):
        at = lambda s: s.replace("-- ATAT --", "@")
        yield at(text), [at(f[1]) for f in found]


def postfix(folder):
    """tok822_parse.ref has a tree for each text; an address is the text of its tokens."""
    text = (folder / "src/global/tok822_parse.ref").read_text()
    for m in re.finditer(r"^>>>(.*?)<<<\n\nParse tree:\n(.*?)\n\n", text, re.M | re.S):
        want = []
        for line in m[2].split("\n"):
            token = re.match(r'( +)(?:address$|(atom|quoted string|OP|domain literal) "(.*)"$)', line)
            if token and line == " address":
                want.append("")
            elif token and len(token[1]) == 3:
                want[-1] += f'"{token[3]}"' if token[2] == "quoted string" else token[3]
        yield m[1], want


def main():
    folder = pathlib.Path(sys.argv[1])
    for name, read in [("nullmailer", nullmailer), ("libemail-address-perl", email_address), ("postfix", postfix)]:
        for text, want in read(next(folder.glob(name + "-*"))):
            print(json.dumps({"suite": name, "text": text, "want": want}))


main()
