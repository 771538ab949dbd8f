#!/bin/bash
# Perl's MIME::Entity->send("sendmail") calls sendmail -t without -i: a line with a single dot in a text ends the message
# for sendmail, and the attachments after it are lost, while send returns true. Data of type text/plain is not encoded.
# Needs root on Debian 12 (lib/programs.sh).
set -euo pipefail
packages="libmime-tools-perl=5.510-1 libmailtools-perl=2.21-2 libtimedate-perl libconvert-binhex-perl"
. "$(dirname "$0")/lib/programs.sh"

printf 'pdf' >file.bin
perl -MMIME::Entity -e '$e = MIME::Entity->build(From => "a\@example.net", To => "you\@example.org", Subject => "s", Type => "multipart/mixed");
$e->attach(Data => "text\n.\nmore\n"); $e->attach(Path => "file.bin", Type => "application/octet-stream", Encoding => "base64");
print "send returned ", ($e->send("sendmail") ? "true" : "false"), "\n"'
echo "arguments: $(cat "$work/calls/args")"
grep -n -B1 -A1 '^\.$' "$work/calls/input" || { echo "CHANGED: the dot is encoded"; exit 1; }
[ "$(cat "$work/calls/args")" = '[-t]' ] || { echo "CHANGED"; exit 1; }
