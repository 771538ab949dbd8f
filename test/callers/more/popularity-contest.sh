# name: popularity-contest, its daily job
# package: popularity-contest
# to: survey@popcon.debian.org
# note: only where it may not send by HTTP
printf 'PARTICIPATE="yes"\nUSEHTTP="no"\nENCRYPT="no"\nMAILTO="survey@popcon.debian.org"\nMY_HOSTID="0123456789abcdef0123456789abcdef"\nDAY="%s"\n' "$(date +%w)" >/etc/popularity-contest.conf
rm -f /var/log/popularity-contest*
sh /etc/cron.daily/popularity-contest --crond
