# name: calendar -a
# package: calendar
# to: it@contoso.test
# note: root's daily run over every user's calendar; the message to a local user goes to root_to
mkdir -p ~alice/.calendar
printf '%s\tGrüße, the backup tape\n' "$(date +%m/%d)" >~alice/.calendar/calendar
chown -R alice: ~alice/.calendar
calendar -a
