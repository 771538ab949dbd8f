# name: Perl, MIME::Entity->send("sendmail")
# package: libmime-tools-perl
# as: alice
# note: without -i: a line of one dot would end the message
# to: you@example.org
head -c 3000 /usr/bin/tsp >data.bin
perl -MMIME::Entity -e '$e = MIME::Entity->build(From => "alice\@web1.example", To => "you\@example.org", Subject => "by MIME-tools", Type => "multipart/mixed");
$e->attach(Data => "text\n..\n"); $e->attach(Path => "data.bin", Type => "application/octet-stream", Encoding => "base64"); $e->send("sendmail") or die'
