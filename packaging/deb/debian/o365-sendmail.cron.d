# Delivers what waits in the queue on hosts without systemd. Where systemd runs,
# the agent does it by itself.
SHELL=/bin/sh
PATH=/usr/sbin:/usr/bin:/sbin:/bin
MAILTO=""
* * * * * o365-sendmail [ -d /run/systemd/system ] || [ ! -x /usr/sbin/o365-sendmail ] || [ ! -r /etc/o365-sendmail.toml ] || /usr/sbin/sendmail -q >/dev/null 2>&1
