package emulator

import (
	"maps"
	"strings"
)

// Stats are counts since the start, or since ResetStats.
type Stats struct {
	// TokenRequests counts requests to the token and device code endpoints;
	// TokenEndpoint counts by endpoint, the managed identity ones among them.
	TokenRequests int            `json:"token_requests"`
	TokenEndpoint map[string]int `json:"token_endpoint"`
	TokensIssued  int            `json:"tokens_issued"`
	AADSTS        map[int]int    `json:"aadsts"` // errors by number

	Connections int `json:"connections"`
	// MaxConcurrent is the most SMTP connections at once. A connection whose peer has
	// closed it does not count, even if the server has yet to notice.
	MaxConcurrent int            `json:"max_concurrent"`
	TLS           map[string]int `json:"tls"` // handshakes by version
	TLSResumed    int            `json:"tls_resumed"`
	SignIns       int            `json:"sign_ins"` // AUTH with 235
	Messages      int            `json:"messages"`
	Recipients    int            `json:"recipients"`
	Octets        int64          `json:"octets"`
	ByBDAT        int            `json:"by_bdat"`
	// Throttled counts how often repeated errors began to throttle a mailbox.
	Throttled int `json:"throttled"`
	// Refused counts negative SMTP replies by their code and enhanced code, "535 5.7.3".
	Refused map[string]int `json:"refused"`
	// RoundTrips of ended sessions: 1 for each TCP connect, the TLS handshake's, and
	// every reply that the client waited for, the banner among them.
	RoundTrips int64 `json:"round_trips"`
	Pipelined  int   `json:"pipelined"` // commands that were there before the reply to the one before was sent
}

func (s *Stats) init() {
	*s = Stats{TokenEndpoint: map[string]int{}, AADSTS: map[int]int{}, TLS: map[string]int{}, Refused: map[string]int{}}
}

// Stats returns the counts so far; a session adds its round trips at its end.
func (e *Emulator) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.stats
	s.TokenEndpoint, s.AADSTS = maps.Clone(s.TokenEndpoint), maps.Clone(s.AADSTS)
	s.TLS, s.Refused = maps.Clone(s.TLS), maps.Clone(s.Refused)
	return s
}

// ResetStats sets all counts to zero.
func (e *Emulator) ResetStats() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stats.init()
}

func (e *Emulator) count(f func(*Stats)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f(&e.stats)
}

// TokenRequests is Stats().TokenRequests.
func (e *Emulator) TokenRequests() int { return e.Stats().TokenRequests }

// MaxConcurrent is Stats().MaxConcurrent.
func (e *Emulator) MaxConcurrent() int { return e.Stats().MaxConcurrent }

// Refused counts the negative SMTP replies whose code and enhanced code begin with
// prefix: "4", "432", "535 5.7.3".
func (e *Emulator) Refused(prefix string) int {
	n := 0
	for code, count := range e.Stats().Refused {
		if strings.HasPrefix(code, prefix) {
			n += count
		}
	}
	return n
}

// countReply notes a negative reply.
func (e *Emulator) countReply(reply string) {
	if reply == "" || reply[0] != '4' && reply[0] != '5' {
		return
	}
	code, rest, _ := strings.Cut(reply, " ")
	if enhanced, _, _ := strings.Cut(rest, " "); strings.Count(enhanced, ".") == 2 && enhanced[0] == code[0] {
		code += " " + enhanced
	}
	e.count(func(s *Stats) { s.Refused[code]++ })
}
