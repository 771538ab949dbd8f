#!/bin/bash
# Counts the packages of this project that take part in one submission by way of the agent, by coverage: every
# package of which the quick program runs a statement, and every one of which the agent runs a statement that it does
# not run when it only starts and stops. Mail goes to the emulator. Usage: test/rooms.sh [SOURCE-TREE]
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"
work=$(mktemp -d)
pids=()
finish() {
	code=$?
	[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
	[ "$code" = 0 ] || cat "$work"/*.log >&2
	rm -rf "$work"
	exit "$code"
}
trap finish EXIT

# wait_for FILE: at most 20 s.
wait_for() {
	for _ in $(seq 200); do
		[ ! -e "$1" ] || return 0
		sleep 0.1
	done
	echo "$1 did not appear" >&2
	return 1
}

go build -o "$work/emulator" ./cmd/m365-emulator
go build -cover -covermode=set -coverpkg=./... -o "$work/o365-sendmail" ./cmd/sendmail
go build -cover -covermode=set -coverpkg=./... -o "$work/sendmail" \
	-ldflags "-X main.program=$work/o365-sendmail -X main.socket=$work/run/s" ./cmd/front

"$work/emulator" -dir "$work/mail" -config-out "$work/account.toml" >"$work/emulator.log" 2>&1 &
pids+=($!)
wait_for "$work/account.toml"

# agent NAME [SENDS]: one life of an agent; its counters lie in NAME then.
agent() {
	rm -rf "$work/run" "$work/spool" "$work/cache"
	mkdir -p "$work/$1" "$work/call" "$work/run"
	{
		printf 'agent.socket = "%s"\nspool.dir = "%s"\ncache.dir = "%s"\nlog.to = "stderr"\n' \
			"$work/run/s" "$work/spool" "$work/cache"
		grep -v '^#' "$work/account.toml" | sed '/^\[\(spool\|cache\|log\|agent\)\]/,/^$/d'
	} >"$work/agent.toml"
	chmod 600 "$work/agent.toml"
	GOCOVERDIR=$work/$1 "$work/o365-sendmail" serve -C "$work/agent.toml" >"$work/agent-$1.log" 2>&1 &
	local pid=$!
	pids+=("$pid")
	wait_for "$work/run/s"
	sleep 1
	if [ "${2:-}" = sends ]; then
		printf 'To: someone@example.org\nSubject: one\n\none\n' |
			GOCOVERDIR=$work/call "$work/sendmail" -i someone@example.org
	fi
	sleep 1
	kill -TERM "$pid"
	wait "$pid"
}
agent idle
agent busy sends
[ -n "$(find "$work/mail" -name '*.eml' -print -quit)" ] || { echo "no message arrived" >&2; exit 1; }

# blocks DIR: each block that ran, with its package.
blocks() {
	go tool covdata textfmt -i="$1" -o="$work/$(basename "$1").txt"
	awk 'NR > 1 && $NF > 0 { print $1 }' "$work/$(basename "$1").txt" | sort -u
}
packages() { sed -E 's,^o365-sendmail/,,; s,/[^/]*$,,' | sort -u; }
blocks "$work/call" | packages >"$work/front"
comm -13 <(blocks "$work/idle") <(blocks "$work/busy") | packages >"$work/agent"
sort -u "$work/front" "$work/agent" >"$work/all"
echo "quick program ($(wc -l <"$work/front")): $(paste -sd' ' "$work/front")"
echo "agent ($(wc -l <"$work/agent")): $(paste -sd' ' "$work/agent")"
echo "packages in one submission by way of the agent: $(wc -l <"$work/all")"
