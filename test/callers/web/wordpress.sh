# name: WordPress
# package: wordpress
# to: admin@shop.example
# to: admin@shop.example
# note: the installation's welcome, then "lost your password"; MariaDB
. /standin/lib.sh
root=/usr/share/wordpress
host=shop.example
database wordpress
cat >/etc/wordpress/config-shop.example.php <<'E'
<?php
define('DB_NAME', 'wordpress');
define('DB_USER', 'wordpress');
define('DB_PASSWORD', 'x');
define('DB_HOST', 'localhost:/run/mysqld/mysqld.sock');
define('WP_CONTENT_DIR', '/var/lib/wordpress/wp-content');
define('DISABLE_WP_CRON', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
E
fpm
request POST /wp-admin/install.php step=2 'weblog_title=Gr%C3%B6%C3%9Fe&user_name=admin&admin_password=Xy12-long-enough&admin_password2=Xy12-long-enough&pw_weak=1&admin_email=admin@shop.example&blog_public=0&language=' >answer
grep -q 'Success' answer || { cat answer /var/log/fpm.log; exit 1; }
request POST /wp-login.php action=lostpassword 'user_login=admin&redirect_to=&wp-submit=Get+New+Password' >answer
grep -q 'checkemail=confirm' answer || { cat answer /var/log/fpm.log; exit 1; }
