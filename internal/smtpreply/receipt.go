package smtpreply

import (
	"errors"
	"strconv"
	"strings"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/sysexits"
)

// A positive reply to a message reads "queued as ID", or has the relay's own words. In
// front of that line, a client that asked for it (Options.Partial) finds a line
// "refused EXIT <ADDRESS> REASON" for each recipient that was refused for good. A negative
// reply that several recipients got for reasons of their own has such lines in front, too.
const (
	queuedAs = "queued as "
	refused  = "refused "
)

// maxReason bounds the reason on a line of a refused recipient, in bytes. No line limit
// holds here: the client is this program.
const maxReason = 2048

// ReceiptLine returns the last line of a positive reply.
func ReceiptLine(r envelope.Receipt) string {
	switch {
	case r.Queued && r.QueueID != "":
		return queuedAs + r.QueueID
	case r.Queued:
		return "queued"
	case r.Reply != "":
		return oneLine(strings.TrimPrefix(r.Reply, "250 2.0.0 ")) // the reply has these already
	}
	return "accepted"
}

// RefusedLine returns the line about a refused recipient.
func RefusedLine(address string, exit int, err error) string {
	reason := printable.Cut(oneLine(err.Error()), maxReason)
	return refused + strconv.Itoa(exit) + " <" + oneLine(address) + "> " + reason
}

// ParseReceipt reads the lines of a positive reply, codes taken off, back into a receipt.
// Accepted is left to the caller, who knows the recipients.
func ParseReceipt(lines []string) envelope.Receipt {
	var r envelope.Receipt
	for i, line := range lines {
		if one, ok := parseRefused(line); ok {
			r.Refused = append(r.Refused, one)
			continue
		}
		if i < len(lines)-1 {
			continue
		}
		id, ok := strings.CutPrefix(line, queuedAs)
		switch {
		case ok:
			r.Queued, r.QueueID = true, id
		case line == "queued":
			r.Queued = true
		default:
			r.Reply = line
		}
	}
	return r
}

// ParseRefused takes the lines of refused recipients off the front of a negative reply's.
func ParseRefused(lines []string) (list []envelope.Refusal, rest []string) {
	for i, line := range lines {
		one, ok := parseRefused(line)
		if !ok || i == len(lines)-1 {
			return list, lines[i:]
		}
		list = append(list, one)
	}
	return list, nil
}

func parseRefused(line string) (envelope.Refusal, bool) {
	rest, ok := strings.CutPrefix(line, refused)
	if !ok {
		return envelope.Refusal{}, false
	}
	code, rest, ok := strings.Cut(rest, " <")
	exit, err := strconv.Atoi(code)
	end := PathEnd(rest)
	if !ok || err != nil || end < 0 {
		return envelope.Refusal{}, false
	}
	reason := errors.New(strings.TrimSpace(rest[end+1:]))
	return envelope.Refusal{Address: rest[:end], Err: sysexits.With(exit, reason)}, true
}

// PathEnd returns where the angle bracket is that ends a path (RFC 5321 4.1.2), whose local part may be quoted; -1 if
// there is none.
func PathEnd(s string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '>' && !quoted:
			return i
		}
	}
	return -1
}

func oneLine(s string) string { return strings.TrimSpace(printable.OneLine(s)) }
