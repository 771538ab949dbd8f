# name: Roundcube
# package: roundcube-core
# to: you@example.org cc@example.org hidden@example.org
# smtp: yes
# note: log in, compose, send; SQLite, Dovecot; it sends by SMTP only, here to the agent's listener; what was written is its copy in the folder Sent
. /standin/lib.sh
root=/var/lib/roundcube
imap=127.0.0.1:$(php -r 'echo explode(":", stream_socket_get_name(stream_socket_server("tcp://127.0.0.1:0"), false))[1];')
cat >/etc/dovecot/dovecot.conf <<E
protocols = imap
ssl = no
disable_plaintext_auth = no
log_path = /var/log/dovecot.log
mail_location = maildir:~/mail
service imap-login {
  inet_listener imap {
    address = 127.0.0.1
    port = ${imap#*:}
  }
  inet_listener imaps {
    port = 0
  }
}
passdb {
  driver = static
  args = password=Xy12
}
userdb {
  driver = passwd
}
E
dovecot
cat >/etc/roundcube/config.inc.php <<E
<?php
\$config['db_dsnw'] = 'sqlite:////var/lib/roundcube/db.sqlite?mode=0600';
\$config['imap_host'] = '$imap';
\$config['smtp_host'] = '$(cat /standin/smtp)';
\$config['smtp_user'] = '';
\$config['mail_domain'] = 'shop.example';
\$config['des_key'] = '0123456789abcdef01234567';
\$config['create_default_folders'] = true;
E
chown www-data: /var/lib/roundcube /etc/roundcube/config.inc.php
setpriv --reuid www-data --regid www-data --init-groups \
	php -r '(new PDO("sqlite:/var/lib/roundcube/db.sqlite"))->exec(file_get_contents("/usr/share/roundcube/SQL/sqlite.initial.sql"));'
fpm
page() {
	request "$@" >answer
	cookie=$({ printf '%s\n' "$cookie" | tr ';' '\n'; sed -n 's/^Set-Cookie: \([^;]*\).*/\1/p' answer; } | tr -d ' \r' | awk -F= '$1 { c[$1] = $0 } END { for (n in c) printf "%s;", c[n] }')
}
seen() { grep -q "$1" answer || { cat answer /var/log/fpm.log /var/log/roundcube/* /var/log/dovecot.log; exit 1; }; }
token() { sed -n 's/.*"request_token":"\([^"]*\)".*/\1/p' answer | head -n 1; }
cookie=
page GET /index.php _task=login
page POST /index.php _task=login "_token=$(token)&_task=login&_action=login&_timezone=UTC&_user=alice&_pass=Xy12"
seen '^Location: .*_task=mail'
page GET /index.php '_task=mail&_action=compose'
id=$(sed -n 's/^Location: .*[?&]_id=\([0-9a-f]*\).*/\1/p' answer)
page GET /index.php "_task=mail&_action=compose&_id=$id"
from=$(sed -n 's/.*<option value="\([0-9]*\)"[^>]*>[^<]*alice@shop.example.*/\1/p' answer | head -n 1)
page POST /index.php '_task=mail&_action=send' "_token=$(token)&_task=mail&_action=send&_id=$id&_from=$from&_to=you@example.org&_cc=cc@example.org&_bcc=hidden@example.org&_subject=Gr%C3%BC%C3%9Fe&_message=Gr%C3%BC%C3%9Fe%0D%0A.%0D%0A..%0D%0AFrom+here%0D%0A&_is_html=0&_store_target=Sent&_framed=1"
seen sent_successfully
cat /home/alice/mail/.Sent/*/* >/standin/calls/1.eml
printf 'SMTP' >/standin/calls/1.args
echo 0 >/standin/calls/1.code
cat >/srv/where.php <<'E'
<?php
preg_match('/^NoNewPrivs:\s*(\d)/m', file_get_contents('/proc/self/status'), $m);
echo "NoNewPrivs:$m[1]\nTmp:", file_exists('/tmp/outside') ? 'shared' : 'private', "\n";
E
root=/srv
request GET /where.php '' | sed '1,/^\r*$/d' >/standin/calls/1.where
