#!/bin/bash
# Python's email package with policy.default, the one for new programs, reads two encoded words of a display name with a
# blank between them: "Do" "nau" is "Do nau". RFC 2047 6.2 says that the blank between two encoded words is not shown, and
# whoever folds a long name relies on it, Python itself too: it does not read the names that it wrote. In a Subject it
# shows "Donau", and so do email.header and the old policy. Who compares messages by this package sees a difference that
# is none.
# Needs Debian 12: the pinned packages are unpacked in a temporary folder. Ends with 1 when that changes, 2 when it can't run.
set -euo pipefail
packages="python3.11-minimal=3.11.2-6+deb12u9 libpython3.11-minimal=3.11.2-6+deb12u9 libpython3.11-stdlib=3.11.2-6+deb12u9"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# shellcheck disable=SC2086 # a list of words is meant
apt-get -q download $packages >log 2>&1 || { apt-get -q update && apt-get -q download $packages; } >log 2>&1 || { cat log; exit 2; }
for deb in *.deb; do dpkg -x "$deb" root; done
echo "$packages" | tr ' ' '\n' | sed 's/^/package: /'
cat >try.py <<'E'
import email.header, email.headerregistry, email.message, email.policy, sys

changed = []
def shows(what, got, want):
    print(f"{what}: {got!r}")
    if got != want:
        changed.append(what)

def read(text):
    return email.message_from_string(text, policy=email.policy.default)

words = "=?utf-8?q?Do?= =?utf-8?q?nau?="
print("Python", sys.version.split()[0])
shows("a display name", read(f"To: {words} <a@example.org>\n\n")["to"].addresses[0].display_name, "Do nau")
shows("a Subject", str(read(f"Subject: {words}\n\n")["subject"]), "Donau")
shows("email.header", str(email.header.make_header(email.header.decode_header(words))), "Donau")
name = "Geschäftsführerüberwachungsänderungsausschuss"
message = email.message.EmailMessage()
message["To"] = email.headerregistry.Address(name, "a", "example.org")
again = read(message.as_string())["to"].addresses[0].display_name
print(message.as_string().strip())
shows("what it wrote itself", again == name, False)
print("it reads", repr(again))
sys.exit(1 if changed else 0)
E
PYTHONHOME=$work/root/usr "$work/root/usr/bin/python3.11" -I try.py || { echo "CHANGED"; exit 1; }
