package deliver

import (
	"testing"

	"o365-sendmail/internal/notify"
	"o365-sendmail/internal/queue"
	"o365-sendmail/internal/spool"
)

func TestUserOf(t *testing.T) {
	t.Parallel()
	e := NewEngine(EngineOptions{Config: Config{ServiceUID: 990, Owner: func(uid int) (int, bool) {
		if uid >= 100000 {
			return 33, true
		}
		return uid, uid >= 0 && uid < 5000
	}}})
	for _, c := range []struct {
		meta  spool.Meta
		id    int
		known bool
	}{
		{spool.Meta{UID: 0}, queue.Root, true}, {spool.Meta{UID: 990}, queue.Root, true},
		{spool.Meta{UID: -1, Origin: notify.OriginAlert}, queue.Root, true},
		{spool.Meta{UID: 33, Origin: notify.OriginAlert}, 33, true},
		{spool.Meta{UID: -1, Origin: notify.OriginReport}, queue.ReportWriter, true},
		{spool.Meta{UID: -1, Origin: "smtp 127.0.0.1:2525"}, spool.Meta{UID: -1, Origin: "smtp 127.0.0.1:7"}.Sharer(),
			false},
		{spool.Meta{UID: -1, Origin: "smtp cert:web1 192.0.2.1:25"},
			spool.Meta{UID: -1, Origin: "smtp cert:web1 192.0.2.2:7"}.Sharer(), true},
		{spool.Meta{UID: -1, Origin: "odd"}, -1, false},
		{spool.Meta{UID: 100001}, 33, true}, {spool.Meta{UID: 165535}, 33, true}, {spool.Meta{UID: 6000}, 6000, false},
	} {
		if u := e.user(c.meta); u.ID != c.id || u.Stranger == c.known {
			t.Errorf("%+v: %+v", c.meta, u)
		}
	}
}
