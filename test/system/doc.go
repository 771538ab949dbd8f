// Package system holds the tests that use real peers: a Postfix submission
// service with Dovecot's XOAUTH2 as the server, and PHP, mailx, cron, git and
// others as callers of /usr/sbin/sendmail.
//
// The tests are built with the tag "system" and run as root on Debian. They
// change nothing outside their own work directory: the test binary starts
// itself again in private mount and process namespaces, in which /etc, /run
// and a few more are copies, /usr/sbin/sendmail is our binary, and every daemon
// ends with the tests. It never reaches a host other than this one.
package system
