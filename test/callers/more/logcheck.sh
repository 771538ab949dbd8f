# name: logcheck
# package: logcheck
# to: it@contoso.test
mkdir -p /run/lock/logcheck; chown logcheck /run/lock/logcheck
printf '%s web1 kernel: something nobody knows, grüße\n' "$(LC_ALL=C date '+%b %e %H:%M:%S')" >/var/log/syslog
chmod 644 /var/log/syslog
echo /var/log/syslog >/etc/logcheck/logcheck.logfiles
rm -rf /etc/logcheck/logcheck.logfiles.d
/standin/sender logcheck
setpriv --reuid logcheck --regid logcheck --init-groups logcheck -m root -l /var/log/syslog
