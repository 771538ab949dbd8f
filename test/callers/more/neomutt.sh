# name: NeoMutt
# package: neomutt
# as: alice
# to: you@example.org cc@example.org hidden@example.org
printf 'Grüße\n.\n..\nFrom here\n' | neomutt -e 'set from=alice@web1.example' -s "Überlauf" -c cc@example.org -b hidden@example.org -- you@example.org
