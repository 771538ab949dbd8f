package cmdline

// verdict says what becomes of a flag.
type verdict int

const (
	done    verdict = iota // does what sendmail's does
	ignored                // harmless or without meaning here: accepted, no effect
	unsafe                 // could touch a file or change trust: accepted, never acted on
)

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
	next    func(word string) bool // of an attachedValue: whether the next word is the value after all
}

// flags is the one table of flags. docs/compatibility.md has a line for each.
var flags = [...]flag{
	{'A', needsValue, ignored, "SP", "-Ac, -Am: which of Sendmail's own configuration files to use", nil, nil},
	{'B', needsValue, done, "SPEL", "body type: 7BIT or 8BITMIME; what the message really holds decides",
		(*Options).setBody, nil},
	{'b', needsValue, done, "SPEL", "mode", (*Options).setMode, nil},
	{'C', needsValue, done, "SPE", "configuration file; from others than root and the service user only one that " +
		"is theirs", (*Options).setConfig, nil},
	{'c', noValue, ignored, "SP", "treat the mailer as expensive", nil, nil},
	{'D', needsValue, unsafe, "SE", "debug log file (Sendmail), macro (Exim)", nil, nil},
	{'d', attachedValue, ignored, "SE", "debugging", nil, isDebugLevel},
	{'E', attachedValue, ignored, "E", "the message is a local error report", nil, nil},
	{'e', needsValue, done, "S", "error mode, as -oe", (*Options).setErrorMode, nil},
	{'F', needsValue, done, "SPEL", "full name of the sender", (*Options).setFullName, nil},
	{'f', needsValue, done, "SPEL", "envelope sender", (*Options).setSender, nil},
	{'G', noValue, ignored, "SPE", "the message is relayed, not submitted: it gets the same care", nil, nil},
	{'h', needsValue, done, "SPE", "hop count so far", (*Options).setHops, nil},
	{'I', noValue, done, "SP", "as newaliases", (*Options).setNewAliases, nil},
	{'i', noValue, done, "SPEL", "a line of a single dot does not end the message", (*Options).setIgnoreDots, nil},
	{'L', needsValue, done, "SPE", "tag of log lines", (*Options).setTag, nil},
	{'M', needsValue, unsafe, "SE", "macro (Sendmail); a command for Exim's queue, such as -Mrm, is refused",
		(*Options).setMacro, nil},
	{'m', noValue, ignored, "SPE", "send to me, too, if I am in a list", nil, nil},
	{'N', needsValue, done, "SPE", "when to report: never, or success, failure, delay", (*Options).setNotify, nil},
	{'n', noValue, done, "SPE", "no aliases: a local name goes to root_to", (*Options).setNoAliases, nil},
	{'O', needsValue, unsafe, "SPE", "long option: DeliveryMode, ErrorMode, IgnoreDots are done, the rest never " +
		"opens a file", (*Options).setLongOption, nil},
	{'o', needsValue, done, "SPEL", "option, see below", (*Options).setOption, nil},
	{'p', needsValue, ignored, "SE", "protocol and host the message came by", nil, nil},
	{'Q', attachedValue, ignored, "SE", "quarantined messages", nil, nil},
	{'q', attachedValue, done, "SPEL", "run the queue, once or at an interval", (*Options).setQueue, isInterval},
	{'R', needsValue, done, "SPE", "how much a failure report returns: full or hdrs", (*Options).setReturn, nil},
	{'r', needsValue, done, "SPE", "as -f", (*Options).setSender, nil},
	{'s', noValue, ignored, "S", "a From line is kept: it never is", nil, nil},
	{'T', noValue, ignored, "S", "test", nil, nil},
	{'t', noValue, done, "SPEL", "recipients from the header", (*Options).setReadHeader, nil},
	{'U', noValue, ignored, "SPE", "first submission", nil, nil},
	{'V', needsValue, done, "SPE", "envelope id for reports", (*Options).setEnvelopeID, nil},
	{'v', noValue, done, "SPEL", "show the SMTP dialogue, credentials replaced", (*Options).setVerbose, nil},
	{'X', needsValue, unsafe, "SP", "log of the traffic: no file is ever opened for a caller", nil, nil},
	{'x', noValue, ignored, "PE", "reserved", nil, nil},
}

// option is one -o letter (Sendmail 8 operations guide 5.6; LSB; Exim specification 5.2).
type option struct {
	letter  byte
	verdict verdict
	about   string
	set     func(o *Options, value string) error
	// next reports whether the next word is the value of a letter that stands alone, as in
	// Exim; nil means that it never is.
	next func(word string) bool
}

// optionTable is the one table of -o options. Any other letter is ignored for safety:
// most of them name files or limits of Sendmail's own.
var optionTable = [...]option{
	{'7', ignored, "strip to seven bits", nil, nil},
	{'A', unsafe, "alias file", nil, anyWord},
	{'B', ignored, "Exim: messages over one connection", nil, isNumber},
	{'d', done, "delivery mode: i, n and f deliver now, b in the background, q and d queue",
		(*Options).setDelivery, nil},
	{'e', done, "error mode: p prints, m and w mail refused and invalid recipients back to the sender, " +
		"e does and exits with 0, q is quiet; what may pass later is printed, with its exit code",
		(*Options).setErrorMode, nil},
	{'i', done, "as -i", func(o *Options, _ string) error { return o.setIgnoreDots("") }, nil},
	{'M', unsafe, "macro (Sendmail); Exim's -oMa, -oMaa, -oMai, -oMas, -oMi, -oMm, -oMr, -oMs and -oMt take the " +
		"next word", nil, nil},
	{'m', ignored, "as -m", nil, nil},
	{'P', unsafe, "Exim: file for the process id", nil, anyWord},
	{'Q', unsafe, "queue directory", nil, nil},
	{'r', ignored, "Exim: time limit for standard input", nil, isTime},
	{'S', unsafe, "statistics file", nil, nil},
	{'s', ignored, "Exim: time limit for SMTP", nil, isTime},
	{'X', unsafe, "limit on the load (Sendmail), where to listen (Exim)", nil, anyWord},
	{'v', done, "as -v", func(o *Options, _ string) error { return o.setVerbose("") }, nil},
}
