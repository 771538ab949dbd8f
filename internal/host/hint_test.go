package host

import "testing"

func TestHint(t *testing.T) {
	t.Parallel()
	const start = "nobody answers: " + StartAgent + "; journalctl -u o365-sendmail says why it ended"
	for _, c := range []struct {
		text                  string
		root, systemd, script bool
		want                  string
	}{
		{start, false, true, false, start},
		{start, true, true, false, "nobody answers: systemctl start o365-sendmail.socket o365-sendmail.service; " +
			"journalctl -u o365-sendmail says why it ended"},
		{start, true, false, true, "nobody answers: service o365-sendmail start; its log says why it ended"},
		{start, false, false, true, "nobody answers: sudo service o365-sendmail start; its log says why it ended"},
		{start, true, false, false, "nobody answers: o365-sendmail serve; its log says why it ended"},
		{"sudo systemctl restart o365-sendmail; x", false, false, false,
			"end o365-sendmail serve and start it again; x"},
		{"run systemctl reload o365-sendmail", true, false, true, "run service o365-sendmail reload"},
		{"sudo chmod 0640 f && sudo chown a f", true, false, false, "chmod 0640 f && chown a f"},
		{"sudo chmod 0640 f", false, false, false, "sudo chmod 0640 f"},
	} {
		if got := hint(c.text, c.root, c.systemd, c.script); got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}
