#!/bin/bash
# nullmailer takes the first line of a text that has no header for a broken header and leaves it out: of "echo 'disk
# full' | sendmail root", as scripts write it, an empty message arrives. It prints nothing and ends with 0. With an
# empty line in front, the text is whole.
# Needs root on Debian 12 (lib/programs.sh).
set -euo pipefail
packages="nullmailer=1:2.2-4"
. "$(dirname "$0")/lib/programs.sh"
. "$(dirname "$0")/lib/nullmailer.sh"

text() { # text TEXT prints the body that is queued for it
	printf '%b' "$1" | queued bob@example.org >out
	grep -q '^exit code 0' out && ! grep -q '^said' out || { cat out >&2; echo "CHANGED" >&2; exit 1; }
	sed '1,/^$/d; /^exit code/d' out | sed '1,/^$/d' # the envelope, the header
}
echo '-- a text:'
text 'disk full\non host.example\n' | tee bare
echo '-- the same behind an empty line:'
text '\ndisk full\non host.example\n' | tee behind
[ "$(cat bare)" = 'on host.example' ] && [ "$(cat behind)" = 'disk full
on host.example' ] || { echo "CHANGED"; exit 1; }
