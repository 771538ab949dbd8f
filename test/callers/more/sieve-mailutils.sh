# name: mailutils `sieve`, redirect
# package: mailutils
# as: alice
# to: one@example.org
printf 'require ["redirect"];\nredirect "one@example.org";\n' >r.sieve
printf 'From ann@example.net Mon Nov 30 10:00:00 2026\nFrom: Ann <ann@example.net>\nTo: alice\nSubject: to be forwarded\nMessage-ID: <4@example.net>\nDate: Mon, 30 Nov 2026 10:00:00 +0000\n\ntext\n.\n..\n\n' >mbox
sieve --mbox-url=mbox:$HOME/mbox r.sieve
