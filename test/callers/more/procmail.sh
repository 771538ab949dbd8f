# name: procmail, `! address`
# package: procmail
# as: alice
# to: one@example.org two@example.org
printf ':0 w\n! one@example.org two@example.org\n' >.procmailrc
printf 'From ann@example.net Mon Nov 30 10:00:00 2026\nFrom: Ann <ann@example.net>\nTo: alice\nSubject: to be forwarded\nMessage-ID: <3@example.net>\nDate: Mon, 30 Nov 2026 10:00:00 +0000\n\ntext\n.\n..\n' | procmail .procmailrc
