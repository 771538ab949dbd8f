package cmdline

// verdict says what becomes of a flag.
type verdict int

const (
	done    verdict = iota // does what sendmail's does
	ignored                // harmless or without meaning here: accepted, no effect
	unsafe                 // could touch a file or change trust: accepted, never acted on
)

func (v verdict) String() string {
	switch v {
	case done:
		return "done"
	case ignored:
		return "ignored"
	default:
		return "ignored for safety"
	}
}

// argument says whether a flag takes a value.
type argument int

const (
	noValue       argument = iota // -t
	needsValue                    // -f addr and -faddr
	attachedValue                 // -q and -q15m: the value stands in the same word or nowhere
)

// flag is one single-letter flag of sendmail, Postfix or Exim.
type flag struct {
	letter  byte
	arg     argument
	verdict verdict
	from    string // whose flag it is: S(endmail), P(ostfix), E(xim), L(SB)
	about   string
	set     func(o *Options, value string) error
}

// flags is the one table of flags. docs/compatibility.md has a line for each.
var flags = [...]flag{
	{'A', needsValue, ignored, "SP", "-Ac, -Am: which of Sendmail's own configuration files to use", nil},
	{'B', needsValue, done, "SPEL", "body type: 7BIT or 8BITMIME; what the message really holds decides", (*Options).setBody},
	{'b', needsValue, done, "SPEL", "mode", (*Options).setMode},
	{'C', needsValue, done, "SPE", "configuration file, read with the caller's own rights", (*Options).setConfig},
	{'c', noValue, ignored, "SP", "treat the mailer as expensive", nil},
	{'D', needsValue, unsafe, "SE", "debug log file (Sendmail), macro (Exim)", nil},
	{'d', attachedValue, ignored, "SE", "debugging", nil},
	{'E', noValue, ignored, "E", "the message is a local error report", nil},
	{'e', needsValue, done, "S", "error mode, as -oe", (*Options).setErrorMode},
	{'F', needsValue, done, "SPEL", "full name of the sender", (*Options).setFullName},
	{'f', needsValue, done, "SPEL", "envelope sender", (*Options).setSender},
	{'G', noValue, ignored, "SPE", "the message is relayed, not submitted: it gets the same care", nil},
	{'h', needsValue, done, "SPE", "hop count so far", (*Options).setHops},
	{'I', noValue, done, "SP", "as newaliases", (*Options).setNewAliases},
	{'i', noValue, done, "SPEL", "a line of a single dot does not end the message", (*Options).setIgnoreDots},
	{'L', needsValue, done, "SPE", "tag of log lines", (*Options).setTag},
	{'M', needsValue, unsafe, "SE", "macro (Sendmail), action on a queued message (Exim)", nil},
	{'m', noValue, ignored, "SPE", "send to me, too, if I am in a list", nil},
	{'N', needsValue, done, "SPE", "when to report: never, or success, failure, delay", (*Options).setNotify},
	{'n', noValue, done, "SPE", "no aliases: a local name goes to root_to", (*Options).setNoAliases},
	{'O', needsValue, unsafe, "SPE", "long option: DeliveryMode, ErrorMode, IgnoreDots are done, the rest never opens a file", (*Options).setLongOption},
	{'o', needsValue, done, "SPEL", "option, see below", (*Options).setOption},
	{'p', needsValue, ignored, "SE", "protocol and host the message came by", nil},
	{'Q', attachedValue, ignored, "SE", "quarantined messages", nil},
	{'q', attachedValue, done, "SPEL", "run the queue, once or at an interval", (*Options).setQueue},
	{'R', needsValue, done, "SPE", "how much a failure report returns: full or hdrs", (*Options).setReturn},
	{'r', needsValue, done, "SPE", "as -f", (*Options).setSender},
	{'s', noValue, ignored, "S", "a From line is kept: it never is", nil},
	{'T', noValue, ignored, "S", "test", nil},
	{'t', noValue, done, "SPEL", "recipients from the header", (*Options).setReadHeader},
	{'U', noValue, ignored, "SPE", "first submission", nil},
	{'V', needsValue, done, "SPE", "envelope id for reports", (*Options).setEnvelopeID},
	{'v', noValue, done, "SPEL", "show the SMTP dialogue, credentials replaced", (*Options).setVerbose},
	{'X', needsValue, unsafe, "SP", "log of the traffic: no file is ever opened for a caller", nil},
	{'x', needsValue, ignored, "SE", "reserved", nil},
}

// option is one -o letter (Sendmail 8 operations guide 5.6; LSB).
type option struct {
	letter  byte
	verdict verdict
	about   string
	set     func(o *Options, value string) error
}

// optionTable is the one table of -o options. Any other letter is ignored for safety:
// most of them name files or limits of Sendmail's own.
var optionTable = [...]option{
	{'7', ignored, "strip to seven bits", nil},
	{'A', unsafe, "alias file", nil},
	{'d', done, "delivery mode: i and n deliver now, b in the background, q and d queue", (*Options).setDelivery},
	{'e', done, "error mode: p prints, m and w mail refused recipients back to the sender, e does and exits with 0, q is quiet", (*Options).setErrorMode},
	{'i', done, "as -i", func(o *Options, _ string) error { return o.setIgnoreDots("") }},
	{'m', ignored, "as -m", nil},
	{'Q', unsafe, "queue directory", nil},
	{'S', unsafe, "statistics file", nil},
	{'X', unsafe, "log of the traffic", nil},
	{'v', done, "as -v", func(o *Options, _ string) error { return o.setVerbose("") }},
}

// FlagLetters returns the letters of all flags, for a test of the manual.
func FlagLetters() string {
	b := make([]byte, 0, len(flags))
	for i := range flags {
		b = append(b, flags[i].letter)
	}
	return string(b)
}

// OptionLetters returns the letters of the -o options that are told apart.
func OptionLetters() string {
	b := make([]byte, 0, len(optionTable))
	for i := range optionTable {
		b = append(b, optionTable[i].letter)
	}
	return string(b)
}
