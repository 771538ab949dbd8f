#!/bin/bash
# shellcheck disable=SC2034 # peer.sh reads the variables
has_queue=no
prepare() {
	sed -i "s/^dc_eximconfig_configtype=.*/dc_eximconfig_configtype='satellite'/
		s/^dc_smarthost=.*/dc_smarthost='smtp.office365.com::587'/; s/^dc_readhost=.*/dc_readhost='contoso.test'/" \
		/etc/exim4/update-exim4.conf.conf
	echo '*.office365.com:noreply@contoso.test:hunter2' >>/etc/exim4/passwd.client
	update-exim4.conf
}
files() { find /etc/exim4 -type f; }
