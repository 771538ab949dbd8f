# For the scripts of this folder.

# private COMMAND... runs it as systemd does with NoNewPrivileges=yes and PrivateTmp=yes.
private() {
	touch /tmp/outside
	unshare --mount sh -c 'mount -t tmpfs -o mode=1777 tmpfs /tmp; exec setpriv --no-new-privs "$@"' sh "$@"
}

# fpm starts PHP-FPM; request asks it.
fpm() {
	/standin/sender www-data
	cat >/etc/php/fpm.conf <<'E'
[global]
error_log = /var/log/fpm.log
[www]
user = www-data
group = www-data
listen = /run/fpm.sock
pm = static
pm.max_children = 2
E
	private php-fpm8.2 -F -y /etc/php/fpm.conf &
	until [ -S /run/fpm.sock ]; do sleep 0.1; done
}

host=localhost

# request METHOD /PATH.php QUERY [BODY] prints the answer with its header; $root is the document root.
request() {
	printf %s "${4:-}" | env -i GATEWAY_INTERFACE=CGI/1.1 SERVER_PROTOCOL=HTTP/1.1 SERVER_SOFTWARE=test SERVER_NAME="$host" HTTP_HOST="$host" \
		SERVER_PORT=80 SERVER_ADDR=127.0.0.1 REMOTE_ADDR=127.0.0.1 DOCUMENT_ROOT="$root" REQUEST_METHOD="$1" SCRIPT_NAME="$2" SCRIPT_FILENAME="$root$2" \
		REQUEST_URI="$2?$3" QUERY_STRING="$3" CONTENT_TYPE=application/x-www-form-urlencoded CONTENT_LENGTH="$(printf %s "${4:-}" | wc -c)" \
		HTTP_COOKIE="${cookie:-}" REDIRECT_STATUS=200 cgi-fcgi -bind -connect /run/fpm.sock
}

# database NAME starts MariaDB and makes a database with a user of the same name.
database() {
	install -d -o mysql -g mysql /run/mysqld
	setpriv --reuid mysql --regid mysql --init-groups mariadbd --skip-networking --socket=/run/mysqld/mysqld.sock >/var/log/mariadb.log 2>&1 &
	until mariadb-admin ping >/dev/null 2>&1; do sleep 0.2; done
	mariadb -e "CREATE DATABASE $1; CREATE USER $1@localhost IDENTIFIED BY 'x'; GRANT ALL ON $1.* TO $1@localhost"
}
