package deliver

import (
	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/spool"
)

// metaOf describes a message for the spool.
func metaOf(env *envelope.Envelope) spool.Meta {
	return spool.Meta{UID: env.Caller.UID, Origin: env.Caller.Via}
}
