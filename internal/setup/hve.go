package setup

import "strings"

// HVEHost reports whether a relay is one of High Volume Email's.
// Source: learn.microsoft.com/exchange/mail-flow-best-practices/high-volume-mails-m365.
func HVEHost(host string) bool {
	switch strings.TrimSuffix(strings.ToLower(host), ".") {
	case "smtp.hve.mx.microsoft", "smtp-hve.office365.com":
		return true
	}
	return false
}
