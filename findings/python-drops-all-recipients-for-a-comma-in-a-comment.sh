#!/bin/bash
# email.utils.getaddresses of Debian 12's Python 3.11 returns one empty address in place of all, if one of the fields given
# to it has a comma in a comment ("John (Sales, London) <j@example.org>", RFC 5322 3.2.2), for it counts the commas and
# finds fewer addresses. Addresses in other fields are gone, too. smtplib's send_message asks it for the recipients of a
# message of the default policy: it sends to RCPT TO:<> alone. A domain literal (RFC 5321 4.1.3) becomes an empty address.
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
import email, email.policy, email.utils, smtplib, sys

changed = []
def shows(what, got, want):
    print(f"{what}: {got}")
    if got != want:
        changed.append(what)

class Recorder(smtplib.SMTP):
    def __init__(self):
        pass
    def ehlo_or_helo_if_needed(self):
        pass
    def has_extn(self, name):
        return False
    def sendmail(self, sender, to, *rest):
        self.to = to

def sent(message):
    r = Recorder()
    r.send_message(message)
    return r.to

text = "From: a@example.org\nTo: one@example.org, John (Sales, London) <j@example.org>\nCc: two@example.org\n\nx\n"
fields = ["one@example.org, John (Sales, London) <j@example.org>", "two@example.org"]
print("Python", sys.version.split()[0])
shows("getaddresses", email.utils.getaddresses(fields), [("", "")])
shows("getaddresses, strict=False", [a for _, a in email.utils.getaddresses(fields, strict=False)],
      ["one@example.org", "j@example.org", "two@example.org"])
shows("send_message to", sent(email.message_from_string(text)), [""])
shows("send_message, policy.default, to", sent(email.message_from_string(text, policy=email.policy.default)),
      ["one@example.org", "j@example.org", "two@example.org"])
shows("a domain literal", email.utils.getaddresses(["a@[192.0.2.1]"]), [("", "")])
sys.exit(1 if changed else 0)
E
PYTHONHOME=$work/root/usr "$work/root/usr/bin/python3.11" -I try.py || { echo "CHANGED"; exit 1; }
