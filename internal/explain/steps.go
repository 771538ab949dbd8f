package explain

import (
	"slices"
	"strings"

	"o365-sendmail/internal/diagnose"
)

// add appends what a diagnosis means, once.
func add(list []Meaning, d diagnose.Diagnosis) []Meaning {
	m := Meaning{Key: d.Key, Cause: d.Cause, Effect: effect(d.Class), Do: Steps(d.Remedy)}
	if m.Cause == "" {
		m.Cause = unknown(d)
	}
	if len(m.Do) == 0 {
		m.Do = []string{waiting(d.Class)}
	}
	same := func(o Meaning) bool { return o.Key == m.Key && o.Cause == m.Cause && slices.Equal(o.Do, m.Do) }
	if slices.ContainsFunc(list, same) {
		return list
	}
	return append(list, m)
}

// unknown is the cause of what no row names: the server's own words say all that is known.
func unknown(d diagnose.Diagnosis) string {
	switch {
	case d.Key == diagnose.KeyRecipientRefused:
		return "the recipient is refused: no such address, or one that takes no mail from this sender"
	case d.Class == diagnose.Permanent:
		return "the server refuses the message for good; its words say why"
	}
	return "the server can't take the message now; its words say why"
}

func effect(c diagnose.Class) string {
	switch c {
	case diagnose.Permanent:
		return "the message goes back to its sender"
	case diagnose.Configuration:
		return "all mail waits until an administrator has acted, and nothing is returned"
	case diagnose.AccountTemporary:
		return "all mail of the mailbox waits for a while, and nothing is returned"
	}
	return "the message waits and is tried again"
}

func waiting(c diagnose.Class) string {
	if c == diagnose.Permanent {
		return "correct the address or the message, and send it again"
	}
	return "wait: it is tried again without your doing"
}

var (
	// A command begins with a cmdlet of PowerShell or one of these programs and ends where a sentence goes on.
	command = pattern{text: `(?:\b(?:Add|Set|Get|New|Remove)-[A-Z][A-Za-z]+|\baz [a-z]+|\btimedatectl)\b`}
	ends    = pattern{text: `\)|, |; | \(| shows | must | on the | and | in place |$`}
)

// Steps takes an advice apart: a step a line, and each command behind the step that names it, on a line of
// its own that can be pasted.
func Steps(advice string) []string {
	var list []string
	for step := range strings.SplitSeq(advice, "; ") {
		if step = strings.TrimSpace(step); step == "" {
			continue
		}
		var commands []string
		for rest := step; ; {
			at := command.get().FindStringIndex(rest)
			if at == nil {
				break
			}
			rest = rest[at[0]:]
			end := ends.get().FindStringIndex(rest)[0]
			if c := strings.TrimSpace(rest[:end]); strings.Contains(c, " ") {
				commands = append(commands, c)
			}
			rest = rest[max(end, 1):]
		}
		if len(commands) != 1 || commands[0] != step {
			list = append(list, heading(step, commands))
		}
		list = append(list, commands...)
	}
	return list
}

// heading is what stands above the commands of a step: the step itself, or the remark in parentheses behind its
// only command.
func heading(step string, commands []string) string {
	if len(commands) == 1 {
		remark, found := strings.CutPrefix(step, commands[0]+" (")
		if remark, closed := strings.CutSuffix(remark, ")"); found && closed {
			return remark + ":"
		}
	}
	return step
}
