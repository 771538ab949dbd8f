#!/bin/bash
# dma takes the null sender (-f '', RFC 5321 4.5.5) for a name without a domain and sends MAIL FROM:<@host>, which is no
# address. A report that a program hands to dma so is refused by the next server, or is answered by another report.
# Needs root on Debian 12 (lib/programs.sh), and python3.
set -euo pipefail
packages="dma=0.13-1+b1"
. "$(dirname "$0")/lib/programs.sh"

cat >server.py <<'E'
import socket
s = socket.create_server(("127.0.0.1", 0))
open("port", "w").write(str(s.getsockname()[1]))
c, _ = s.accept()
f = c.makefile("rw", newline="\r\n")
def say(text):
    f.write(text + "\r\n")
    f.flush()
say("220 test")
for line in f:
    word = line[:4].upper()
    if word == "MAIL":
        print(line.strip(), flush=True)
    say({"DATA": "354 go on", "QUIT": "221 bye"}.get(word, "250 ok"))
    if word == "DATA":
        for line in f:
            if line == ".\r\n":
                break
        say("250 ok")
    if word == "QUIT":
        break
E
timeout 30 python3 server.py >heard &
for _ in $(seq 100); do [ -s port ] || sleep 0.1; done
mkdir spool
chgrp mail spool . "$work" # dma gives up root's rights
chmod 2770 spool
printf '%s\n' 'SMARTHOST 127.0.0.1' "PORT $(cat port)" "SPOOLDIR $HOME/spool" 'MAILNAME host.example' >/etc/dma/dma.conf
printf 'Subject: report\n\nx\n' | dma -D -f '' bob@example.org
wait
cat heard
[ "$(cat heard)" = 'MAIL FROM:<@host.example>' ] || { echo "CHANGED"; exit 1; }
