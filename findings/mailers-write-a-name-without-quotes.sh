#!/bin/bash
# sendmail -F gives the sender's full name, which becomes a display name of From: a name with a comma or a dot has to be
# quoted there (RFC 5322 3.2.4, 3.4). msmtp and nullmailer write it as it is, so "Smith, John" makes two senders of one,
# the first without a domain; ssmtp quotes it, but leaves quotation marks in it bare. dma and esmtp leave the name out.
# Needs root on Debian 12 (lib/programs.sh), and python3.
set -euo pipefail
packages="msmtp=1.8.23-1 libgsasl18 libsecret-1-0 ssmtp=2.64-11 dma=0.13-1+b1 nullmailer=1:2.2-4 esmtp=1.2-18+b1 libesmtp6"
. "$(dirname "$0")/lib/programs.sh"
. "$(dirname "$0")/lib/nullmailer.sh"
. "$(dirname "$0")/lib/mailers.sh"

message='To: bob@example.org

text'
for full in 'Smith, John' 'John "JJ" Smith'; do
	for name in msmtp ssmtp dma esmtp; do
		mailer $name -F "$full" -t <<<"$message" | sed -n "s/^| From/$name: From/p"
	done
	queued -F "$full" -t <<<"$message" | sed -n 's/^From/nullmailer: From/p'
done | sed "s/root@$(uname -n)/root@HOST/" | tee out
[ "$(cat out)" = 'msmtp: From: Smith, John <root@host.example>
ssmtp: From: "Smith, John" <root@host.example>
dma: From: <root@host.example>
esmtp: From: root@HOST
nullmailer: From: Smith, John <root@host.example>
msmtp: From: John "JJ" Smith <root@host.example>
ssmtp: From: "John "JJ" Smith" <root@host.example>
dma: From: <root@host.example>
esmtp: From: root@HOST
nullmailer: From: John "JJ" Smith <root@host.example>' ] || { echo "CHANGED"; exit 1; }
