#!/bin/bash
# ssmtp ends with 0 and sends nothing when a recipient stands beside -t ("not supported", it prints), and when a call
# has -V, which Sendmail and Postfix take with an envelope id (RFC 3461 4.4) and ssmtp for the question of its version.
# A caller that looks at the exit code believes that the message has left. msmtp, asked for the same, sends the one and
# refuses the other with 64.
# Needs root on Debian 12 (lib/programs.sh), and python3.
set -euo pipefail
packages="ssmtp=2.64-11 msmtp=1.8.23-1 libgsasl18 libsecret-1-0"
. "$(dirname "$0")/lib/programs.sh"
. "$(dirname "$0")/lib/mailers.sh"

for name in ssmtp msmtp; do
	for args in "-t extra@example.org" "-V envelope1 bob@example.org"; do
		# shellcheck disable=SC2086 # words are meant
		printf '%s\n' 'From: alice@host.example' 'To: bob@example.org' '' text | mailer $name $args >one
		echo "$name $args: $(grep -E '^RCPT|nothing|^exit' one | xargs)"
	done
done | tee out
[ "$(cat out)" = 'ssmtp -t extra@example.org: nothing was sent exit code 0
ssmtp -V envelope1 bob@example.org: nothing was sent exit code 0
msmtp -t extra@example.org: RCPT TO:<extra@example.org> RCPT TO:<bob@example.org> exit code 0
msmtp -V envelope1 bob@example.org: nothing was sent exit code 64' ] || { echo "CHANGED"; exit 1; }
