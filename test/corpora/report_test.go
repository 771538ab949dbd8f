//go:build corpora

package corpora

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// report counts what the judge saw.
type report struct {
	projects []string
	messages int
	leaves   int
	dkim     int
	size     map[string]int            // messages of a project
	rules    map[string]map[string]int // by rule and route
}

func newReport(samples []sample) *report {
	r := &report{messages: len(samples), size: map[string]int{}, rules: map[string]map[string]int{}}
	for _, s := range samples {
		if r.size[s.project]++; r.size[s.project] == 1 {
			r.projects = append(r.projects, s.project)
		}
	}
	return r
}

// judge compares what arrived by a route with what was sent.
func (r *report) judge(t *testing.T, route string, samples []sample, arrivals []arrival) {
	t.Helper()
	dir := t.TempDir()
	var pairs [][2]string
	var sent []sample
	for i, a := range arrivals {
		s := samples[i]
		where := fmt.Sprintf("%s: %s", route, s.file)
		if a.exit != 0 {
			rule, ok := refusal(a)
			if !ok || a.copies > 0 {
				t.Errorf("%s: exit %d, %d arrived: %s", where, a.exit, a.copies, a.stderr)
			}
			r.count(rule, route)
			continue
		}
		if a.copies != 1 || !slices.Equal(a.to, []string{s.to}) || a.from != mailbox || a.stderr != "" {
			t.Errorf("%s: %d arrived, from %q to %q: %s", where, a.copies, a.from, a.to, a.stderr)
			continue
		}
		name := filepath.Join(dir, fmt.Sprint(i))
		must(t, os.WriteFile(name, a.data, 0o600))
		pairs, sent = append(pairs, [2]string{s.file, name}), append(sent, s)
	}
	for i, v := range judged(t, pairs) {
		for _, f := range v.Faults {
			t.Errorf("%s: %s: %s", route, sent[i].file, f)
		}
		for _, rule := range v.Rules {
			r.count(rule, route)
		}
		if route == "direct" {
			r.leaves += v.Leaves
			r.dkim += v.DKIM
		}
	}
}

func (r *report) count(rule, route string) {
	if !slices.ContainsFunc(rules, func(known struct{ name, what, why string }) bool { return known.name == rule }) {
		panic("the judge knows a rule that the page does not: " + rule)
	}
	if r.rules[rule] == nil {
		r.rules[rule] = map[string]int{}
	}
	r.rules[rule][route]++
}

// mailbox is the emulator's, as which everything leaves.
const mailbox = "noreply@contoso.test"

// refusals are the rules by which a message is not taken, by a part of the error.
var refusals = map[string]string{}

// refusal is the rule by which a message is not taken.
func refusal(a arrival) (rule string, ok bool) {
	for text, rule := range refusals {
		if strings.Contains(a.stderr, text) {
			return rule, true
		}
	}
	return "", false
}

// rules are what the judge allows, with the reason.
var rules = []struct{ name, what, why string }{
	{"received", "a Received field on top", "RFC 5321 4.4"},
	{"from", "From is the mailbox with the author's name; the authors' addresses are in Reply-To",
		"RFC 6409 6.1, 8.8: Exchange sends as the mailbox that signs in and as nobody else"},
	{"sender", "Sender is gone", "RFC 5322 3.6.2: the author and the transmitter are one now"},
	{"return-path", "Return-Path is gone", "RFC 5321 4.4: it is for the final delivery to add"},
	{"bcc", "Bcc is gone", "RFC 5322 3.6.3"},
	{"message-id-added", "a Message-ID where there was none", "RFC 6409 8.3"},
	{"message-id", "a Message-ID that is none was fixed", "RFC 5322 3.6.4"},
	{"date-added", "a Date where there was none", "RFC 6409 8.2"},
	{"date", "a Date that is none is written as one, or replaced; X-Original-Date has it", "RFC 5322 3.3"},
	{"undisclosed", "To: undisclosed-recipients:; where neither To nor Cc names anybody",
		"RFC 5322 3.6.3, and RFC 822 wanted one"},
	{"qualified", "a local name in To or Cc has the mail domain", "RFC 6409 4.2"},
	{"address-form", "a name that needs quotes has them, and a comma stands between addresses", "RFC 5322 3.4"},
	{"type-form", "a Content-Type that readers take in several ways is written in one", "RFC 2045 5.1"},
	{"joined", "fields that stand once were joined", "RFC 5322 3.6"},
	{"once", "of fields that stand once the first was kept", "RFC 5322 3.6"},
	{"empty", "an empty field is gone", "RFC 5322 3.6.3, 3.6.4: an address list has an address"},
	{"encoded-word", "8-bit text in a field is an encoded word that reads the same", "RFC 2047"},
	{"smtputf8", "8-bit text round an address whose local part is not ASCII is encoded, the address stays",
		"RFC 6531 3.2, RFC 6532 3.2"},
	{"parameter", "an 8-bit parameter is written in its extended form", "RFC 2231 4"},
	{"label", "8-bit content, or content with a wrong label, has labels that are true; its bytes are the same " +
		"when decoded", "RFC 2045 6, RFC 6152 3; a multipart has no encoding (RFC 2045 6.4), and there is no binary " +
		"without BDAT (RFC 3030 3)"},
	{"no-boundary", "a multipart without a boundary is text", "RFC 2045 5.2, RFC 2046 5.1.1: it can't have parts"},
	{"bare-cr", "a CR by itself ends a line", "RFC 5321 2.3.8: there is no CR without LF on the wire"},
	{"blank-first", "a first line that begins with a blank is no field, and so all is text", "RFC 5322 2.2"},
}

// page is docs/corpora.md.
func (r *report) page() string {
	var b strings.Builder
	b.WriteString("# Other projects' messages\n\n")
	b.WriteString("`make corpora` fetches the test messages of the projects below at pinned versions " +
		"(`test/corpora/sources.tsv`), sends\neach through `sendmail -i -f sender -- recipient`, directly and by way " +
		"of the agent, and has Python's `email` package\ncompare what arrives: fields in order, structure, " +
		"the digest " +
		"of each leaf, the envelope, and DKIM body hashes. A\ndifference that no rule below allows fails it. " +
		"This page is written by it.\n\n")
	fmt.Fprintf(&b, "%d messages of %d projects with %d leaves; %d valid DKIM body hashes, all valid afterwards.\n\n",
		r.messages, len(r.projects), r.leaves, r.dkim)
	b.WriteString("| project | messages |\n|---|---|\n")
	for _, p := range r.projects {
		fmt.Fprintf(&b, "| %s | %d |\n", strings.ReplaceAll(p, "_", "/"), r.size[p])
	}
	b.WriteString("\n## Differences that are right\n\n| rule | what differs | why | direct | agent |\n" +
		"|---|---|---|---|---|\n")
	for _, rule := range rules {
		if n := r.rules[rule.name]; n != nil {
			fmt.Fprintf(&b, "| %s | %s | %s | %d | %d |\n", rule.name, rule.what, rule.why, n["direct"], n["agent"])
		}
	}
	return b.String()
}
