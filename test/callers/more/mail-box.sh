# name: Perl, Mail::Box `->send(via => 'sendmail')`
# package: libmail-transport-perl
# as: alice
# to: you@example.org
perl -MMail::Message -MMail::Message::Construct -e '$m = Mail::Message->build(From => "alice\@web1.example", To => "you\@example.org", Subject => "by Mail::Box", data => "text\n.\n..\n");
$m->send(via => "sendmail", proxy => "/usr/sbin/sendmail") or die "not sent"'
