# name: nmh `send`
# package: nmh
# as: alice
# to: you@example.org cc@example.org
# note: without a Bcc; with one it calls sendmail twice
export PATH=$PATH:/usr/bin/mh
printf 'Path: Mail\n' >.mh_profile
mkdir -p Mail/drafts
printf 'From: alice@web1.example\nTo: you@example.org\nCc: cc@example.org\nSubject: draft\n--------\ntext\n.\n..\n' >Mail/draft
/usr/bin/mh/send "$HOME/Mail/draft"
