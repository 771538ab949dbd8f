# name: mailbot
# package: maildrop
# as: alice
# differs: auto-submitted
# note: it names a null sender (`-f ''`), so Auto-Submitted: auto-generated is added
# to: ann@example.net
echo 'I am away, Grüße' >text
printf 'From: Ann <ann@example.net>\nTo: alice@web1.example\nSubject: question\nMessage-ID: <6@example.net>\nDate: Mon, 30 Nov 2026 10:00:00 +0000\n\ntext\n' | mailbot -t text -A 'From: alice@web1.example' /usr/sbin/sendmail -t -f ''
