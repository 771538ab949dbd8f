#!/usr/bin/env python3
"""Collects the messages of a project's files: collect.py FOLDER OUT.

Every file that reads like a message, and every message of a file that reads like an mbox, becomes OUT/NNNN,
with the same bytes and no second time. OUT/index.tsv has the number and where it is from.
"""
import hashlib
import os
import re
import sys

FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:", re.M)
KNOWN = {b"from", b"to", b"subject", b"date", b"received", b"message-id", b"mime-version", b"content-type",
         b"return-path", b"delivered-to", b"cc", b"reply-to", b"sender", b"dkim-signature"}
SOURCE = re.compile(r"\.(c|h|cc|cpp|py|pl|pm|rb|php|po|html?|js|go|ml|el|sh|xml|md|rst|svg|json|patch|diff|tex|xsl|css)$", re.I)
LARGEST = 4 << 20


def header(data):
    return re.split(rb"\r?\n\r?\n", data, maxsplit=1)[0]


def reads_like_message(data):
    lines = header(data).splitlines()
    if lines and lines[0].startswith((b"From ", b">From ")):
        lines = lines[1:]
    names = set()
    for line in lines:
        match = FIELD.match(line)
        if match:
            names.add(match.group(1).lower())
        elif not line[:1] in (b" ", b"\t"):
            return False
    return len(names & KNOWN) >= 2


def messages(data):
    parts = re.split(rb"(?:^|(?<=\n\n)|(?<=\n\r\n))(?=From [^\n]* \d\d:\d\d)", data)
    whole = [p for p in parts if p.strip()]
    if len(whole) > 1 and all(p.startswith(b"From ") for p in whole):
        return [p.split(b"\n", 1)[1] for p in whole if b"\n" in p]
    return [data]


def main():
    folder, out = sys.argv[1:]
    os.makedirs(out)
    seen, n = set(), 0
    with open(os.path.join(out, "index.tsv"), "w", encoding="utf-8") as index:
        for path in sorted(os.path.join(d, f) for d, _, files in os.walk(folder) for f in files):
            if SOURCE.search(path) or os.path.islink(path) or not 0 < os.path.getsize(path) <= 16 * LARGEST:
                continue
            with open(path, "rb") as file:
                data = file.read()
            for message in messages(data):
                digest = hashlib.sha256(message).digest()
                if len(message) > LARGEST or digest in seen or not reads_like_message(message):
                    continue
                seen.add(digest)
                n += 1
                with open(os.path.join(out, f"{n:04}"), "wb") as file:
                    file.write(message)
                name = os.path.relpath(path, folder).encode("utf-8", "replace").decode()
                index.write(f"{n:04}\t{name}\n")


if __name__ == "__main__":
    main()
