# name: rmail
# package: rmail
# to: you@example.org two@example.org
printf 'From ann Mon Nov 30 10:00:00 2026 remote from host1\nFrom: ann@far.example\nTo: you@example.org\nSubject: by UUCP\nMessage-ID: <2@example.net>\nDate: Mon, 30 Nov 2026 10:00:00 +0000\n\ntext\n..\n' | rmail you@example.org two@example.org
