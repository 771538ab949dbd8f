package doctor

import "testing"

func TestNagios(t *testing.T) {
	t.Parallel()
	good := Check{Name: "token", Status: OK, Seen: "granted"}
	warning := Check{Name: "expiry", Status: Warning, Key: "expires-soon",
		Seen: "the secret expires in 5 days | soon\nnow"}
	failed := Check{Name: "sign-in", About: "a@b", Status: Failed, Key: "permission", Seen: "535 5.7.3"}
	held := Check{Name: "queue", Status: Warning, Key: keyHeld, Seen: "mail waits: the secret has expired"}
	for _, c := range []struct {
		checks []Check
		line   string
		exit   int
	}{
		{[]Check{good, good}, "O365-SENDMAIL OK - 2 checks", 0},
		{[]Check{good, {Name: "spool", Status: Skipped}}, "O365-SENDMAIL OK - 2 checks", 0},
		{[]Check{good, warning, good}, "O365-SENDMAIL WARNING - expiry: the secret expires in 5 days / soon now", 1},
		{[]Check{warning, held}, "O365-SENDMAIL CRITICAL - queue: mail waits: the secret has expired", 2},
		{[]Check{warning, failed, held}, "O365-SENDMAIL CRITICAL - sign-in a@b: 535 5.7.3", 2},
	} {
		line, exit := (&Report{Checks: c.checks}).Nagios()
		if line != c.line || exit != c.exit {
			t.Errorf("%q, %d; want %q, %d", line, exit, c.line, c.exit)
		}
	}
}
