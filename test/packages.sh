#!/bin/sh
# Installs the Debian packages that the system tests use as real peers: a real
# Postfix and Dovecot as the server, and real callers of /usr/sbin/sendmail.
# It starts no service and asks no question. Run as root on Debian 12 or later.
set -eu

packages="postfix dovecot-core php-cli php-fpm libfcgi-bin libphp-phpmailer php-symfony-mailer
bsd-mailx s-nail mailutils mutt cron anacron at git git-email libmailtools-perl
libmime-lite-perl libemail-sender-perl ruby-mail nodejs node-nodemailer python3
mdadm smartmontools unattended-upgrades apticron fail2ban logwatch
curl openssl gcc libc6-dev strace man-db procps util-linux libc-bin make ca-certificates"
# Debian's npm brings hundreds of packages; one that is there already will do.
command -v npm >/dev/null || packages="$packages npm"

missing=""
for package in $packages; do
	if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
		missing="$missing $package"
	fi
done

if [ -n "$missing" ]; then
	if [ "$(id -u)" != 0 ]; then
		echo "packages.sh: these packages are missing and only root can install them:$missing" >&2
		exit 1
	fi
	export DEBIAN_FRONTEND=noninteractive

	# invoke-rc.d asks this file whether a service may start: 101 means no.
	policy=/usr/sbin/policy-rc.d
	kept=""
	if [ -e "$policy" ]; then
		kept="$policy.kept.$$"
		mv "$policy" "$kept"
	fi
	restore() {
		rm -f "$policy"
		if [ -n "$kept" ]; then mv "$kept" "$policy"; fi
	}
	trap restore EXIT
	trap 'exit 1' HUP INT TERM
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"

	# The package's own main.cf is not used: each test writes its own instance.
	echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections

	try=1
	until apt-get update -q; do
		if [ "$try" -ge 4 ]; then
			echo "packages.sh: apt-get update failed $try times" >&2
			exit 1
		fi
		sleep $((try * 5))
		try=$((try + 1))
	done
	# shellcheck disable=SC2086 # a list of words is meant
	apt-get install -q -y --no-install-recommends -o Acquire::Retries=3 \
		-o Dpkg::Options::=--force-confold $missing
fi

echo "packages in use:"
for package in $packages php8.2-cli php8.2-fpm; do
	dpkg-query -W -f '  ${Package} ${Version}\n' "$package" 2>/dev/null || true
done
