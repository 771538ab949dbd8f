#!/bin/bash
# A mailer's package conflicts with, replaces and provides mail-transport-agent (Debian policy 11.6), so that apt-get
# puts it in another's place. python3-apt, which Ansible's module apt asks when it gets a file (deb=), refuses the same
# file: it finds who provides the name in Conflicts, and does not look for that name in Replaces.
# Needs root on Debian 12 (lib/programs.sh). Nothing is installed: apt only simulates, over a state of its own.
set -euo pipefail
packages="python3-apt=2.6.0 python-apt-common=2.6.0"
. "$(dirname "$0")/lib/programs.sh"

mkdir -p new/DEBIAN
fields='Maintainer: Test <test@example.org>
Provides: mail-transport-agent
Conflicts: mail-transport-agent
Replaces: mail-transport-agent
Description: a mailer'
printf 'Package: new-mailer\nVersion: 1\nArchitecture: all\n%s\n' "$fields" >new/DEBIAN/control
dpkg-deb --build new new.deb >/dev/null
printf 'Package: old-mailer\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n%s\n\n' "$fields" >status
mkdir -p lists/partial
printf 'Dir::State::status "%s/status";\nDir::State::Lists "%s/lists";\nDir::Cache "%s";\nDir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "/dev/null";\n' \
	"$HOME" "$HOME" "$HOME" >apt.conf
export APT_CONFIG=$HOME/apt.conf
apt-get -s install ./new.deb | grep -E '^(Inst|Remv)' | tee apt
/usr/bin/python3 - <<'E' | tee python
import apt, apt.debfile
d = apt.debfile.DebPackage("new.deb", apt.Cache())
print("python3-apt:", d.check(), d._failure_string)
E
if ! grep -q "^Remv old-mailer" apt || ! grep -q "^Inst new-mailer" apt; then echo CHANGED; exit 1; fi
[ "$(cat python)" = "python3-apt: False Conflicts with the installed package 'old-mailer'" ] || { echo "CHANGED"; exit 1; }
