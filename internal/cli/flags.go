package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/sysexits"
)

// mode is what a call asks for.
type mode byte

// The modes, named by their -b letter where they have one.
const (
	modeDeliver    mode = 'm'
	modeSMTP       mode = 's' // SMTP on standard input and output
	modeQueueList  mode = 'p'
	modeNewAliases mode = 'i'
	modeVerify     mode = 'v'
	modeServe      mode = 'd' // in the background; the agent
	modeServeFront mode = 'D'
	modeQueueRun   mode = 'q'
)

// options is a parsed command line.
type options struct {
	mode        mode
	config      string
	fullName    string
	sender      *string // nil: the caller's own name; "": the null sender
	ignoreDots  bool
	readHeader  bool
	noAliases   bool
	verbose     bool
	hops        int
	tag         string
	delivery    string // "interactive", "background", "queue"; "" means the configuration's
	errorMode   byte   // p, m, w, e, q
	notify      envelope.Notify
	ret         string
	envelopeID  string
	queue       queueRun
	recipients  []string
	modeIsGiven bool
}

// queueRun is what -q asks for.
type queueRun struct {
	interval                time.Duration
	id, recipient, fromAddr string
	// dueOnly leaves alone what is not due yet: the run that a delivery starts by itself.
	dueOnly bool
}

func usagef(format string, a ...any) error {
	return sysexits.With(sysexits.Usage, fmt.Errorf(format, a...))
}

// parse reads sendmail's flags. Flags end at the first argument that is none, or
// after "--"; what follows are recipients. Letters can be grouped (-ti), a value
// may stand in the same word (-fa@b) or in the next.
func parse(args []string) (*options, error) {
	o := &options{mode: modeDeliver, errorMode: 'p'}
	for len(args) > 0 {
		word := args[0]
		if word == "--" {
			o.recipients = append(o.recipients, args[1:]...)
			return o, nil
		}
		if len(word) < 2 || word[0] != '-' {
			break
		}
		args = args[1:]
		rest, err := o.word(word[1:], args)
		if err != nil {
			return nil, err
		}
		args = rest
	}
	for _, a := range args {
		if strings.HasPrefix(a, "-") {
			return nil, usagef("flag %.64q stands after a recipient; flags come first (put -- before an address that begins with a hyphen)", a)
		}
	}
	o.recipients = args
	return o, nil
}

// word reads the letters of one word; more is what stands after it.
func (o *options) word(letters string, more []string) ([]string, error) {
	for len(letters) > 0 {
		f := findFlag(letters[0])
		if f == nil {
			return nil, usagef("unknown flag -%s; see sendmail(8)", printable(letters[0]))
		}
		letters = letters[1:]
		value := ""
		switch f.arg {
		case attachedValue:
			value, letters = letters, ""
		case needsValue:
			if letters == "" {
				if len(more) == 0 {
					return nil, usagef("flag -%c needs a value", f.letter)
				}
				value, more = more[0], more[1:]
			} else {
				value, letters = letters, ""
			}
		}
		if f.set != nil {
			if err := f.set(o, value); err != nil {
				return nil, err
			}
		}
	}
	return more, nil
}

func findFlag(letter byte) *flag {
	for i := range flags {
		if flags[i].letter == letter {
			return &flags[i]
		}
	}
	return nil
}

func printable(c byte) string {
	if c < 0x20 || c > 0x7e {
		return strconv.QuoteToASCII(string(rune(c)))
	}
	return string(rune(c))
}

func (o *options) setMode(v string) error {
	switch v {
	case "m", "s", "p", "i", "v", "d", "D":
		o.mode, o.modeIsGiven = mode(v[0]), true
		return nil
	}
	return usagef("mode -b%.16q is not known; see sendmail(8)", v)
}

func (o *options) setNewAliases(string) error { return o.setMode("i") }

func (o *options) setBody(v string) error {
	switch strings.ToUpper(v) {
	case "7BIT", "8BITMIME", "8BIT", "BINARYMIME":
		return nil
	}
	return usagef("body type -B %.32q is neither 7BIT nor 8BITMIME", v)
}

func (o *options) setConfig(v string) error     { o.config = v; return nil }
func (o *options) setFullName(v string) error   { o.fullName = v; return nil }
func (o *options) setIgnoreDots(string) error   { o.ignoreDots = true; return nil }
func (o *options) setReadHeader(string) error   { o.readHeader = true; return nil }
func (o *options) setNoAliases(string) error    { o.noAliases = true; return nil }
func (o *options) setVerbose(string) error      { o.verbose = true; return nil }
func (o *options) setTag(v string) error        { o.tag = v; return nil }
func (o *options) setEnvelopeID(v string) error { o.envelopeID = v; return nil }

func (o *options) setSender(v string) error {
	v = strings.TrimSpace(v)
	if strings.HasPrefix(v, "-") {
		return usagef("sender %.64q begins with a hyphen", v)
	}
	if v == "<>" {
		v = ""
	}
	o.sender = &v
	return nil
}

func (o *options) setHops(v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return usagef("hop count -h %.32q is not a number", v)
	}
	o.hops = n
	return nil
}

func (o *options) setNotify(v string) error {
	var n envelope.Notify
	for _, word := range strings.Split(v, ",") {
		switch strings.ToLower(strings.TrimSpace(word)) {
		case "never":
			n |= envelope.NotifyNever
		case "success":
			n |= envelope.NotifySuccess
		case "failure":
			n |= envelope.NotifyFailure
		case "delay":
			n |= envelope.NotifyDelay
		default:
			return usagef("-N %.64q is neither never nor a list of success, failure, delay", v)
		}
	}
	if n&envelope.NotifyNever != 0 && n != envelope.NotifyNever {
		return usagef("-N never stands alone")
	}
	o.notify = n
	return nil
}

func (o *options) setReturn(v string) error {
	switch strings.ToLower(v) {
	case "full":
		o.ret = "FULL"
	case "hdrs":
		o.ret = "HDRS"
	default:
		return usagef("-R %.32q is neither full nor hdrs", v)
	}
	return nil
}

func (o *options) setOption(v string) error {
	if v == "" {
		return usagef("flag -o needs a letter")
	}
	for i := range optionTable {
		if opt := &optionTable[i]; opt.letter == v[0] && opt.set != nil {
			return opt.set(o, v[1:])
		}
	}
	return nil
}

func (o *options) setLongOption(v string) error {
	name, value, _ := strings.Cut(v, "=")
	value = strings.TrimSpace(value)
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "deliverymode":
		return o.setDelivery(firstLetter(value))
	case "errormode":
		return o.setErrorMode(firstLetter(value))
	case "queuedueonly":
		o.queue.dueOnly = true
	case "ignoredots":
		o.ignoreDots = !strings.HasPrefix(strings.ToLower(value), "f")
	}
	return nil
}

func firstLetter(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1])
}

func (o *options) setDelivery(v string) error {
	switch v {
	case "i", "n", "":
		o.delivery = "interactive"
	case "b":
		o.delivery = "background"
	case "q", "d":
		o.delivery = "queue"
	default:
		return usagef("delivery mode -od%.16q is none of i, b, q, d", v)
	}
	return nil
}

func (o *options) setErrorMode(v string) error {
	switch v {
	case "p", "m", "w", "e", "q":
		o.errorMode = v[0]
		return nil
	}
	return usagef("error mode -oe%.16q is none of p, m, w, e, q", v)
}

func (o *options) setQueue(v string) error {
	if !o.modeIsGiven {
		o.mode = modeQueueRun
	}
	switch {
	case v == "":
		return nil
	case v[0] == 'I', v[0] == 'R', v[0] == 'S':
		if len(v) < 2 {
			return usagef("-q%c needs a text to look for", v[0])
		}
		switch v[0] {
		case 'I':
			o.queue.id = v[1:]
		case 'R':
			o.queue.recipient = v[1:]
		default:
			o.queue.fromAddr = v[1:]
		}
		return nil
	case v[0] == 'f' || v[0] == 'p' || v[0] == 'G' || v[0] == 'Q' || v[0] == 'L' || v[0] == '!':
		return nil // Sendmail's other selections: the whole queue is run
	}
	d, err := queueInterval(v)
	if err != nil {
		return err
	}
	o.queue.interval = d
	return nil
}

// queueInterval reads Sendmail's times: 15m, 1h30m, 2d; a bare number is minutes.
func queueInterval(s string) (time.Duration, error) {
	var total time.Duration
	for rest := s; rest != ""; {
		i := 0
		for i < len(rest) && rest[i] >= '0' && rest[i] <= '9' {
			i++
		}
		n, err := strconv.Atoi(rest[:i])
		if err != nil || n > 1_000_000 {
			return 0, usagef("-q%.32q is no time; write -q15m or -q1h", s)
		}
		unit := time.Minute
		if i < len(rest) {
			switch rest[i] {
			case 's':
				unit = time.Second
			case 'm':
			case 'h':
				unit = time.Hour
			case 'd':
				unit = 24 * time.Hour
			case 'w':
				unit = 7 * 24 * time.Hour
			default:
				return 0, usagef("-q%.32q is no time; write -q15m or -q1h", s)
			}
			i++
		}
		total += time.Duration(n) * unit
		rest = rest[i:]
	}
	if total <= 0 {
		return 0, usagef("-q%.32q is no time; write -q15m or -q1h", s)
	}
	return total, nil
}
