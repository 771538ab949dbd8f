# name: Mercurial `hg email`
# package: mercurial
# as: alice
# to: you@example.org cc@example.org
cat >.hgrc <<'E'
[ui]
username = Alice <alice@web1.example>
[extensions]
patchbomb =
[email]
method = /usr/sbin/sendmail
from = Alice <alice@web1.example>
to = you@example.org
cc = cc@example.org
E
hg init r; cd r
printf 'Grüße\n.\n..\nFrom here\n' >file
hg add -q file; hg commit -m "add a file"
hg email -q --rev tip --confirm no 2>/dev/null || hg email -q --rev tip
