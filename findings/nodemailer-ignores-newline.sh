#!/bin/bash
# nodemailer 6.8.0, which is in Debian 12, gives sendmail a header with CRLF and a body with the line ends that the text has,
# mixed ones too, whatever the option "newline" of its sendmail transport says: "unix" (the default) and "windows" do the same
# ("Forces all newlines in the output", says its manual). A mailer that takes LF for the line end has a CR at each end of the
# header, and finds the empty line after the header only if it looks for "\r\n", too.
# Needs node; fetches the pinned package by npm into a temporary folder. Ends with 1 when that changes, 2 when it can't run.
set -euo pipefail
command -v node >/dev/null && command -v npm >/dev/null || { echo "it needs node and npm"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo '{"private": true}' >package.json
npm install --ignore-scripts --no-audit --no-fund nodemailer@6.8.0 >log 2>&1 || { cat log; exit 2; }
printf '#!/bin/sh\ncat >"%s/sent"\n' "$work" >sendmail
chmod 755 sendmail
cat >try.js <<'E'
const transport = require("nodemailer").createTransport({ sendmail: true, path: process.argv[2], newline: process.argv[3] });
transport.sendMail({ from: "a@example.org", to: "you@example.org", subject: "x", text: "one\ntwo\r\nthree\n" })
    .catch((err) => { console.log(err.message); process.exit(2); });
E
echo "nodemailer $(node -p 'require("nodemailer/package.json").version')"
changed=
for newline in unix windows; do
	node try.js "$work/sendmail" "$newline"
	header=$(sed '/^\r*$/q' sent) body=$(sed '1,/^\r*$/d' sent | od -An -c | tr -s ' \n' ' ')
	crlf=$(grep -c $'\r$' <<<"$header") lines=$(wc -l <<<"$header")
	echo "newline: $newline: $crlf of $lines lines of the header end with CRLF; the body is$body"
	[ "$crlf" = "$lines" ] && [ "$body" = ' o n e \n t w o \r \n t h r e e \n ' ] || changed=1
done
[ -z "$changed" ] || { echo "CHANGED"; exit 1; }
