#!/bin/bash
# shellcheck disable=SC2034 # peer.sh reads the variables
has_queue=no
prepare() {
	sed -i 's/^mailhub=.*/mailhub=smtp.office365.com:587/; s/^root=.*/root=it@contoso.test/' /etc/ssmtp/ssmtp.conf
	printf 'AuthUser=noreply@contoso.test\nAuthPass=hunter2\n' >>/etc/ssmtp/ssmtp.conf
	echo root:noreply@contoso.test >>/etc/ssmtp/revaliases
}
files() { find /etc/ssmtp -type f; }
