# name: maildrop, `to "!..."`
# package: maildrop
# as: alice
# differs: auto-submitted
# note: it names a null sender (`-f ''`), so Auto-Submitted: auto-generated is added
# to: one@example.org two@example.org
echo 'to "!one@example.org two@example.org"' >.mailfilter
chmod 600 .mailfilter
printf 'From: Ann <ann@example.net>\nTo: alice\nSubject: to be forwarded\nMessage-ID: <1@example.net>\nDate: Mon, 30 Nov 2026 10:00:00 +0000\n\ntext\n.\n..\n' | maildrop
