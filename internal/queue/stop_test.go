package queue

import "testing"

func TestStopCovers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		stop Stop
		want bool
	}{
		{Stop{}, true}, {Stop{Mailbox: "A@b"}, true}, {Stop{Mailbox: "x@b"}, false},
		{Stop{Mailbox: "a@b", Sender: "s"}, true}, {Stop{Sender: "t"}, false},
	} {
		if got := c.stop.Covers("a@b", "s"); got != c.want {
			t.Errorf("%+v: %v", c.stop, got)
		}
	}
}
