# name: PHP, Horde_Mail_Transport_Sendmail
# package: php-horde-mail
# as: alice
# to: you@example.org cc@example.org
php -d error_reporting=0 -r 'spl_autoload_register(function ($c) { $f = str_replace(["_", "\\"], "/", $c) . ".php"; if (stream_resolve_include_path($f)) require $f; });
$m = new Horde_Mail_Transport_Sendmail(["sendmail_path" => "/usr/sbin/sendmail", "sendmail_args" => "-i"]);
$m->send(["you@example.org", "cc@example.org"], ["From" => "shop@web1.example", "To" => "you@example.org", "Cc" => "cc@example.org", "Subject" => "by Horde"], "text\n.\n..\n");'
