package emulator

import (
	"strings"
	"time"
)

// errorKey is a kind of error of a mailbox.
type errorKey struct{ mailbox, kind string }

// repeatedNumbers are the enhanced codes of continuous-error throttling, by kind (learn.microsoft.com,
// "Continuous error throttling for SMTP AUTH submissions").
var repeatedNumbers = map[string]string{
	"mailbox full": "5.2.251", "send as denied": "5.2.252", "invalid license": "5.2.253",
	"too many recipients": "5.2.254", "invalid recipients": "5.2.255",
}

// errorKind names the kind of error that a reply is, "" for one that is not counted.
func errorKind(stage, reply string) string {
	switch {
	case positive(reply), strings.Contains(reply, "Sender throttled"):
		return ""
	case strings.Contains(reply, "mailbox full;"):
		return "mailbox full"
	case strings.Contains(reply, "SendAsDenied"), strings.Contains(reply, " 5.7.60 "):
		return "send as denied"
	case strings.Contains(reply, "InvalidLicense"):
		return "invalid license"
	case stage == "rcpt" && strings.Contains(reply, "Too many recipients"):
		return "too many recipients"
	case stage == "rcpt" && strings.HasPrefix(reply, "550 5.1."):
		return "invalid recipients"
	}
	return ""
}

// counted notes a reply among the mailbox's errors and returns it.
func (s *session) counted(stage, reply string) string {
	kind := errorKind(stage, reply)
	limit := s.e.current().Limits.Repeated[kind]
	if s.user == "" || limit == nil || limit.After <= 0 {
		return reply
	}
	now, key := s.e.now(), errorKey{s.user, kind}
	s.e.mu.Lock()
	defer s.e.mu.Unlock()
	recent := append(newer(s.e.memory.errors[key], now.Add(-time.Duration(limit.Within))), now)
	if len(recent) >= limit.After {
		s.e.memory.throttled[key] = now.Add(time.Duration(limit.For))
		s.e.stats.Throttled++
		recent = nil
	}
	s.e.memory.errors[key] = recent
	return reply
}

// throttled is the refusal of every message of a throttled mailbox, "" for one that is not.
func (s *session) throttled() string {
	now := s.e.now()
	s.e.mu.Lock()
	defer s.e.mu.Unlock()
	for kind, number := range repeatedNumbers {
		if now.Before(s.e.memory.throttled[errorKey{s.user, kind}]) {
			return "550 " + number + " Sender throttled due to continuous " + kind + " errors. " + s.hostTag()
		}
	}
	return ""
}
