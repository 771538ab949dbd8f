package host

import (
	"os"
	"strings"
)

// StartAgent is the command that starts a packaged agent, as a user other than root types it on a host with
// systemd; Hint fits it to others.
const StartAgent = "sudo systemctl start o365-sendmail.socket o365-sendmail.service"

// Hint fits a text with commands to its reader: root needs no sudo, and where systemd does not run there is
// no systemctl and no journalctl.
func Hint(text string, uid int) string {
	_, systemd := os.Stat("/run/systemd/system") // sd_booted(3)
	_, script := os.Stat("/etc/init.d/o365-sendmail")
	return hint(text, uid == 0, systemd == nil, script == nil)
}

func hint(text string, root, systemd, script bool) string {
	if !systemd && strings.Contains(text, "ctl") {
		text = withoutSystemd(script).Replace(text)
	}
	if root {
		text = strings.ReplaceAll(text, "sudo ", "")
	}
	return text
}

// withoutSystemd replaces the commands that the program's texts have.
func withoutSystemd(script bool) *strings.Replacer {
	start, restart, reload := "service o365-sendmail start", "service o365-sendmail restart",
		"service o365-sendmail reload"
	if !script {
		start = "o365-sendmail serve"
		restart, reload = "end o365-sendmail serve and start it again", "send o365-sendmail serve the signal HUP"
	}
	var pairs []string
	for _, sudo := range []string{"sudo ", ""} {
		if !script && sudo != "" {
			// A sentence of words takes no sudo.
			pairs = append(pairs, sudo+"systemctl restart o365-sendmail", restart,
				sudo+"systemctl reload o365-sendmail", reload)
		}
		pairs = append(pairs,
			sudo+"systemctl enable --now o365-sendmail.socket o365-sendmail.service", sudo+start,
			sudo+"systemctl start o365-sendmail.socket o365-sendmail.service", sudo+start,
			sudo+"systemctl restart o365-sendmail", sudo+restart,
			sudo+"systemctl reload o365-sendmail", sudo+reload)
	}
	return strings.NewReplacer(append(pairs,
		"journalctl -u o365-sendmail", "its log", "journalctl -t o365-sendmail", "its log")...)
}
