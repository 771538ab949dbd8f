package spool

import (
	"slices"
	"testing"
	"time"
)

func TestKey(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"20261125102539-79ea9d84705b2638", "00010101000000-0000000000000000",
		"99991231235959-ffffffffffffffff"} {
		q, ok := ParseKey(id)
		if !ok || q.String() != id {
			t.Errorf("%s: %v %v", id, q, ok)
		}
	}
	q, _ := ParseKey("20261125102539-79ea9d84705b2638")
	if got := q.Time(); !got.Equal(time.Date(2026, 11, 25, 10, 25, 39, 0, time.UTC)) {
		t.Errorf("%v", got)
	}
	for _, id := range []string{"", "x", "20261125102539-79EA9D84705B2638", "20261125102539-79ea9d84705b2638.msg"} {
		if _, ok := ParseKey(id); ok {
			t.Errorf("%q was taken", id)
		}
	}
	ids := []string{"20261125102539-79ea9d84705b2638", "20261125102539-79ea9d84705b2639",
		"20261125102540-0000000000000000"}
	for i := range ids {
		for j := range ids {
			a, _ := ParseKey(ids[i])
			b, _ := ParseKey(ids[j])
			if got, want := a.Compare(b), slices.Compare([]byte(ids[i]), []byte(ids[j])); got != want {
				t.Errorf("%s with %s: %d", ids[i], ids[j], got)
			}
		}
	}
}
