"""Reads a message on standard input with Python's email package (policy compat32) and prints what a reader
shows: a line for each field and each part. Lines that begin with FAULT name what no message may have."""

import email
import email.header
import email.utils
import re
import sys

ONCE = ("Date From Sender Reply-To To Cc Message-ID In-Reply-To References Subject MIME-Version Content-Type "
        "Content-Transfer-Encoding Content-ID Content-Description Content-Disposition").split()
ADDRESSES = ("From", "Sender", "Reply-To", "To", "Cc")
IDS = ("Message-ID", "In-Reply-To", "References")
SEALED = ("multipart/signed", "multipart/encrypted")


def say(*words):
    print(*words)


def fault(*words):
    print("FAULT", *words)


def text(value):
    """Returns a field's value as a reader shows it."""
    value = re.sub(r"\r?\n(?=[ \t])", "", str(value))
    return str(email.header.make_header(email.header.decode_header(value)))


def header(msg):
    for name in ONCE:
        if len(msg.get_all(name, [])) > 1:
            fault("more than one", name)
    for name in ADDRESSES + IDS:
        if name in msg and not str(msg[name]).strip():
            fault("empty", name)
    if "To" not in msg and "Cc" not in msg:
        fault("neither To nor Cc")
    try:
        email.utils.parsedate_to_datetime(msg["Date"])
    except (TypeError, ValueError) as err:
        fault("Date", repr(msg["Date"]), err)
    if not re.fullmatch(r"<[^\s<>@]+@[^\s<>@]+>", str(msg["Message-ID"]).strip()):
        fault("Message-ID", repr(msg["Message-ID"]))
    for name, value in msg.items():
        if name.lower() == "received":
            continue
        if name.title() in ADDRESSES:
            raw = re.sub(r"\r?\n(?=[ \t])", "", str(value))
            shown = []
            for display, addr in email.utils.getaddresses([raw]):
                if not addr:
                    continue
                shown.append(f"{text(display)} <{addr}>" if display else addr)
            say(f"{name}: {', '.join(shown) or text(value)}")
        else:
            say(f"{name}: {text(value)}")


def walk(part, sealed):
    kind = part.get_content_type()
    coding = str(part.get("Content-Transfer-Encoding", "7bit")).strip().lower()
    raw = part.as_bytes()
    body = raw.partition(b"\n\n")[2]
    high = any(c > 127 for c in body)
    if part.defects and not sealed:
        fault(kind, part.defects)
    if not sealed:
        if coding not in ("7bit", "8bit", "quoted-printable", "base64", "x-uuencode"):  # all that Python decodes
            fault(kind, "has the encoding", coding)
        if high and coding != "8bit":
            fault(kind, "has 8-bit content and the encoding", coding)
        if kind.startswith(("multipart/", "message/")) and coding not in ("7bit", "8bit"):
            fault(kind, "has the encoding", coding)
        if any(c > 127 for c in raw.partition(b"\n\n")[0]):
            fault(kind, "has a header that is not ASCII")
    if part.is_multipart():
        say("part", kind)
        for child in part.get_payload():
            if kind.startswith("message/") and not sealed:
                for name, value in child.items():
                    say(f"within: {name}: {text(value)}")
            walk(child, sealed or kind in SEALED)
        return
    content = part.get_payload(decode=True)
    if kind.startswith("text/"):
        charset = part.get_content_charset("us-ascii")
        try:
            shown = repr(content.decode(charset))
        except (LookupError, UnicodeDecodeError) as err:
            if not sealed:
                fault(kind, err)
            shown = repr(content)
        say("part", kind, charset, coding, shown)
    else:
        name = part.get_filename()
        if isinstance(name, str):
            name = text(name)
        say("part", kind, coding, repr(content), name or "")


msg = email.message_from_bytes(sys.stdin.buffer.read().replace(b"\r\n", b"\n"))
header(msg)
if any(c > 127 for c in msg.as_bytes()) and "MIME-Version" not in msg:
    fault("8-bit text without MIME-Version")
walk(msg, False)
