# name: Dovecot's `dovecot-lda` with Pigeonhole, redirect and vacation
# package: dovecot-sieve
# as: alice
# to: one@example.org
# to: ann@example.net
mkdir -p mail
cat >dovecot.conf <<E
protocols =
log_path = /dev/stderr
mail_location = maildir:$HOME/mail
postmaster_address = postmaster@web1.example
hostname = web1.example
sendmail_path = /usr/sbin/sendmail
base_dir = $HOME/run
protocol lda {
  mail_plugins = sieve
}
plugin {
  sieve = file:$HOME/r.sieve
}
E
printf 'require ["vacation"];\nredirect "one@example.org";\nvacation :addresses "alice@web1.example" "I am away";\n' >r.sieve
printf 'From: Ann <ann@example.net>\nTo: alice@web1.example\nSubject: question\nMessage-ID: <5@example.net>\nDate: Mon, 30 Nov 2026 10:00:00 +0000\n\ntext\n.\n..\n' | /usr/lib/dovecot/dovecot-lda -c dovecot.conf -f ann@example.net -a alice@web1.example 2>lda.log || { cat lda.log; exit 1; }
