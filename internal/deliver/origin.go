package deliver

import (
	"strings"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/spool"
)

// The spool keeps one sender for a message, and that is the one of the wire. Where reports
// go is kept beside it, in the words on how the message came: "userid 33; reports to <root@web1>".
const reportsTo = "; reports to <"

// metaOf describes a message for the spool.
func metaOf(env *envelope.Envelope) spool.Meta {
	m := spool.Meta{UID: env.Caller.UID, Origin: env.Caller.Via}
	if env.Origin != "" {
		m.Origin += reportsTo + env.Origin + ">"
	}
	return m
}

// originOf returns the address for reports on a message in the spool, "" for none.
func originOf(env *envelope.Envelope, m spool.Meta) string {
	if env.Origin != "" {
		return env.Origin
	}
	_, after, ok := strings.Cut(m.Origin, reportsTo)
	if !ok {
		return ""
	}
	return strings.TrimSuffix(after, ">")
}
