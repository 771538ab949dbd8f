#!/bin/bash
# Recipients in forms that RFC 5322 has had since 1982, given to sendmail -t: a group, a comment with a comma in it, a
# quoted local part with a blank. ssmtp and esmtp take the group's name for a part of the first address, ssmtp loses its
# last one and gives pieces of the comment to the server, msmtp makes a quoted local part an empty one. dma reads all
# three. Each ends with 0.
# Needs root on Debian 12 (lib/programs.sh), and python3.
set -euo pipefail
packages="msmtp=1.8.23-1 libgsasl18 libsecret-1-0 ssmtp=2.64-11 esmtp=1.2-18+b1 libesmtp6 dma=0.13-1+b1"
. "$(dirname "$0")/lib/programs.sh"
. "$(dirname "$0")/lib/mailers.sh"

for to in 'Sales: bob@example.org, carol@example.org;' 'bob@example.org (Bob (the, great))' '"b ob"@example.org'; do
	for name in msmtp ssmtp esmtp dma; do
		printf '%s\n' 'From: alice@host.example' "To: $to" '' text | mailer $name -t >one
		echo "$name, $to ->$(sed -n 's/^RCPT TO:/ /p' one | sort | tr -d '\n') $(sed -n 's/^exit/exit/p' one)"
	done
done | tee out
[ "$(cat out)" = 'msmtp, Sales: bob@example.org, carol@example.org; -> <bob@example.org> <carol@example.org> exit code 0
ssmtp, Sales: bob@example.org, carol@example.org; -> <Sales: bob@example.org> exit code 0
esmtp, Sales: bob@example.org, carol@example.org; -> <Sales:bob@example.org> <carol@example.org;> exit code 0
dma, Sales: bob@example.org, carol@example.org; -> <bob@example.org> <carol@example.org> exit code 0
msmtp, bob@example.org (Bob (the, great)) -> <bob@example.org> exit code 0
ssmtp, bob@example.org (Bob (the, great)) -> <bob@example.org (Bob (the> <great))@host.example> exit code 0
esmtp, bob@example.org (Bob (the, great)) -> <bob@example.org> exit code 0
dma, bob@example.org (Bob (the, great)) -> <bob@example.org> exit code 0
msmtp, "b ob"@example.org -> <@example.org> exit code 0
ssmtp, "b ob"@example.org -> <"b ob"@example.org> exit code 0
esmtp, "b ob"@example.org -> <"b ob"@example.org> exit code 0
dma, "b ob"@example.org -> <"b ob"@example.org> exit code 0' ] || { echo "CHANGED"; exit 1; }
