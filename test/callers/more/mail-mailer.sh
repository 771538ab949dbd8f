# name: Perl, Mail::Send of MailTools
# package: libmailtools-perl
# as: alice
# note: without -i: a line of one dot would end the message
# to: you@example.org cc@example.org hidden@example.org
perl -MMail::Send -e '$m = Mail::Send->new(Subject => "by MailTools", To => "you\@example.org"); $m->cc("cc\@example.org"); $m->bcc("hidden\@example.org");
$fh = $m->open("sendmail"); print $fh "text\n..\n"; $fh->close or die "close: $!"'
