#!/usr/bin/env python3
"""Compares messages with what arrived, by Python's email package (policy compat32), which is not ours.

Standard input has a line for each pair: the original's path, a tab, the path of what arrived. For each a line of JSON
is printed: the rules by which both differ, each one checked here, and the faults: differences that no rule allows.
docs/corpora.md has the rules with their reasons.
"""
import base64
import collections
import email
import email.header
import email.utils
import hashlib
import json
import re
import sys

DOMAIN = "contoso.test"
MAILBOX = "noreply@" + DOMAIN
SEALED = ("multipart/signed", "multipart/encrypted")
# Newer Pythons, and Debian's, return nothing at all of a list with one fault unless they are asked not to.
LENIENT = {"strict": False} if getattr(email.utils, "supports_strict_parsing", False) else {}
# Fields that stand once (RFC 5322 3.6, RFC 2045 3), and those that have to have an address or an identifier if they are
# there at all (RFC 5322 3.6.2 to 3.6.4).
ONCE = ("date", "from", "sender", "reply-to", "to", "cc", "message-id", "in-reply-to", "references", "subject",
        "mime-version", "content-type", "content-transfer-encoding")
NEVER_EMPTY = ("from", "sender", "reply-to", "to", "cc", "message-id", "in-reply-to", "references")


def parse(data):
    data = data.replace(b"\r\n", b"\n").removeprefix(b"\xef\xbb\xbf")
    head, blank, body = re.sub(rb"^(>?From [^\n]*\n)+", b"", data).partition(b"\n\n")
    head = re.sub(rb"^([!-9;-~]+)[ \t]+:", rb"\1:", head, flags=re.M)  # RFC 5322 4.5, which Python does not read
    return email.message_from_bytes(head + blank + body)


def fields(msg):
    return [(name.strip().lower(), re.sub(r"\s+", " ", str(value)).strip()) for name, value in msg.raw_items()]


def shown(value, charset=None):
    """Returns a field's text as a reader shows it: encoded words decoded, raw 8-bit text by its likely charset."""
    raw = value.encode("utf-8", "surrogateescape")
    for name in ("utf-8", charset or "windows-1252", "windows-1252", "iso-8859-1"):
        try:
            value = raw.decode(name)
            break
        except (UnicodeDecodeError, LookupError):
            continue
    parts = []
    try:
        for text, name in email.header.decode_header(value):
            parts.append(text if isinstance(text, str) else text.decode(name or "raw-unicode-escape", "replace"))
    except (ValueError, LookupError, email.errors.HeaderParseError):
        return value
    return re.sub(r"\s+", " ", "".join(parts)).strip()


def addresses(values):
    """Returns the addresses of fields; of words with an address behind them, as some write a From, the last."""
    return [a.split()[-1] for _, a in email.utils.getaddresses([shown(v) for v in values], **LENIENT) if "@" in a]


def letters(text):
    """Returns what is left of a name without what is quoted or encoded in one of several ways."""
    return re.sub(r"[\W_]", "", text)


class Pair:
    def __init__(self, original, arrived):
        self.data = (original, arrived)
        self.old, self.new = parse(original), parse(arrived)
        self.rules, self.faults, self.leaves = set(), [], 0
        self.charset = self.old.get_content_charset()

    def rule(self, name, holds, *seen):
        if holds:
            self.rules.add(name)
        else:
            self.faults.append(f"{name}: {seen!r}"[:400])

    # --- fields ---

    def header(self):
        old, new = fields(self.old), fields(self.new)
        gone = collections.Counter(old) - collections.Counter(new)
        come = collections.Counter(new) - collections.Counter(old)
        rest = iter(old)
        if not all(f in rest for f in new if f not in come):
            self.faults.append("the fields are in another order")
        for name in sorted({n for n, _ in gone} | {n for n, _ in come}):
            before = [v for n, v in gone.elements() if n == name]
            after = [v for n, v in come.elements() if n == name]
            judge = getattr(self, "field_" + name.replace("-", "_"), self.field)
            judge(name, before, after)

    def all(self, msg, name):
        return [v for n, v in fields(msg) if n == name]

    def field(self, name, before, after):
        if name in ("to", "cc", "reply-to", "references", "in-reply-to") and len(self.all(self.old, name)) > 1:
            joined = ", ".join(shown(v) for v in self.all(self.old, name))
            return self.rule("joined", sorted(addresses([joined])) == sorted(addresses(after)), before, after)
        if len(before) == 1 and before[0] in ("", "<>") and not after:
            return self.rule("empty", name in NEVER_EMPTY, name)
        if len(before) == len(after) == 1 and not before[0].isascii():
            if shown(before[0], self.charset) == shown(after[0]) and after[0].isascii():
                return self.rule("encoded-word", True)
            if shown(before[0], self.charset) == shown(after[0]) and all("@" in w for w in after[0].split() if not w.isascii()):
                return self.rule("smtputf8", True)
            if self.parameters(before[0]) == self.parameters(after[0]) and after[0].isascii():
                return self.rule("parameter", True)
        if not after and before and self.all(self.new, name) == self.all(self.old, name)[:1]:
            return self.rule("once", name in ONCE, name)
        return self.faults.append(f"{name}: {before!r} became {after!r}"[:400])

    @staticmethod
    def parameters(value):
        msg = email.message.Message()
        msg["Content-Disposition"] = re.sub(r"[\udc80-\udcff]+", lambda m: m[0].encode("utf-8", "surrogateescape").decode("utf-8", "replace"), value)
        return sorted((k.lower(), email.utils.collapse_rfc2231_value(v)) for k, v in msg.get_params(header="Content-Disposition", failobj=[]))

    def field_received(self, name, before, after):
        first = fields(self.new)[0] == ("received", after[0]) if after else False
        self.rule("received", not before and len(after) == 1 and "with o365-sendmail" in after[0] and first, before, after)

    def field_from(self, name, before, after):
        answers = addresses(self.all(self.new, "reply-to"))
        asked = addresses(self.all(self.old, "reply-to"))
        wanted = asked or [a for a in addresses(self.all(self.old, "from")) if a != MAILBOX]
        names = [n for n, a in email.utils.getaddresses([shown(v, self.charset) for v in before], **LENIENT) if n and "@" in a]
        named = bool(after) and all(letters(shown(n)) in letters(shown(after[0])) for n in names)
        self.rule("from", addresses(after) == [MAILBOX] and named and all(a in answers for a in wanted if mailable(a)), before, after, answers)

    def field_reply_to(self, name, before, after):
        if before:
            return self.field(name, before, after)
        authors = addresses(self.all(self.old, "from"))
        self.rule("from", all(a in authors for a in addresses(after)), authors, after)

    def field_sender(self, name, before, after):
        self.rule("sender", not after, before, after)

    def field_return_path(self, name, before, after):
        self.rule("return-path", not after, before, after)

    def field_bcc(self, name, before, after):
        self.rule("bcc", not after, before, after)

    field_resent_bcc = field_bcc

    def field_date(self, name, before, after):
        good = len(after) == 1 and parsed(after[0]) is not None
        if not self.all(self.old, "date"):
            return self.rule("date-added", good, after)
        same = bool(after and before) and parsed(after[0]) and parsed(after[0]) == parsed(before[0])
        bare = [re.sub(r"\s*\([^()]*\)$", "", v) for v in before]
        whole = all(re.search(r"([+-]\d{4}|[A-Z])$", v) and not re.search(r"\b[AP]M\b", v) and parsed(v) is not None for v in bare)
        self.rule("date", good and (same or not whole), before, after)

    def field_x_original_date(self, name, before, after):
        self.rule("date", not before and after == self.all(self.old, "date")[:1], before, after)

    def field_message_id(self, name, before, after):
        good = len(after) == 1 and re.fullmatch(r"<[^\s<>@]+@[^\s<>@]+>", after[0]) is not None
        if not self.all(self.old, "message-id"):
            return self.rule("message-id-added", good, after)
        old = before[0] if before else ""
        self.rule("message-id", good and not re.fullmatch(r"<[^\s<>@]+@[^\s<>@]+>", old), before, after)

    def field_to(self, name, before, after):
        if after == ["undisclosed-recipients:;"]:
            return self.rule("undisclosed", not any(addresses([v]) for v in before) and not self.new.get("cc"), before)
        if len(before) == len(after) == 1 and shown(after[0]).replace("@" + DOMAIN, "") == \
                shown(before[0], self.charset).replace("@" + DOMAIN, "").rstrip(";,") and DOMAIN in after[0]:
            return self.rule("qualified", True)
        if len(before) == len(after) == 1 and before[0].isascii() and letters(before[0]) == letters(after[0]):
            specs = [re.findall(r'[^\s<>,;"]+@[^\s<>,;"]+', v) for v in before + after]
            return self.rule("address-form", specs[0] == specs[1] and not re.search(r":[^,]*;", before[0]), before, after)
        return self.field(name, before, after)

    field_cc = field_to

    def field_mime_version(self, name, before, after):
        self.label(name, before, after)

    def field_content_type(self, name, before, after):
        if len(before) == len(after) == 1 and before[0].isascii() and self.bare(before[0]).startswith(self.bare(after[0])):
            return self.rule("type-form", "boundary" in after[0], before, after)
        if len(before) == len(after) == 1 and self.parameters(before[0]) == self.parameters(after[0]):
            return self.field(name, before, after)
        self.label(name, before, after)

    @staticmethod
    def bare(value):
        return re.sub(r'[\s"]', "", value)

    def field_content_transfer_encoding(self, name, before, after):
        self.label(name, before, after)

    def label(self, name, before, after, part=None):
        """A label may come or change where the content is 8-bit, or where it was not true."""
        if name == "mime-version" and before:
            return self.field(name, before, after)
        if name == "mime-version":
            return self.rule("label", not before and after == ["1.0"], before, after)
        msg = part or self.old
        data = self.data[0].replace(b"\r\n", b"\n") if part is None else part.as_bytes()
        body = data.partition(b"\n\n")[2]
        odd = not body.isascii() or any(len(line) > 998 for line in body.split(b"\n")) or b"\0" in body
        known = all(v.lower() in ("7bit", "8bit", "base64", "quoted-printable") for v in before)
        if msg.is_multipart() and name == "content-transfer-encoding" and before:
            known = before[0].lower() in ("7bit", "8bit")  # RFC 2045 6.4
        if before == ["base64"]:
            digits = re.sub(rb"[^A-Za-z0-9+/]", b"", body)
            known = len(digits) % 4 != 1 and not re.search(rb"\w \w", body)
        return self.rule("label", odd or not known or len(before) > 1 or before == [""], before, after)

    # --- content ---

    def content(self, old, new, sealed=False):
        if old.get_content_maintype() == "multipart" and not old.get_boundary() and new.get_content_type() == "text/plain":
            return self.rule("no-boundary", old.get_payload() == new.get_payload())
        if not old.is_multipart() and new.is_multipart() and f'"{new.get_boundary()}" ' in str(old["Content-Type"]):
            return self.rule("type-form", True)
        if old.get_content_type() != new.get_content_type():
            return self.faults.append(f"{old.get_content_type()} became {new.get_content_type()}")
        if old.is_multipart() != new.is_multipart():
            return self.faults.append(f"{old.get_content_type()} is multipart in one of both only")
        if old.is_multipart():
            if len(old.get_payload()) != len(new.get_payload()):
                return self.faults.append("the number of parts differs")
            for a, b in zip(old.get_payload(), new.get_payload()):
                self.part(a, b, sealed or old.get_content_type() in SEALED)
                self.content(a, b, sealed or old.get_content_type() in SEALED)
            return None
        self.leaves += 1
        a, b = payload(old), payload(new)
        if a == b or a + b"\n" == b or a == b + b"\n":  # Python counts a last line end with the boundary, or not
            return None
        coding = str(old.get("Content-Transfer-Encoding", "")).strip().lower()
        if coding != str(new.get("Content-Transfer-Encoding", "")).strip().lower() and coding not in ("", "7bit", "8bit"):
            text = old.get_payload().encode("ascii", "surrogateescape").removesuffix(b"\n")
            return self.rule("label", text == b.removesuffix(b"\n"), coding, len(text), len(b))
        same = re.sub(rb"[\r\n]", b"", a) == re.sub(rb"[\r\n]", b"", b)
        self.rule("bare-cr", same and re.search(rb"\r(?!\n)", self.data[0]), len(a), len(b), a[:60], b[:60])
        return None

    def part(self, old, new, sealed):
        """Compares a part's own fields."""
        before, after = collections.Counter(fields(old)), collections.Counter(fields(new))
        for name in sorted({n for n, _ in before - after} | {n for n, _ in after - before}):
            gone = [v for n, v in (before - after).elements() if n == name]
            come = [v for n, v in (after - before).elements() if n == name]
            if sealed:
                self.faults.append(f"{name} of a signed part: {gone!r} became {come!r}"[:400])
            elif name in ("content-type", "content-transfer-encoding", "mime-version") and \
                    self.parameters(";".join(gone)) != self.parameters(";".join(come)):
                self.label(name, gone, come, old)
            else:
                self.field(name, gone, come)


def parsed(date):
    """Returns the time that a Date says, None if it says none."""
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def mailable(address):
    """Reports whether the address can get an answer: it is in ASCII, its domain is public, and a person reads it."""
    private = r"(local|localhost|localdomain|lan|home|internal|intranet|corp|private|invalid|test|arpa)"
    if address.lower().startswith("mailer-daemon@"):
        return False
    return re.fullmatch(r"[!#-'*+\-/-9=?A-Z^-~.]+@([A-Za-z0-9-]+\.)+(?!" + private + r"$)[A-Za-z0-9-]+", address) is not None


def payload(part):
    """Returns a leaf's bytes, with LF lines."""
    return (part.get_payload(decode=True) or b"").replace(b"\r\n", b"\n")


def body_hashes(data):
    """Reports of each DKIM-Signature whether its bh= is the body's (RFC 6376 3.4, 3.7)."""
    data = re.sub(rb"^(>?From [^\n]*\n)+", b"", data.replace(b"\r\n", b"\n"))
    body = data.partition(b"\n\n")[2].replace(b"\n", b"\r\n")
    for value in email.message_from_bytes(data).get_all("DKIM-Signature", []):
        tags = dict(t.strip().split("=", 1) for t in re.sub(r"\s+", "", str(value)).split(";") if "=" in t)
        if tags.get("a") not in ("rsa-sha256", "ed25519-sha256", "rsa-sha1") or "bh" not in tags:
            continue
        text = body
        if tags.get("c", "simple/simple").partition("/")[2] == "relaxed":
            text = b"\r\n".join(re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in text.split(b"\r\n"))
        text = re.sub(rb"(\r\n)+\Z", b"", text)
        if text or tags.get("c", "simple/simple").partition("/")[2] != "relaxed":
            text += b"\r\n"
        if "l" in tags:
            text = text[:int(tags["l"])]
        digest = hashlib.new("sha1" if tags["a"] == "rsa-sha1" else "sha256", text).digest()
        yield base64.b64encode(digest).decode() == tags["bh"]


def compare(original, arrived):
    pair = Pair(original, arrived)
    if original[:1] in (b" ", b"\t"):
        same = arrived.replace(b"\r\n", b"\n").partition(b"\n\n")[2].strip() == original.replace(b"\r\n", b"\n").strip()
        pair.rule("blank-first", same)
    else:
        pair.header()
        pair.content(pair.old, pair.new)
    before, after = list(body_hashes(original)), list(body_hashes(arrived))
    if any(b and not a for b, a in zip(before, after)) or len(before) != len(after):
        pair.faults.append("a DKIM body hash that was valid is not any more")
    return {"rules": sorted(pair.rules), "faults": pair.faults, "leaves": pair.leaves, "dkim": sum(before)}


def main():
    for line in sys.stdin:
        data = []
        for path in line.rstrip("\n").split("\t"):
            with open(path, "rb") as file:
                data.append(file.read())
        print(json.dumps(compare(*data)))


if __name__ == "__main__":
    main()
