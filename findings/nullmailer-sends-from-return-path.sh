#!/bin/bash
# nullmailer takes the envelope sender from a Return-Path field in the message, if -f is not given. A message that was
# delivered once has one (RFC 5321 4.4), so what is forwarded by a script or sent once more from a mail folder leaves
# from the first sender, whose domain the host has no right to (SPF, DMARC), and reports about it go to that sender.
# msmtp, ssmtp and dma send from the caller's address.
# Needs root on Debian 12 (lib/programs.sh), and python3.
set -euo pipefail
packages="nullmailer=1:2.2-4 msmtp=1.8.23-1 libgsasl18 libsecret-1-0 dma=0.13-1+b1"
. "$(dirname "$0")/lib/programs.sh"
. "$(dirname "$0")/lib/nullmailer.sh"
. "$(dirname "$0")/lib/mailers.sh"

message='Return-Path: <erin@other.example>
From: Erin <erin@other.example>
To: bob@example.org

text'
for name in msmtp dma; do
	echo "$name: $(mailer $name -t <<<"$message" | grep '^MAIL')"
done | tee out
echo "nullmailer: $(queued -t <<<"$message" | head -n 1)" | tee -a out
[ "$(cat out)" = 'msmtp: MAIL FROM:<root@host.example>
dma: MAIL FROM:<root@host.example>
nullmailer: erin@other.example' ] || { echo "CHANGED"; exit 1; }
