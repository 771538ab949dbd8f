# name: PHP, PEAR Mail `sendmail`
# package: php-mail
# as: alice
# to: you@example.org cc@example.org
php -d error_reporting=0 -r 'require "Mail.php"; $m = Mail::factory("sendmail", ["sendmail_path" => "/usr/sbin/sendmail", "sendmail_args" => "-i"]);
$r = $m->send(["you@example.org", "cc@example.org"], ["From" => "shop@web1.example", "To" => "you@example.org", "Cc" => "cc@example.org", "Subject" => "by PEAR"], "Grüße\n.\n..\n");
if ($r !== true) { echo $r->getMessage(); exit(1); }'
