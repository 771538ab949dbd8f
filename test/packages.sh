#!/bin/sh
# Lists the Debian packages that are missing for what is named, and installs them as root on
# Debian with CI=true, with --yes, or after a yes at a terminal; else one line names the
# command. Usage: packages.sh [--yes] WHAT ...
#
#	go      build the programs
#	system  real peers for the system tests: Postfix and Dovecot as the server, and callers
#	        of /usr/sbin/sendmail; a C compiler for the race tests, strace for the crash tests
#	deb     build the package and test it in fresh systems
#	full    piuparts
#	corpora, peers, callers
#	        what the targets of that name fetch, unpack and judge with
#
# It ends with 3 if something is still missing, and with 1 if Go is. It starts no service,
# and apt-get removes nothing: a host's own mailer stays.
set -eu

# The oldest Go that fetches the one that go.mod names.
oldest=1.21

packages_system="postfix dovecot-core php-cli php-fpm libfcgi-bin libphp-phpmailer php-symfony-mailer
bsd-mailx s-nail mailutils mutt neomutt msmtp cron anacron at git git-email libmailtools-perl
libmime-lite-perl libemail-sender-perl ruby-mail nodejs node-nodemailer python3
mdadm smartmontools unattended-upgrades apticron fail2ban logwatch
prometheus gnutls-bin libnss3-tools curl openssl gcc libc6-dev strace man-db procps util-linux libc-bin make ca-certificates
iproute2 swaks"
packages_corpora="python3 xz-utils bzip2 ca-certificates"
packages_peers="$packages_corpora perl git git-email libmailtools-perl php-cli php-xml php-symfony-mailer phpunit"
packages_callers="python3 debootstrap dpkg util-linux mount"
packages_deb="dpkg-dev debhelper po-debconf gettext lintian debootstrap systemd-container"

yes=${CI:-}
[ "${1:-}" != --yes ] || { yes=true; shift; }

say() { echo "packages.sh: $*" >&2; }
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
suite=$(sed -n 's/^VERSION_CODENAME=//p' "${OS_RELEASE:-/etc/os-release}" 2>/dev/null || true)

# new_go names the command for a Go that is new enough on this system.
new_go() {
	case $suite in
	bullseye | bookworm)
		echo "add the suite $suite-backports beside $suite to apt's sources;" \
			"apt-get update; apt-get install --no-remove -t $suite-backports golang-go ca-certificates"
		;;
	*) echo "get it from https://go.dev/dl" ;;
	esac
}

# check_go ends the script if there is no Go that can build this.
check_go() {
	found=$(cd / && GOTOOLCHAIN=local ${GO:-go} env GOVERSION 2>/dev/null) || found=
	number=${found#go}
	major=${number%%.*} rest=${number#*.}
	minor=${rest%%[!0-9]*}
	case $found in
	"") say "Go $oldest or newer is needed and there is none: $(new_go)" ;;
	go[1-9]*) [ "$major" -eq 1 ] && [ "${minor:-0}" -lt "${oldest#1.}" ] || return 0
		say "Go $oldest or newer is needed, this is $number: $(new_go)" ;;
	*) return 0 ;; # a development version
	esac
	exit 1
}

wanted=
go=
for what; do
	case $what in
	go) go=1 wanted="$wanted ca-certificates" ;;
	system)
		wanted="$wanted $packages_system"
		# Debian's npm and Java bring many packages; one that is there already will do.
		command -v keytool >/dev/null || wanted="$wanted default-jre-headless"
		command -v npm >/dev/null || wanted="$wanted npm"
		;;
	deb) wanted="$wanted $packages_deb" ;;
	full) wanted="$wanted piuparts" ;;
	corpora) wanted="$wanted $packages_corpora" ;;
	peers) wanted="$wanted $packages_peers" ;;
	callers) wanted="$wanted $packages_callers" ;;
	*) say "$what: it takes go, system, deb, full, corpora, peers and callers"; exit 64 ;;
	esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	[ -z "$go" ] || check_go
	[ "$wanted" = " ca-certificates" ] && exit 0
	say "this system has no apt-get: the tests with Debian's packages can't run here"
	exit 3
fi
# Go as Debian packages it, if that is new enough.
if [ -n "$go" ] && ! command -v "${GO:-go}" >/dev/null; then
	case $suite in
	bullseye | bookworm) ;;
	*) wanted="$wanted golang-go" ;;
	esac
fi
missing=
for package in $wanted; do
	installed "$package" || missing="$missing $package"
done

install() {
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
	case " $missing " in
	*" postfix "*) echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections ;;
	esac
	try=1
	until apt-get update -q; do
		if [ "$try" -ge 4 ]; then
			say "apt-get update failed $try times"
			exit 1
		fi
		sleep $((try * 5))
		try=$((try + 1))
	done
	# shellcheck disable=SC2086 # a list of words is meant
	apt-get install -q -y --no-install-recommends --no-remove -o Acquire::Retries=3 \
		-o Dpkg::Options::=--force-confold $missing || {
		say "apt-get installed nothing, or not all (it may remove nothing: a host with another mailer than Postfix keeps it)"
		exit 3
	}
}

if [ -n "$missing" ]; then
	command="apt-get install --no-remove --no-install-recommends$missing"
	echo "missing packages:$missing" >&2
	if [ "$(id -u)" = 0 ] && [ "$yes" != true ] && [ -t 0 ] && [ -t 2 ]; then
		printf 'Install them with apt-get (it removes nothing, and no service is started)? [y/N] ' >&2
		read -r answer || answer=
		case $answer in
		[Yy] | [Yy][Ee][Ss]) yes=true ;;
		esac
	fi
	if [ "$(id -u)" != 0 ] || [ "$yes" != true ]; then
		say "install what is missing, as root: $command"
		case " $missing " in *" golang-go "*) exit 1 ;; esac
		[ -z "$go" ] || check_go
		exit 3
	fi
	install
fi
[ -z "$go" ] || check_go

[ -n "$missing" ] || [ "$yes" = true ] || exit 0
echo "packages in use:"
for package in $wanted php8.2-cli php8.2-fpm; do
	dpkg-query -W -f '  ${Package} ${Version}\n' "$package" 2>/dev/null || true
done
