# name: vacation
# package: vacation
# as: alice
# to: ann@example.net
printf 'From: alice\nSubject: away\n\nI am away, about $SUBJECT.\n' >.vacation.msg
vacation -i </dev/null
printf 'From ann@example.net Mon Nov 30 10:00:00 2026\nFrom: Ann <ann@example.net>\nTo: alice\nSubject: question\n\ntext\n' | vacation alice
/standin/called 1
