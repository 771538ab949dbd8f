package envelope

import (
	"strconv"
	"strings"

	"o365-sendmail/internal/printable"
)

// OptionsField is the name of the private header field. It counts only as the very first
// field of a message from a local user, and is taken out of every message.
const OptionsField = "O365-Sendmail-Options"

// RecipientsKeyword is a word of EHLO's reply, with the number of recipients that one message of this program's
// own client may have, and a parameter of MAIL by which that client goes beyond RCPTMAX (RFC 9422): it has no
// caller who could begin another transaction. It is offered to local clients only.
const RecipientsKeyword = "X-O365-RCPTMAX"

// Options are what a call of sendmail asks for beyond SMTP. They travel from this program's own client to the agent
// in a private header field; a client that knows nothing of it still speaks correct SMTP. The zero value asks for
// nothing.
type Options struct {
	// Mode is the delivery mode ("interactive", "background", "queue"); "" means the agent's own.
	Mode string
	// NoAliases sends every local name to the catch-all (sendmail -n).
	NoAliases bool
	// Hops is what the caller counted (sendmail -h).
	Hops int
	// Tag is the caller's name for its log lines (sendmail -L).
	Tag string
	// Partial is set by a client that understands refused recipients in a positive reply,
	// so that nobody has to be told about them by mail.
	Partial bool
	// DotCut says that a line of a single dot ended the message and more followed.
	DotCut bool
	// Altered says that the client read what a signature may cover in another way than it was signed.
	Altered bool
	// Unread says that the client has not measured the message, which goes on as it lies in a file.
	Unread bool
}

// DotCutText is what a person, or else the log, is told when DotCut is set.
const DotCutText = "the message ended at a line with a single dot, and what followed is lost; call sendmail with -i"

// Value returns the field's value, "" for the zero Options.
func (o Options) Value() string {
	var words []string
	if o.Mode != "" {
		words = append(words, "mode="+o.Mode)
	}
	if o.NoAliases {
		words = append(words, "no-aliases")
	}
	if o.Hops != 0 {
		words = append(words, "hops="+strconv.Itoa(o.Hops))
	}
	if tag := printable.Tag(o.Tag); tag != "" {
		words = append(words, "tag="+tag)
	}
	if o.Partial {
		words = append(words, "partial")
	}
	if o.DotCut {
		words = append(words, "dot-cut")
	}
	if o.Altered {
		words = append(words, "altered")
	}
	if o.Unread {
		words = append(words, "unread")
	}
	return strings.Join(words, "; ")
}

// ParseOptions reads a field's value. What it does not know it passes over: an older
// agent must serve a newer client.
func ParseOptions(value string) Options {
	var o Options
	for word := range strings.SplitSeq(value, ";") {
		name, arg, _ := strings.Cut(strings.TrimSpace(word), "=")
		switch name {
		case "mode":
			switch arg {
			case "interactive", "background", "queue":
				o.Mode = arg
			}
		case "no-aliases":
			o.NoAliases = true
		case "hops":
			if n, err := strconv.Atoi(arg); err == nil && n > 0 {
				o.Hops = n
			}
		case "tag":
			o.Tag = printable.Tag(arg)
		case "partial":
			o.Partial = true
		case "dot-cut":
			o.DotCut = true
		case "altered":
			o.Altered = true
		case "unread":
			o.Unread = true
		}
	}
	return o
}
