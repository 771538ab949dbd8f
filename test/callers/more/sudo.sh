# name: sudo, a user who may not
# package: sudo
# as: alice
# background: yes
# to: it@contoso.test
# note: it calls sendmail as the user who called sudo, who therefore has to be one who may send
echo | sudo -S true 2>/dev/null || true
/standin/called 1
