package cmdline

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/internal/sysexits"
)

func ptr(s string) *string { return &s }

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args string
		want Options
	}{
		{"", Options{}},
		{"-t -i", Options{ReadHeader: true, IgnoreDots: true}},
		{"-ti", Options{ReadHeader: true, IgnoreDots: true}},
		{"-tfa@b", Options{ReadHeader: true, Sender: ptr("a@b")}},
		{"-tf a@b x@y", Options{ReadHeader: true, Sender: ptr("a@b"), Recipients: []string{"x@y"}}},
		{"-oi -f a@b x@y z", Options{IgnoreDots: true, Sender: ptr("a@b"), Recipients: []string{"x@y", "z"}}},
		{"-o i -t", Options{IgnoreDots: true, ReadHeader: true}},
		{"-f <> x@y", Options{Sender: ptr(""), Recipients: []string{"x@y"}}},
		{"-FCronDaemon -i -B8BITMIME -oem root", Options{FullName: "CronDaemon", IgnoreDots: true, ErrorMode: 'm',
			Recipients: []string{"root"}}},
		{"-FAnacron -odi root", Options{FullName: "Anacron", Delivery: "interactive", Recipients: []string{"root"}}},
		{"-X /tmp/log -OQueueDirectory=/tmp -oQ/tmp -oA/tmp/a -d0.1 -D /x -t", Options{ReadHeader: true}},
		{"-odb -oee -odq", Options{Delivery: "queue", ErrorMode: 'e'}},
		{"-O DeliveryMode=background -O ErrorMode=quiet", Options{Delivery: "background", ErrorMode: 'q'}},
		{"-N success,delay -R hdrs -V id1 x", Options{Notify: envelope.NotifySuccess | envelope.NotifyDelay,
			Return: "HDRS", EnvelopeID: "id1", Recipients: []string{"x"}}},
		{"-Ac -Am -G -U -L tag -h 3 -v", Options{Tag: "tag", Hops: 3, Verbose: true}},
		{"-bs", Options{Mode: ModeSMTP, modeIsGiven: true}},
		{"-bp", Options{Mode: ModeQueueList, modeIsGiven: true}},
		{"-I", Options{Mode: ModeNewAliases, modeIsGiven: true}},
		{"-q", Options{Mode: ModeQueueRun}},
		{"-q15m", Options{Mode: ModeQueueRun, Queue: QueueRun{Interval: 15 * time.Minute}}},
		{"-q1h30", Options{Mode: ModeQueueRun, Queue: QueueRun{Interval: 90 * time.Minute}}},
		{"-bd -q1h", Options{Mode: ModeServe, modeIsGiven: true, Queue: QueueRun{Interval: time.Hour}}},
		{"-qIabc", Options{Mode: ModeQueueRun, Queue: QueueRun{ID: "abc"}}},
		{"-qRexample.org", Options{Mode: ModeQueueRun, Queue: QueueRun{Recipient: "example.org"}}},
		{"-qSroot", Options{Mode: ModeQueueRun, Queue: QueueRun{Sender: "root"}}},
		{"-t -- -x@y", Options{ReadHeader: true, Recipients: []string{"-x@y"}}},
		{"-oMr spam-scanned a@b", Options{Recipients: []string{"a@b"}}},
		{"-oMa 192.0.2.1 -oMs host.example -oMi 192.0.2.2 -oMt ident a@b", Options{Recipients: []string{"a@b"}}},
		{"-oMm 1aBcDe-000001-XX -oMaa plain -oMai id -oMas s@b a@b", Options{Recipients: []string{"a@b"}}},
		{"-oMr=esmtp -oMrspam a@b", Options{Recipients: []string{"a@b"}}},
		{"-oMarelay a@b", Options{Recipients: []string{"a@b"}}},
		{"-o Mr spam-scanned a@b", Options{Recipients: []string{"a@b"}}},
		{"-tioMr spam-scanned a@b", Options{ReadHeader: true, IgnoreDots: true, Recipients: []string{"a@b"}}},
		{"-oMr -oi a@b", Options{Recipients: []string{"a@b"}}},
		{"-oA /etc/aliases -oP /run/pid -oX 25 -oB 3 -os 5m -or 30 a@b", Options{Recipients: []string{"a@b"}}},
		{"-oA/etc/aliases -oX8 -oB -os a@b", Options{Recipients: []string{"a@b"}}},
		{"-d 0.1 a@b", Options{Recipients: []string{"a@b"}}},
		{"-d a@b", Options{Recipients: []string{"a@b"}}},
		{"-E1aBcDe-000001-XX a@b", Options{Recipients: []string{"a@b"}}},
		{"-x a@b", Options{Recipients: []string{"a@b"}}},
		{"-odf -odqs", Options{Delivery: "queue"}},
		{"-bd -q 30m", Options{Mode: ModeServe, modeIsGiven: true, Queue: QueueRun{Interval: 30 * time.Minute}}},
		{"-p ESMTP:host.example -A c -L t -Mrvalue a@b", Options{Tag: "t", Recipients: []string{"a@b"}}},
		{"-C /c.toml -t", Options{Config: "/c.toml", ReadHeader: true}},
	} {
		if c.want.Mode == 0 {
			c.want.Mode = ModeDeliver
		}
		if c.want.ErrorMode == 0 {
			c.want.ErrorMode = 'p'
		}
		got, err := Parse(strings.Fields(c.args))
		if err != nil {
			t.Errorf("%q: %v", c.args, err)
			continue
		}
		if len(got.Recipients) == 0 {
			got.Recipients = nil
		}
		if !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%q:\n got %+v\nwant %+v", c.args, *got, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-Z":                    "unknown flag -Z",
		"--help":                `unknown flag "--help"`,
		"-t\x01":                "unknown flag",
		"-be x":                 "mode",
		"-bt":                   "mode",
		"-f":                    "needs a value",
		"-N sometimes":          "-N",
		"-N never,success":      "stands alone",
		"-R all":                "-R",
		"-odz":                  "delivery mode",
		"-oez":                  "error mode",
		"-q5y":                  "no time",
		"-qI":                   "needs a text",
		"-h x":                  "hop count",
		"x@y -t":                "after a recipient",
		"-f -oQ/tmp x@y":        "begins with a hyphen",
		"-B9 x":                 "body type",
		"-oMr":                  "needs a value",
		"-Mrm 1aBcDe-000001-XX": "Exim's queue",
		"-M 1aBcDe-000001-XX":   "Exim's queue",
		"-q99999999999999999":   "no time",
	} {
		_, err := Parse(strings.Fields(args))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", args, err, want)
			continue
		}
		if code := sysexits.Code(err, 0); code != sysexits.Usage {
			t.Errorf("%q: exit code %d", args, code)
		}
		if strings.ContainsAny(err.Error(), "\r\n\x01") {
			t.Errorf("%q: error %q is not one clean line", args, err)
		}
	}
}

func FuzzParseFlags(f *testing.F) {
	f.Add("-t -i -fa@b -oem x@y")
	f.Add("-q1h30 -bs -- -x")
	f.Add("-O DeliveryMode -N never -")
	f.Fuzz(func(t *testing.T, s string) {
		o, err := Parse(strings.Split(s, " "))
		if (o == nil) == (err == nil) {
			t.Fatal("neither options nor an error, or both")
		}
		if err != nil && strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("error %q is more than a line", err)
		}
	})
}
