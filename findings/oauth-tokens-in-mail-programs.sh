#!/bin/bash
# What Debian's msmtp and mutt do with an OAuth token, shown with a small SMTP server of this script's own
# that offers "AUTH XOAUTH2 LOGIN" after STARTTLS:
#
#  1. mutt answers a refusal of XOAUTH2 (535) with "AQ==", as if it were a challenge (334), and shows the
#     reply to that in place of the reason.
#  2. msmtp with a token in passwordeval and no "auth xoauth2" sends the token as a password (AUTH LOGIN).
#  3. msmtp fails with exit code 65 at a token of 3,100 characters, and takes one of 3,000.
#
# It needs Debian 12, python3 and openssl; the pinned packages are unpacked into a temporary folder. It ends
# with 1 if any of this has changed, and with 2 if the packages can't be had.
set -euo pipefail
packages="msmtp=1.8.23-1 mutt=2.2.12-0.1~deb12u2 libgsasl18 libgssglue1 libntlm0 libsecret-1-0 libgpgme11 libassuan0 libtokyocabinet9 libidn12 libglib2.0-0"
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
cd "$work"
apt-get -q download $packages >apt.log 2>&1 || { apt-get -q update && apt-get -q download $packages; } >apt.log 2>&1 ||
	{ cat apt.log; exit 2; }
for deb in *.deb; do dpkg -x "$deb" root; done
PATH=$work/root/usr/bin:$PATH
export LD_LIBRARY_PATH=$work/root/usr/lib/$(uname -m)-linux-gnu
for deb in msmtp_*.deb mutt_*.deb; do dpkg-deb -W "$deb"; done
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost 2>/dev/null

cat >server.py <<'END'
import socketserver, ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
log = open("log", "w", buffering=1)

class Handler(socketserver.StreamRequestHandler):
    def say(self, line):
        log.write("S: " + line + "\n")
        self.wfile.write((line + "\r\n").encode())

    def hear(self):
        line = self.rfile.readline(65536).decode().rstrip("\r\n")
        log.write("C: %s (%d)\n" % (line[:60], len(line)))
        return line

    def handle(self):
        tls, data = False, False
        self.say("220 localhost ESMTP")
        while line := self.hear():
            verb = line.upper()
            if verb.startswith("EHLO"):
                self.say("250-localhost")
                self.say("250 AUTH XOAUTH2 LOGIN" if tls else "250 STARTTLS")
            elif verb == "STARTTLS":
                self.say("220 go ahead")
                self.request = context.wrap_socket(self.request, server_side=True)
                self.rfile, self.wfile, tls = self.request.makefile("rb"), self.request.makefile("wb", 0), True
            elif verb.startswith("AUTH LOGIN"):
                self.say("334 VXNlcm5hbWU6")
                self.hear()
                self.say("334 UGFzc3dvcmQ6")
                self.hear()
                self.say("535 5.7.3 Authentication unsuccessful")
            elif verb.startswith("AUTH XOAUTH2"):
                if " " not in line[5:].strip():
                    self.say("334 ")
                    self.hear()
                self.say("235 2.7.0 ok" if open("accept").read() == "yes" else "535 5.7.3 Authentication unsuccessful")
            elif verb == "DATA":
                self.say("354 go ahead")
                while self.rfile.readline(65536).strip() != b".":
                    pass
                self.say("250 2.0.0 ok")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            elif verb.startswith(("MAIL", "RCPT", "RSET", "NOOP")):
                self.say("250 ok")
            else:
                self.say("500 5.3.3 Unrecognized command '%s'" % line[:20])

class Server(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True

with Server(("127.0.0.1", 0), Handler) as s:
    open("port", "w").write(str(s.server_address[1]))
    s.serve_forever()
END
echo no >accept
python3 server.py &
server=$!
for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done
port=$(cat port)
changed=0
expect() { # WHAT COMMAND ...
	if "${@:2}"; then echo "as found: $1"; else echo "CHANGED: $1"; changed=1; fi
}
token() { head -c "$1" /dev/zero | tr '\0' a; }

# 1. mutt
printf '%s\n' "set smtp_url=\"smtp://me@localhost:$port\"" 'set smtp_authenticators="xoauth2"' \
	'set smtp_oauth_refresh_command="echo atoken"' 'set ssl_starttls=yes ssl_force_tls=yes' \
	"set certificate_file=$work/cert.pem copy=no" 'set from=me@localhost use_from=yes' >muttrc
: >log
echo hello | timeout 30 mutt -n -F muttrc -s x you@localhost >mutt.out 2>&1 && code=0 || code=$?
echo "mutt: exit $code: $(tr '\n' ' ' <mutt.out | cut -c1-160)"
expect 'mutt sends "AQ==" after 535' grep -q '^C: AQ==' log
expect 'mutt shows the reply to that' grep -q 'AQ==' mutt.out
expect 'mutt does not show the 535' bash -c '! grep -q 535 mutt.out'

# 2. and 3. msmtp
msmtprc() { # LINES
	printf '%s\n' 'account default' 'host localhost' "port $port" 'tls on' 'tls_starttls on' \
		"tls_trust_file $work/cert.pem" 'user me@localhost' 'from me@localhost' "$@" >msmtprc
	chmod 600 msmtprc
}
send() { printf 'Subject: x\n\nhello\n' | timeout 30 msmtp -C msmtprc you@localhost >msmtp.out 2>&1 && code=0 || code=$?; }
msmtprc 'auth on' 'passwordeval echo atoken'
: >log
send
echo "msmtp, auth on: exit $code: $(tail -n 1 msmtp.out)"
expect 'msmtp without "auth xoauth2" sends the token as a password' grep -q "^C: $(printf atoken | base64) (" log
printf yes >accept
for length in 3000 3100; do
	token "$length" >token
	msmtprc 'auth xoauth2' "passwordeval cat $work/token"
	send
	echo "msmtp, a token of $length characters: exit $code: $(tail -n 1 msmtp.out | cut -c1-120)"
	case $length in
	3000) expect 'msmtp takes a token of 3000 characters' test "$code" = 0 ;;
	3100) expect 'msmtp ends with 65 at a token of 3100' test "$code" = 65 ;;
	esac
done
exit "$changed"
