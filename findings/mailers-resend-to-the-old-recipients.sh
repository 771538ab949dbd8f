#!/bin/bash
# A message that is sent on has Resent-To beside the To of the first sender (RFC 5322 3.6.6), and goes to Resent-To
# only. "bounce" of mail programs relies on sendmail -t for that. msmtp does so; ssmtp, esmtp and dma send it to To
# again: those who have it already get it once more, and who should get it does not. Each ends with 0.
# Needs root on Debian 12 (lib/programs.sh), and python3.
set -euo pipefail
packages="msmtp=1.8.23-1 libgsasl18 libsecret-1-0 ssmtp=2.64-11 esmtp=1.2-18+b1 libesmtp6 dma=0.13-1+b1"
. "$(dirname "$0")/lib/programs.sh"
. "$(dirname "$0")/lib/mailers.sh"

for name in msmtp ssmtp esmtp dma; do
	printf '%s\n' 'Resent-From: carol@host.example' 'Resent-To: new@example.org' 'From: alice@host.example' \
		'To: first@example.org' 'Subject: report' '' text | mailer $name -t | sed -n 's/^RCPT TO:/to /p; s/^exit/exit/p' |
		sed "s/^/$name: /"
done | tee out
[ "$(cat out)" = 'msmtp: to <new@example.org>
msmtp: exit code 0
ssmtp: to <first@example.org>
ssmtp: exit code 0
esmtp: to <first@example.org>
esmtp: exit code 0
dma: to <first@example.org>
dma: exit code 0' ] || { echo "CHANGED"; exit 1; }
