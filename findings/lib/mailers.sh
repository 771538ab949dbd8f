# Sourced behind programs.sh by the findings that send with small mailers of Debian 12: msmtp, ssmtp, esmtp and dma. A
# small SMTP server on loopback takes what they send, and has the dialogue in the file heard: MAIL and RCPT as they came,
# lines of a message behind "| ".
cat >smtp.py <<'E'
import os, socket, threading
s = socket.create_server(("127.0.0.1", 0))
with open("port.new", "w") as f:
    f.write(str(s.getsockname()[1]))
os.rename("port.new", "port")
def serve(c):
    f = c.makefile("rwb")
    heard = []
    def say(text):
        f.write(text.encode() + b"\r\n")
        f.flush()
    say("220 test")
    for line in f:
        word = line[:4].upper().rstrip()
        if word in (b"MAIL", b"RCPT"):
            heard.append(line.decode().strip())
        if word == b"DATA":
            say("354 go on")
            for line in f:
                if line == b".\r\n":
                    break
                heard.append("| " + repr(line.removesuffix(b"\r\n"))[2:-1])
            with open("heard", "a") as out:
                out.write("\n".join(heard) + "\n")
        say({b"DATA": "250 ok", b"QUIT": "221 bye"}.get(word, "250 ok"))
        if word == b"QUIT":
            break
    c.close()
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
E
python3 smtp.py &
server=$!
trap 'kill $server' EXIT
for _ in $(seq 100); do [ -s port ] || sleep 0.1; done
port=$(cat port)
mkdir -p spool /etc/ssmtp /etc/dma
chgrp mail spool . "$work" # dma gives up root's rights
chmod 2770 spool
printf '%s\n' "mailhub=127.0.0.1:$port" hostname=host.example FromLineOverride=YES >/etc/ssmtp/ssmtp.conf
printf '%s\n' 'SMARTHOST 127.0.0.1' "PORT $port" "SPOOLDIR $HOME/spool" 'MAILNAME host.example' >/etc/dma/dma.conf
echo "hostname = 127.0.0.1:$port" >.esmtprc
echo host.example >/etc/mailname

# mailer NAME ARGUMENT ... sends standard input by this mailer, and prints the dialogue, what was printed, the exit code.
mailer() {
	local name=$1 status=0
	shift
	rm -f heard
	case $name in
	msmtp) set -- msmtp --host=127.0.0.1 --port="$port" --auth=off --tls=off --from=root@host.example "$@" ;;
	dma) set -- dma -D "$@" ;;
	esmtp) set -- esmtp -C "$HOME/.esmtprc" "$@" ;;
	*) set -- "$name" "$@" ;;
	esac
	timeout 30 "$@" >said 2>&1 || status=$?
	for _ in $(seq 100); do [ -n "$(ls spool)" ] || break; sleep 0.1; done # dma sends to each on its own
	cat heard 2>/dev/null || echo 'nothing was sent'
	sed 's/^/said: /' said
	echo "exit code $status"
}
