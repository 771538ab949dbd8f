#!/bin/bash
# Plays packaging/ansible on this very system, which peer.sh has mounted: a check, which must change nothing, a run, a
# check and a run that must find nothing to do, and a check of a change. nullmailer, with a message in its queue, is what
# the package takes the place of.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1 ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_RETRY_FILES_ENABLED=false
export ANSIBLE_LOCAL_TEMP=/tmp/ansible ANSIBLE_REMOTE_TEMP=/tmp/ansible
fail() { echo "ansible.sh: FAIL: $*"; exit 1; }

# A package with the program and what the real one's scripts make.
mkdir -p /tmp/deb/DEBIAN /tmp/deb/usr/sbin
cp /standin/o365-sendmail /tmp/deb/usr/sbin/
printf '%s\n' 'Package: o365-sendmail' 'Version: 1' 'Architecture: all' 'Provides: mail-transport-agent' \
	'Conflicts: mail-transport-agent' 'Replaces: mail-transport-agent' 'Maintainer: Test <test@example.org>' \
	'Description: test' >/tmp/deb/DEBIAN/control
cat >/tmp/deb/DEBIAN/postinst <<'END'
#!/bin/sh
set -e
id -u o365-sendmail >/dev/null 2>&1 || useradd -r o365-sendmail
install -d -o o365-sendmail -m 700 /var/spool/o365-sendmail /var/lib/o365-sendmail
END
chmod 755 /tmp/deb/DEBIAN/postinst
dpkg-deb --build /tmp/deb /tmp/o365-sendmail.deb >/dev/null

echo web1.contoso.test >/etc/mailname
printf 'Subject: x\nTo: bob@example.org\n\nx\n' | sendmail -i -f noreply@contoso.test bob@example.org

# The doctor asks for a token each time, which the cache keeps.
state() {
	find / -xdev \( -path /proc -o -path /standin -o -path /tmp -o -path /root -o -path /var/cache -o -path /var/log \
		-o -path /var/lib/apt -o -path /dev -o -path /run -o -path /var/lib/o365-sendmail/cache \) -prune -o -type d -printf '%p %m %u %g\n' -o -printf '%p %s %m %u %g %T@\n' | sort
}
# play WHAT WANTS ARGS...: WANTS is what the last line of it has to match.
play() {
	local what=$1 wants=$2
	shift 2
	ansible-playbook -i localhost, -c local -e @/standin/vars.json "$@" /standin/ansible/o365-sendmail.yml \
		>/tmp/play.log 2>&1 || { cat /tmp/play.log; fail "$what"; }
	if grep -q "$(cat /standin/secret)" /tmp/play.log; then fail "$what: the secret shows"; fi
	grep -Eq "$wants" /tmp/play.log || { cat /tmp/play.log; fail "$what: $wants is not so"; }
	echo "$what: $(grep -E '^localhost ' /tmp/play.log)"
}
state >/tmp/before
play 'check before' 'changed=[34] .*failed=0' --check --diff
state >/tmp/after
cmp -s /tmp/before /tmp/after || { diff /tmp/before /tmp/after | head; fail 'a check has changed files'; }
play 'first run' 'changed=[45] .*failed=0'
o365-sendmail config check
[ "$(stat -c '%a %U %G' /etc/o365-sendmail.toml /etc/o365-sendmail.secret | sort -u)" = '640 root o365-sendmail' ] || fail 'modes'
[ "$(o365-sendmail queue list --json | grep -c bob@example.org)" = 1 ] || fail 'the message of nullmailer is not here'
state >/tmp/before
play 'check after' 'changed=0 .*failed=0' --check --diff
play 'second run' 'changed=0 .*failed=0'
play 'check of a change' 'changed=1 .*failed=0' --check --diff -e o365_root_to=other@contoso.test
grep -q '^+root_to = "other@contoso.test"' /tmp/play.log || fail 'the difference is not shown'
state >/tmp/after
diff /tmp/before /tmp/after || fail 'a run with nothing to do has changed files'
