# name: apt-listchanges, `email_address`
# package: apt-listchanges
# to: you@example.org
mkdir -p p/DEBIAN p/usr/share/doc/hello-x
printf 'Package: hello-x\nVersion: 2.0\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: x\n' >p/DEBIAN/control
printf 'hello-x (2.0) unstable; urgency=medium\n\n  * Größer.\n\n -- T <t@example.org>  Mon, 30 Nov 2026 10:00:00 +0000\n' | gzip -9n >p/usr/share/doc/hello-x/changelog.gz
dpkg-deb -b p hello.deb >/dev/null
apt-listchanges --frontend=mail --email-address=you@example.org --which=changelogs --show-all hello.deb >/dev/null
