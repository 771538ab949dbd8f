// Package cmdline reads sendmail's command line: its flags, with those of Postfix and Exim
// that callers use. It opens nothing, asks nothing, and carries nothing out.
package cmdline

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/printable"
	"o365-sendmail/internal/sysexits"
)

// Mode is what a call asks for.
type Mode byte

// The modes, named by their -b letter where they have one.
const (
	ModeDeliver    Mode = 'm'
	ModeSMTP       Mode = 's' // SMTP on standard input and output
	ModeQueueList  Mode = 'p'
	ModeNewAliases Mode = 'i'
	ModeVerify     Mode = 'v'
	ModeServe      Mode = 'd' // in the background; the agent
	ModeServeFront Mode = 'D'
	ModeQueueRun   Mode = 'q'
)

// Options is a parsed command line.
type Options struct {
	Mode        Mode
	Config      string
	FullName    string
	Sender      *string // nil: the caller's own name; "": the null sender
	IgnoreDots  bool
	ReadHeader  bool
	NoAliases   bool
	Verbose     bool
	Hops        int
	Tag         string
	Delivery    string // "interactive", "background", "queue"; "" means the configuration's
	ErrorMode   byte   // p, m, w, e, q
	Notify      envelope.Notify
	Return      string
	EnvelopeID  string
	Queue       QueueRun
	Recipients  []string
	modeIsGiven bool
}

// QueueRun is what -q asks for.
type QueueRun struct {
	// Interval is the time between runs; 0 means one run at once.
	Interval time.Duration
	// ID, Recipient and Sender select messages; "" means all.
	ID, Recipient, Sender string
	// DueOnly leaves alone what is not due yet: the run that a delivery starts by itself.
	DueOnly bool
}

// Usagef returns an error about the command line, with its exit code.
func Usagef(format string, a ...any) error {
	return sysexits.With(sysexits.Usage, fmt.Errorf(format, a...))
}

// Parse reads sendmail's flags. flags end at the first argument that is not a flag, or
// after "--"; what follows are recipients. Letters can be grouped (-ti), a value
// may stand in the same word (-fa@b) or in the next.
func Parse(args []string) (*Options, error) {
	o := &Options{Mode: ModeDeliver, ErrorMode: 'p'}
	for len(args) > 0 {
		word := args[0]
		if word == "--" {
			o.Recipients = append(o.Recipients, args[1:]...)
			return o, nil
		}
		if len(word) < 2 || word[0] != '-' {
			break
		}
		if word[1] == '-' {
			return nil, Usagef("unknown flag %.64q; see sendmail(8), or o365-sendmail --help", word)
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
			return nil, Usagef("flag %.64q stands after a recipient; flags come first (put -- before an address that "+
				"begins with a hyphen)", a)
		}
	}
	o.Recipients = args
	return o, nil
}

// word reads the letters of one word; more is what stands after it.
func (o *Options) word(letters string, more []string) ([]string, error) {
	for len(letters) > 0 {
		f := findFlag(letters[0])
		if f == nil {
			return nil, Usagef("unknown flag -%s; see sendmail(8)", printable.Line(letters[:1]))
		}
		letters = letters[1:]
		value := ""
		switch f.arg {
		case attachedValue:
			value, letters = letters, ""
			if value == "" && f.next != nil && len(more) > 0 && f.next(more[0]) {
				value, more = more[0], more[1:]
			}
		case needsValue:
			if letters == "" {
				if len(more) == 0 {
					return nil, Usagef("flag -%c needs a value", f.letter)
				}
				value, more = more[0], more[1:]
			} else {
				value, letters = letters, ""
			}
		}
		if f.letter == 'o' && takesNext(value, more) {
			if len(more) == 0 {
				return nil, Usagef("flag -o%.16s needs a value", value)
			}
			more = more[1:] // none of these options has an effect here
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

func (o *Options) setMode(v string) error {
	switch v {
	case "m", "s", "p", "i", "v", "d", "D":
		o.Mode, o.modeIsGiven = Mode(v[0]), true
		return nil
	}
	return Usagef("mode -b%.16q is not known; see sendmail(8)", v)
}

func (o *Options) setNewAliases(string) error { return o.setMode("i") }

func (o *Options) setBody(v string) error {
	switch strings.ToUpper(v) {
	case "7BIT", "8BITMIME", "8BIT", "BINARYMIME":
		return nil
	}
	return Usagef("body type -B %.32q is neither 7BIT nor 8BITMIME", v)
}

func (o *Options) setConfig(v string) error     { o.Config = v; return nil }
func (o *Options) setFullName(v string) error   { o.FullName = v; return nil }
func (o *Options) setIgnoreDots(string) error   { o.IgnoreDots = true; return nil }
func (o *Options) setReadHeader(string) error   { o.ReadHeader = true; return nil }
func (o *Options) setNoAliases(string) error    { o.NoAliases = true; return nil }
func (o *Options) setVerbose(string) error      { o.Verbose = true; return nil }
func (o *Options) setTag(v string) error        { o.Tag = v; return nil }
func (o *Options) setEnvelopeID(v string) error { o.EnvelopeID = v; return nil }

func (o *Options) setSender(v string) error {
	v = strings.TrimSpace(v)
	if strings.HasPrefix(v, "-") {
		return Usagef("sender %.64q begins with a hyphen", v)
	}
	if v == "<>" {
		v = ""
	}
	o.Sender = &v
	return nil
}

func (o *Options) setHops(v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return Usagef("hop count -h %.32q is not a number", v)
	}
	o.Hops = n
	return nil
}

func (o *Options) setNotify(v string) error {
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
			return Usagef("-N %.64q is neither never nor a list of success, failure, delay", v)
		}
	}
	if n&envelope.NotifyNever != 0 && n != envelope.NotifyNever {
		return Usagef("-N never stands alone")
	}
	o.Notify = n
	return nil
}

func (o *Options) setReturn(v string) error {
	switch strings.ToLower(v) {
	case "full":
		o.Return = "FULL"
	case "hdrs":
		o.Return = "HDRS"
	default:
		return Usagef("-R %.32q is neither full nor hdrs", v)
	}
	return nil
}

// setMacro refuses the commands for Exim's queue: their message ids are not recipients.
func (o *Options) setMacro(v string) error {
	if isEximID(v) || slices.Contains(eximQueueCommands[:], v) {
		return Usagef("flag -M%.16s is for Exim's queue; see o365-sendmail queue", strings.TrimLeft(v, "0123456789"))
	}
	return nil
}

func (o *Options) setOption(v string) error {
	if v == "" {
		return Usagef("flag -o needs a letter")
	}
	for i := range optionTable {
		if opt := &optionTable[i]; opt.letter == v[0] && opt.set != nil {
			return opt.set(o, v[1:])
		}
	}
	return nil
}

func (o *Options) setLongOption(v string) error {
	name, value, _ := strings.Cut(v, "=")
	value = strings.TrimSpace(value)
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "deliverymode":
		return o.setDelivery(firstLetter(value))
	case "errormode":
		return o.setErrorMode(firstLetter(value))
	case "queuedueonly":
		o.Queue.DueOnly = true
	case "ignoredots":
		o.IgnoreDots = !strings.HasPrefix(strings.ToLower(value), "f")
	}
	return nil
}

func firstLetter(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1])
}

func (o *Options) setDelivery(v string) error {
	switch v {
	case "i", "n", "f", "":
		o.Delivery = "interactive"
	case "b":
		o.Delivery = "background"
	case "q", "d", "qs":
		o.Delivery = "queue"
	default:
		return Usagef("delivery mode -od%.16q is none of i, b, q, d", v)
	}
	return nil
}

func (o *Options) setErrorMode(v string) error {
	switch v {
	case "p", "m", "w", "e", "q":
		o.ErrorMode = v[0]
		return nil
	}
	return Usagef("error mode -oe%.16q is none of p, m, w, e, q", v)
}

func (o *Options) setQueue(v string) error {
	if !o.modeIsGiven {
		o.Mode = ModeQueueRun
	}
	switch {
	case v == "":
		return nil
	case v[0] == 'I', v[0] == 'R', v[0] == 'S':
		if len(v) < 2 {
			return Usagef("-q%c needs a text to look for", v[0])
		}
		switch v[0] {
		case 'I':
			o.Queue.ID = v[1:]
		case 'R':
			o.Queue.Recipient = v[1:]
		default:
			o.Queue.Sender = v[1:]
		}
		return nil
	case v[0] == 'f' || v[0] == 'p' || v[0] == 'G' || v[0] == 'Q' || v[0] == 'L' || v[0] == '!':
		return nil // Sendmail's other selections: the whole queue is run
	}
	d, err := queueInterval(v)
	if err != nil {
		return err
	}
	o.Queue.Interval = d
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
			return 0, Usagef("-q%.32q is no time; write -q15m or -q1h", s)
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
				return 0, Usagef("-q%.32q is no time; write -q15m or -q1h", s)
			}
			i++
		}
		total += time.Duration(n) * unit
		rest = rest[i:]
	}
	if total <= 0 {
		return 0, Usagef("-q%.32q is no time; write -q15m or -q1h", s)
	}
	return total, nil
}
