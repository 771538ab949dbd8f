# name: MediaWiki
# package: mediawiki
# to: alice@shop.example
# note: password reset, by its API; SQLite
. /standin/lib.sh
root=/usr/share/mediawiki
mkdir -p /var/lib/mediawiki/sqlite
cd /usr/share/mediawiki
rm -f LocalSettings.php
php maintenance/install.php --dbtype sqlite --dbpath /var/lib/mediawiki/sqlite --server http://localhost --scriptpath '' --confpath /var/lib/mediawiki \
	--pass Xy12-long-enough --lang en Größe Admin >/var/log/install.log 2>&1 || { cat /var/log/install.log; exit 1; }
cat >>/var/lib/mediawiki/LocalSettings.php <<'E'
$wgPasswordSender = 'wiki@shop.example';
$wgEnableEmail = true;
$wgDebugLogFile = '/var/lib/mediawiki/debug.log';
E
[ -e LocalSettings.php ] || ln -s /var/lib/mediawiki/LocalSettings.php LocalSettings.php
php maintenance/createAndPromote.php Alice Xy12-long-enough2 >/dev/null
php maintenance/resetUserEmail.php --no-reset-password Alice alice@shop.example >/dev/null
chown -R www-data: /var/lib/mediawiki
fpm
request POST /api.php '' 'action=resetpassword&user=Alice&format=json&token=%2B%5C' >answer
grep -q success answer || { cat answer /var/log/fpm.log; exit 1; }
/standin/called 1
