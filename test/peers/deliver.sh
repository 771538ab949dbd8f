#!/bin/bash
# Runs sendmail with the arguments and input given and, if it ends with 0, leaves what arrived: $PEER_OUT.mail,
# $PEER_OUT.from and $PEER_OUT.rcpt, with LF lines. Ends as sendmail ended. PEER_PROGRAM, PEER_CONFIG and PEER_MAIL
# (the emulator's directory) are the caller's.
count() { find "$PEER_MAIL" -name '*.json' | wc -l; }
before=$(count)
rm -f "$PEER_OUT".*
"$PEER_PROGRAM" -C "$PEER_CONFIG" "$@" || exit
if [ "$(count)" != $((before + 1)) ]; then
	echo "deliver.sh: $(($(count) - before)) messages arrived" >&2
	exit 99
fi
last=$(find "$PEER_MAIL" -name '*.json' | sort | tail -n 1)
tr -d '\r' <"${last%.json}.eml" >"$PEER_OUT.mail"
if sed '/^$/q' "$PEER_OUT.mail" | grep -qiE '^(resent-)?bcc:'; then
	echo "deliver.sh: a Bcc field arrived" >&2
	exit 98
fi
python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
open(sys.argv[2] + ".from", "w").write(d["from"] + "\n")
open(sys.argv[2] + ".rcpt", "w").write("".join(r + "\n" for r in d["to"]))' "$last" "$PEER_OUT"
