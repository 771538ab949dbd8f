package cli

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
		want options
	}{
		{"", options{}},
		{"-t -i", options{readHeader: true, ignoreDots: true}},
		{"-ti", options{readHeader: true, ignoreDots: true}},
		{"-tfa@b", options{readHeader: true, sender: ptr("a@b")}},
		{"-tf a@b x@y", options{readHeader: true, sender: ptr("a@b"), recipients: []string{"x@y"}}},
		{"-oi -f a@b x@y z", options{ignoreDots: true, sender: ptr("a@b"), recipients: []string{"x@y", "z"}}},
		{"-o i -t", options{ignoreDots: true, readHeader: true}},
		{"-f <> x@y", options{sender: ptr(""), recipients: []string{"x@y"}}},
		{"-FCronDaemon -i -B8BITMIME -oem root", options{fullName: "CronDaemon", ignoreDots: true, errorMode: 'm', recipients: []string{"root"}}},
		{"-FAnacron -odi root", options{fullName: "Anacron", delivery: "interactive", recipients: []string{"root"}}},
		{"-X /tmp/log -OQueueDirectory=/tmp -oQ/tmp -oA/tmp/a -d0.1 -D /x -t", options{readHeader: true}},
		{"-odb -oee -odq", options{delivery: "queue", errorMode: 'e'}},
		{"-O DeliveryMode=background -O ErrorMode=quiet", options{delivery: "background", errorMode: 'q'}},
		{"-N success,delay -R hdrs -V id1 x", options{notify: envelope.NotifySuccess | envelope.NotifyDelay, ret: "HDRS", envelopeID: "id1", recipients: []string{"x"}}},
		{"-Ac -Am -G -U -L tag -h 3 -v", options{tag: "tag", hops: 3, verbose: true}},
		{"-bs", options{mode: modeSMTP, modeIsGiven: true}},
		{"-bp", options{mode: modeQueueList, modeIsGiven: true}},
		{"-I", options{mode: modeNewAliases, modeIsGiven: true}},
		{"-q", options{mode: modeQueueRun}},
		{"-q15m", options{mode: modeQueueRun, queue: queueRun{interval: 15 * time.Minute}}},
		{"-q1h30", options{mode: modeQueueRun, queue: queueRun{interval: 90 * time.Minute}}},
		{"-bd -q1h", options{mode: modeServe, modeIsGiven: true, queue: queueRun{interval: time.Hour}}},
		{"-qIabc", options{mode: modeQueueRun, queue: queueRun{id: "abc"}}},
		{"-qRexample.org", options{mode: modeQueueRun, queue: queueRun{recipient: "example.org"}}},
		{"-qSroot", options{mode: modeQueueRun, queue: queueRun{fromAddr: "root"}}},
		{"-t -- -x@y", options{readHeader: true, recipients: []string{"-x@y"}}},
		{"-C /c.toml -t", options{config: "/c.toml", readHeader: true}},
	} {
		if c.want.mode == 0 {
			c.want.mode = modeDeliver
		}
		if c.want.errorMode == 0 {
			c.want.errorMode = 'p'
		}
		got, err := parse(strings.Fields(c.args))
		if err != nil {
			t.Errorf("%q: %v", c.args, err)
			continue
		}
		if len(got.recipients) == 0 {
			got.recipients = nil
		}
		if !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%q:\n got %+v\nwant %+v", c.args, *got, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-Z":                  "unknown flag -Z",
		"-t\x01":              "unknown flag",
		"-be x":               "mode",
		"-bt":                 "mode",
		"-f":                  "needs a value",
		"-N sometimes":        "-N",
		"-N never,success":    "stands alone",
		"-R all":              "-R",
		"-odz":                "delivery mode",
		"-oez":                "error mode",
		"-q5y":                "no time",
		"-qI":                 "needs a text",
		"-h x":                "hop count",
		"x@y -t":              "after a recipient",
		"-f -oQ/tmp x@y":      "begins with a hyphen",
		"-B9 x":               "body type",
		"-q99999999999999999": "no time",
	} {
		_, err := parse(strings.Fields(args))
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
		o, err := parse(strings.Split(s, " "))
		if (o == nil) == (err == nil) {
			t.Fatal("neither options nor an error, or both")
		}
		if err != nil && strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("error %q is more than a line", err)
		}
	})
}
