# name: DokuWiki
# package: dokuwiki
# to: alice@shop.example
# note: "set new password"
. /standin/lib.sh
root=/usr/share/dokuwiki
cat >/etc/dokuwiki/local.php <<'E'
<?php
$conf['title'] = 'Größe';
$conf['useacl'] = 1;
$conf['authtype'] = 'authplain';
$conf['superuser'] = '@admin';
$conf['mailfrom'] = 'wiki@shop.example';
E
printf 'alice:%s:Alice Ärger:alice@shop.example:user\n' "$(php -r 'echo password_hash("x", PASSWORD_BCRYPT);')" >/var/lib/dokuwiki/acl/users.auth.php
chown -R www-data: /var/lib/dokuwiki /etc/dokuwiki
fpm
request POST /doku.php '' 'do=resendpwd&id=start&save=1&login=alice' >answer
grep -qi 'confirmation link' answer || { cat answer /var/log/fpm.log; exit 1; }
