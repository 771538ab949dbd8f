#!/bin/bash
# Shows the program at work: starts a Microsoft 365 in a box on this machine, writes a
# configuration for it, sends mail as several callers do, and prints what arrived.
# It needs no root, changes nothing outside a temporary directory, and sends nothing to the network.
set -euo pipefail
exec 2>&1 # one order for both
cd "$(dirname "$0")/.."
bin=$PWD/bin
work=$(mktemp -d)
emulator=
finish() {
	code=$?
	[ -z "$emulator" ] || { kill "$emulator" 2>/dev/null && wait "$emulator"; } || true
	[ "$code" = 0 ] || { echo "demo: FAIL (exit $code)"; [ ! -s "$work/log" ] || cat "$work/log"; }
	rm -rf "$work"
	exit "$code"
}
trap finish EXIT

title() { printf '\n\033[1m== %s\033[0m\n' "$*" | if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi; }
# run prints a command as a person would type it, and runs it.
run() {
	printf '$'
	for word; do
		case $word in
		"$bin"/*) word=${word##*/} ;;
		*[!A-Za-z0-9_@%+=:,./-]*) word="'$word'" ;;
		esac
		printf ' %s' "$word"
	done
	echo
	"$@"
}

title "Microsoft 365 in a box"
"$bin/m365-emulator" -name 127.0.0.1 -dir "$work/mail" -config-out "$work/o365-sendmail.toml" >"$work/ready" 2>"$work/log" &
emulator=$!
for _ in $(seq 100); do
	[ -s "$work/ready" ] && break
	kill -0 "$emulator" 2>/dev/null || exit 1
	sleep 0.1
done
[ -s "$work/ready" ] || { echo "the emulator has not started in 10 s"; exit 1; }
echo "running; the configuration that it wrote for the program:"
echo
sed -E 's/^(client_secret *=).*/\1 "..."/; s/^/    /' "$work/o365-sendmail.toml"
export O365_SENDMAIL_CONFIG=$work/o365-sendmail.toml
PATH=$bin:$PATH

title "sendmail -v -t -i: the dialogue, credentials replaced"
run sendmail -v -t -i someone@example.org <<'MAIL'
From: Web Shop <shop@web1.example>
To: Customer <customer@example.org>
Bcc: archive@example.org
Subject: Your order

Thank you for your order.
.
A line with a single dot does not end the message with -i.
MAIL

title "the same as PHP, mailx, cron and git do it"
if command -v php >/dev/null; then
	run php -d sendmail_path="$bin/sendmail -t -i" -r 'exit(mail("customer@example.org", "From PHP", "Hello from mail()", ["From" => "wordpress@web1.example"]) ? 0 : 1);'
else
	echo "(PHP is not installed)"
fi
if command -v bsd-mailx >/dev/null; then
	echo "set sendmail=$bin/sendmail" >"$work/mailrc"
	echo "The disk is nearly full." | MAILRC=$work/mailrc run bsd-mailx -s "From mailx" admin@example.org
elif command -v s-nail >/dev/null; then
	echo "The disk is nearly full." | run s-nail -:/ -S mta="$bin/sendmail" -s "From mailx" admin@example.org
else
	echo "(mailx is not installed)"
fi
# What Debian's cron sends, to the bare local name of the job's user.
run sendmail -FCronDaemon -i -B8BITMIME -oem root <<MAIL
From: root (Cron Daemon)
To: root
Subject: Cron <root@web1> /usr/local/bin/backup
MIME-Version: 1.0
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: 8bit

Sicherung fertig: 12 345 Dateien, ältester Stand gelöscht
MAIL
if command -v git >/dev/null && [ -x "$(git --exec-path)/git-send-email" ]; then
	printf 'From: Zoe <zoe@web1.example>\nSubject: [PATCH] mend it\n\nBecause it was broken.\n' >"$work/0001.patch"
	run git -c user.name=Zoe -c user.email=zoe@web1.example send-email --quiet --confirm=never --suppress-cc=all --from=zoe@web1.example \
		--to=list@example.org --sendmail-cmd="$bin/sendmail" "$work/0001.patch" || echo "(git send-email lacks a Perl module)"
else
	echo "(git send-email is not installed)"
fi

title "what goes wrong: one line and an exit code"
set +e
echo hello | run sendmail -i reject-me@example.org
echo "exit code $?"
O365_SENDMAIL_CONFIG=$work/missing.toml run sendmail -i someone@example.org </dev/null
echo "exit code $?"
set -e

title "what arrived"
for message in "$work"/mail/*.eml; do
	json=${message%.eml}.json
	echo "--- $(basename "$message"): from $(sed -n 's/^  "from": "\(.*\)",$/\1/p' "$json") to $(sed -n '/^  "to": \[/,/\]/s/^    "\(.*\)".*/\1/p' "$json" | paste -sd, | sed 's/,/, /g')"
	tr -d '\r' <"$message" | sed 's/^/    /'
done

title "done"
kill "$emulator"
wait "$emulator" || true
emulator=
cat "$work/log"
