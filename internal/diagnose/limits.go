package diagnose

import "strings"

// throttled recognizes continuous-error throttling: after too many equal errors Exchange Online refuses
// everything from the mailbox, right mail included, for a time that it doesn't tell
// (learn.microsoft.com, "Continuous error throttling for SMTP AUTH submissions"). The words decide: page and
// logs disagree on the numbers 5.2.251 to 5.2.255, and 554 5.2.252 is SendAsDenied.
func throttled(code int, enhanced, text string) (Diagnosis, bool) {
	const words, due = "sender throttled", "due to continuous "
	_, rest, spoken := strings.Cut(text, due)
	numbered := code == 550 && hasWord("5.2.251 5.2.252 5.2.253 5.2.254 5.2.255", enhanced) &&
		!containsAny(text, sendAsWords)
	if !strings.Contains(text, words) && !(spoken && strings.Contains(text, "throttled")) && !numbered {
		return Diagnosis{}, false
	}
	d := Diagnosis{Class: AccountTemporary, Key: KeyThrottled,
		Cause:  "Exchange refuses all mail of the mailbox for a time, because one error came too often",
		Remedy: "find what repeats the error in the log; Microsoft support can't end this earlier"}
	if kind, _, ok := strings.Cut(rest, " error"); ok && plainWords(kind) {
		d.Repeated = kind
		d.Cause = "Exchange refuses all mail of the mailbox for a time, because this error came too often: " + kind
	}
	for _, r := range repeated {
		if containsAny(d.Repeated, r.text) {
			d.Remedy = r.remedy
		}
	}
	return d, true
}

// repeated holds what ends each of the errors that Exchange counts.
var repeated = [...]struct{ text, remedy string }{
	{"mailbox full", emptyMailbox},
	{"send as|sendas", allowSender},
	{"license|licence", assignLicence},
	{"recipients", "take addresses that don't exist out of the lists and aliases of this host (the log has them with " +
		"status=bounced or status=refused)"},
	{"too many recipients", "lower delivery.max_recipients to the mailbox's RecipientLimits"},
}

// plainWords reports whether s is a few words of ASCII letters: it goes into messages of ours.
func plainWords(s string) bool {
	return s != "" && len(s) <= 40 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz -") == ""
}

// Words of replies that are about a limit, a quota or patience. The second list names limits that may be
// the message's own, the third says that they are.
const (
	limitWords = "throttl|quota|rate limit|ratelimit|rate-limit|try again|try it again|try later|try your|try " +
		"sending again|retry|again later|again in |" +
		"come back|later.|at a later|after some time|tomorrow|per minute|per hour|per day|a minute|an hour|a " +
		"day|minutes|hours|daily|hourly|24 h|" +
		"too fast|too often|too frequent|too quickly|slow down|back off|backoff|temporar|overload|congest|busy|in a " +
		"while|wait |sending later|send later|at this time|right now|deferred|resend|retransmit|seconds| sec " +
		"|rate too|" +
		"message rate|sending rate|used up|allowance|budget|flood|cool-down|cooldown|cool down|" + otherLimitWords
	// Relays and their administrators write in their own languages, too.
	otherLimitWords = "später|spaeter|erneut|kontingent|gedrosselt|bergehend|plus tard|essayez|s tarde|de " +
		"nuevo|cuota|tardi|riprova"
	boundWords = "limit|exceed|too many|threshold|maximum|grenzwert|berschritten|zu viele|trop de|" +
		"demasiad|troppi"
	sizeWords = "size|byte|octet| kb| mb|hop count|hops|loop|length|too large|larger|too long|longer " +
		"than|depth|attachment|größe|groesse|zu groß|zu gross|taille|tamaño|dimensioni"
)

// speaksOfLimits reports whether a text is about throttling, limits, quotas or trying again. Addresses
// and URLs don't count: a caller chooses the former.
func speaksOfLimits(text string) bool {
	b := make([]byte, 0, len(text))
	for word := range strings.FieldsSeq(text) {
		if !strings.ContainsAny(word, "@<>") && !strings.Contains(word, "://") {
			b = append(append(b, word...), ' ')
		}
	}
	text = strings.NewReplacer("delimit", "", "or later", "", "and later", "", "not retry", "", "n't retry", "",
		"not be retried", "",
		"not try again", "", "n't try again", "", "not resend", "", "n't resend", "", "nicht erneut",
		"").Replace(string(b))
	return containsAny(text, limitWords) || containsAny(text, boundWords) && !containsAny(text, sizeWords)
}

// unknownLimit judges a refusal for good that no row knows and that speaks of limits: a wrong pause costs hours,
// a wrong bounce the message. The codes of an address or its mailbox (RFC 3463 3.2, 3.3) in answer to RCPT
// are the recipient's, and only the recipient waits.
func unknownLimit(phase, enhanced string) Diagnosis {
	if phase == phaseRcpt && (strings.HasPrefix(enhanced, "5.1.") || strings.HasPrefix(enhanced, "5.2.")) {
		return Diagnosis{Class: Temporary, Key: "recipient-limit", Cause: "the recipient can't be reached for now"}
	}
	return Diagnosis{Class: AccountTemporary, Key: KeyUnknownLimit,
		Cause: "the server speaks of a limit or of trying again",
		Remedy: "compare what <mailbox> sends with the limits of Exchange Online (Get-LimitsEnforcementStatus shows " +
			"the organization's)"}
}
