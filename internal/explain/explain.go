// Package explain says what a code, a reply or a line of the log means, from the same tables as the
// program's own errors. It asks nobody: no network, no configuration.
package explain

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"o365-sendmail/internal/diagnose"
	"o365-sendmail/internal/sysexits"
	"o365-sendmail/xoauth"
)

// Meaning is one thing that a text may mean.
type Meaning struct {
	// Key is the short name that logs and metrics have, or Entra's code.
	Key   string `json:"key"`
	Cause string `json:"cause"`
	// Effect says what becomes of the mail; "" where that depends.
	Effect string `json:"effect,omitempty"`
	// Do is what to do, one step or command each.
	Do []string `json:"do"`
}

// maxText bounds what is looked at.
const maxText = 8192

// pattern compiles when it is first used: most calls of the program explain nothing, and pay for no start.
type pattern struct {
	text string
	once sync.Once
	re   *regexp.Regexp
}

func (p *pattern) get() *regexp.Regexp {
	p.once.Do(func() { p.re = regexp.MustCompile(p.text) })
	return p.re
}

// codes are what a reply has: a code, and RFC 3463's.
const (
	codePattern     = `([45][0-5]\d)`
	enhancedPattern = `([45]\.\d{1,3}\.\d{1,3})`
)

var (
	aadsts  = pattern{text: `(?i)\bAADSTS(\d{4,9})\b`}
	numbers = pattern{text: `^\d{5,9}$`}
	// A reply's code stands first, or where lines of a log quote one, or has RFC 3463's behind it.
	reply = pattern{text: `(?:^|[(:"] ?|with |said )` + codePattern + `(?:[ -]+` + enhancedPattern + `\b)?(?:[\s)-]|$)` +
		`|\b` + codePattern + `[ -]+` + enhancedPattern + `\b`}
	enhanced = pattern{text: `(?:^|[\s(:="])` + enhancedPattern + `(?:[\s),]|$)`}
)

// colours are a terminal's, in a text that was copied from one (ECMA-48 5.4).
var colours = pattern{text: `\x1b\[[0-?]*[ -/]*[@-~]`}

// Explain returns what a text means, the likeliest first, or nothing.
func Explain(text string) []Meaning {
	text = colours.get().ReplaceAllString(text[:min(len(text), maxText)], "")
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if m := aadsts.get().FindStringSubmatch(text); m != nil {
		return entra("AADSTS"+m[1], text)
	}
	if numbers.get().MatchString(text) {
		return entra("AADSTS"+text, "")
	}
	for _, look := range []func(string) []Meaning{byKey, byExitCode, byReply, byOwnWords} {
		if found := look(text); len(found) > 0 {
			return found
		}
	}
	return nil
}

// entra explains a number of Entra's; of one that is not known it says where Microsoft does.
func entra(code, words string) []Meaning {
	cause, advice, ok := xoauth.Explain(code, words)
	if !ok {
		return []Meaning{{Key: code, Cause: "an error of Entra that is not known here", Do: []string{
			"look at https://login.microsoftonline.com/error?code=" + strings.TrimPrefix(code, "AADSTS"),
			"look in Entra admin center > Sign-in logs > Service principal sign-ins for the reason"}}}
	}
	return []Meaning{{Key: code, Cause: cause, Do: Steps(advice)}}
}

// byKey takes a word of the log or of the metrics, or an error code of OAuth.
func byKey(text string) []Meaning {
	var found []Meaning
	for _, k := range diagnose.AllKnown() {
		if strings.EqualFold(k.Key, text) {
			found = add(found, k.Diagnosis)
		}
	}
	if cause, advice, ok := xoauth.Explain(text, ""); ok {
		found = append(found, Meaning{Key: strings.ToLower(text), Cause: cause, Do: Steps(advice)})
	}
	return found
}

// Keys returns the words of the log that byKey takes, sorted.
func Keys() []string {
	var all []string
	for _, k := range diagnose.AllKnown() {
		all = append(all, k.Key)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// byReply takes an SMTP reply, or only its codes.
func byReply(text string) []Meaning {
	code, extended, words := takeApart(text)
	if code == 0 && extended == "" {
		return nil
	}
	if words == "" {
		if found := byCodes(code, extended); len(found) > 0 {
			return found
		}
	}
	if code == 0 {
		code = int(extended[0]-'0')*100 + 50
	}
	return add(nil, diagnose.Reply(phase(code, extended, words), code, extended, words))
}

// takeApart finds the codes in a text, and the words behind them.
func takeApart(text string) (code int, extended, words string) {
	if m := reply.get().FindStringSubmatchIndex(text); m != nil {
		if m[2] < 0 {
			m = append(m[:2], m[6:]...)
		}
		code, _ = strconv.Atoi(text[m[2]:m[3]])
		if words = text[m[3]:]; m[4] >= 0 {
			extended, words = text[m[4]:m[5]], text[m[5]:]
		}
	} else if m := enhanced.get().FindStringSubmatchIndex(text); m != nil {
		extended, words = text[m[2]:m[3]], text[m[3]:]
	}
	return code, extended, strings.Trim(words, " -\"'()")
}

// phase guesses which command a reply answers.
func phase(code int, extended, words string) string {
	words = strings.ToLower(words)
	switch {
	case code == 535, code == 534, code == 504, code == 454, strings.Contains(words, "auth"):
		return "auth"
	case strings.HasPrefix(extended, "5.1."), code == 452, code == 552, strings.Contains(words, "recipient"):
		return "rcpt"
	}
	return "body"
}

// usual holds the rows that have words alone, below the codes with which they come: the code alone is what
// people look up.
func usual() map[string][]string {
	return map[string][]string{
		"5.7.139": {"smtp-auth-disabled-tenant", "smtp-auth-disabled-mailbox", "security-defaults", "access-policy",
			"organization-policy", "basic-auth"},
		"5.2.0": {diagnose.KeySendAsDenied, "submission-quota", diagnose.KeyMailboxFull},
		"4.2.0": {"mailbox-permission"},
	}
}

// byCodes returns all rows that have these codes.
func byCodes(code int, extended string) []Meaning {
	var found []Meaning
	for _, k := range diagnose.AllKnown() {
		named := k.Code >= 100 && k.Code == code && (extended == "" || k.Enhanced == "")
		if k.Code >= 100 && code != 0 && k.Code != code {
			continue
		}
		if extended != "" && slices.Contains(strings.Fields(k.Enhanced), extended) {
			named = true
		}
		below := extended
		if code == 535 && extended == "" {
			below = "5.7.139"
		}
		named = named || slices.Contains(usual()[below], k.Key)
		if named {
			found = add(found, k.Diagnosis)
		}
	}
	return found
}

// byOwnWords takes words without a code: the server's, or the program's own as they stand in the log.
func byOwnWords(text string) []Meaning {
	lower := strings.ToLower(text)
	var found []Meaning
	for _, k := range diagnose.AllKnown() {
		if k.Cause != "" && strings.Contains(lower, strings.ToLower(k.Cause)) || hasAny(lower, k.Text) {
			found = add(found, k.Diagnosis)
		}
	}
	for _, code := range xoauth.Codes() {
		cause, advice, _ := xoauth.Explain(code, text)
		if strings.Contains(lower, strings.ToLower(cause)) {
			found = append(found, Meaning{Key: code, Cause: cause, Do: Steps(advice)})
		}
	}
	return found
}

func hasAny(text, alternatives string) bool {
	for a := range strings.SplitSeq(alternatives, "|") {
		if a != "" && strings.Contains(text, a) {
			return true
		}
	}
	return false
}

// byExitCode takes an exit code of sendmail's (sysexits.h).
func byExitCode(text string) []Meaning {
	text = strings.TrimSpace(strings.TrimPrefix(strings.ToLower(text), "exit code"))
	code, err := strconv.Atoi(text)
	if err != nil || sysexits.About(code) == "" {
		return nil
	}
	do := []string{"look at the line that the program printed, or in the log"}
	if code == sysexits.TempFail {
		do = append(do, "try again later")
	}
	return []Meaning{{Key: "exit code " + text, Cause: sysexits.About(code), Do: do}}
}
