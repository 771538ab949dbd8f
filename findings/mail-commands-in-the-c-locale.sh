#!/bin/bash
# A text of UTF-8 sent by the mail commands of Debian 12 in the C locale, which cron, anacron and systemd services have unless
# somebody sets LANG: four programs, four outcomes.
#
#  s-nail     sends nothing, writes ~/dead.letter and ends with 4: the report of a job is lost
#  bsd-mailx  labels the body charset="ANSI_X3.4-1968", which is ASCII, with "8bit", and leaves the Subject raw
#  mutt       labels body and Subject "unknown-8bit" (RFC 1428), which says that nobody knows
#  mailutils  gives neither MIME-Version nor a charset: by RFC 2045 5.2 that is ASCII
#
# In C.UTF-8 the first three name a charset that is true, and mailutils names none then either.
# Needs root on Debian 12 (lib/programs.sh).
set -euo pipefail
packages="mailutils=1:3.15-4 libmailutils9=1:3.15-4 mailutils-common=1:3.15-4 bsd-mailx=8.1.2-0.20220412cvs-1 s-nail=14.9.24-2 mutt=2.2.12-0.1~deb12u2 libbsd0 liblockfile1 libgsasl18 libgssglue1 libntlm0 libunistring2 libmariadb3 libpq5 libldap-2.5-0 libsasl2-2 libreadline8 libncurses6 libfribidi0 libidn12 libltdl7 libgpgme11 libassuan0 libtokyocabinet9"
. "$(dirname "$0")/lib/programs.sh"

changed=
export DEAD=$work/home/dead.letter # s-nail asks the passwd file for the home else
sends() { # locale, wanted exit code, regular expression for what sendmail gets, command...
	rm -f "$work/calls/input" dead.letter
	status=0
	printf 'Gr\303\274\303\237e\n' | LC_ALL=$1 "${@:4}" -s $'Gr\303\266\303\237e' you@example.org >out 2>&1 || status=$?
	got=$(grep -aiE '^(Subject|Content-Type|MIME-Version):' "$work/calls/input" 2>/dev/null | tr '\n' '|' || true)
	echo "$4, LC_ALL=$1: ended with $status; $got$([ ! -s dead.letter ] || echo "dead.letter is written")"
	[ "$status" = "$2" ] && grep -qaE "$3" <<<"$got" || changed=1
}
raw=$'Subject: Gr\303\266\303\237e'
sends C 4 '^$' s-nail
sends C 0 "$raw.*ANSI_X3.4-1968" bsd-mailx
sends C 0 'Subject: =.unknown-8bit.*charset=unknown-8bit' mutt
sends C 0 "^$raw[|]$" mail.mailutils
sends C.UTF-8 0 'utf-8' s-nail
sends C.UTF-8 0 'UTF-8' bsd-mailx
sends C.UTF-8 0 'charset=(utf-8|iso-8859-1)' mutt
sends C.UTF-8 0 "^$raw[|]$" mail.mailutils
[ -z "$changed" ] || { echo "CHANGED"; exit 1; }
