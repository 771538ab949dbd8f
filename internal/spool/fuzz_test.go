package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"o365-sendmail/internal/envelope"
)

// file returns the content of a spool file.
func file(h head, st Status, message string) []byte {
	h.size, h.sum = int64(len(message)), checksum(0, []byte(message))
	return append(append(encodeHead(&h), encodeStatus(&st)...), message...)
}

func FuzzDecode(f *testing.F) {
	small := head{id: "20260304050607-0123456789abcdef", meta: Meta{UID: 33, Origin: "agent", Arrived: newClock().now},
		env: *to("b@example.com")}
	full := small
	full.env = *odd()
	reserved := full
	reserved.headSize = 8 * sector
	st := newStatus(1)
	used := newStatus(4)
	used.Attempts, used.Next, used.Class, used.Reason, used.Held = 7, newClock().now, "temporary", "432 \"\r\n", true
	used.Recipients[2] = RecipientStatus{Failed, 550, "5.1.10"}
	for _, b := range [][]byte{
		nil, file(small, st, string(hello)), file(full, used, ""), file(reserved, used, string(large[:3000])),
		file(small, st, "x")[:600],
		bytes.Replace(file(small, st, ""), []byte("message 1"), []byte("message 9"), 1),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		checkDecode(t, b)
		checkDecode(t, fixSums(b))
	})
}

// fixSums lets a changed head pass its checksum, so that what is behind it is tested too.
func fixSums(b []byte) []byte {
	at := bytes.Index(b, []byte("\nend ")) + 1
	if at == 0 || len(b) < at+12 {
		return b
	}
	b = bytes.Clone(b)
	copy(b[at+4:], fmt.Sprintf("%08x", checksum(0, b[:at])))
	if h, err := headLength(b); err == nil && len(b) >= h.headSize+recordSize {
		record := b[h.headSize:][:recordSize]
		copy(record[recordSize-9:], fmt.Sprintf("%08x", checksum(0, record[:recordSize-14])))
	}
	return b
}

func checkDecode(t *testing.T, b []byte) {
	h, st, err := decodeFile(b[:min(len(b), firstRead)], bytes.NewReader(b), int64(len(b)))
	if err != nil {
		if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
			t.Fatalf("error %v", err)
		}
		if strings.ContainsAny(err.Error(), "\r\n\x1b") {
			t.Fatalf("unquoted error %q", err)
		}
		return
	}
	if h.fileSize() != int64(len(b)) || len(st.Recipients) != len(h.env.Recipients) || !ValidID(h.id) {
		t.Fatalf("head %+v, status %+v", h, st)
	}
	// The status may hold what is written otherwise, such as a lost record.
	again := append(encodeHead(&h), encodeStatus(&st)...)
	h2, st2, err := decodeFile(again, bytes.NewReader(b), h.fileSize())
	if err != nil || !reflect.DeepEqual(h, h2) || st2.Lost || st.Attempts != st2.Attempts || !st.Next.Equal(st2.Next) ||
		!reflect.DeepEqual(st.Recipients, st2.Recipients) {
		t.Fatalf("%v:\n%+v\n%+v\n%+v\n%+v", err, h, h2, st, st2)
	}
	r := &verifier{r: bytes.NewReader(b[h.messageOffset():]), left: h.size, want: h.sum}
	if _, err := io.Copy(io.Discard, r); err != nil && !errors.Is(err, ErrDamaged) {
		t.Fatal(err)
	}
}

func FuzzQuoted(f *testing.F) {
	for _, s := range []string{"", "a", "\"\\", "\x00\r\n\x1b\x7f\xff", "ü", `\x41`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := appendQuoted(nil, s)
		for _, c := range b {
			if c < ' ' || c > '~' {
				t.Fatalf("%q holds %q", b, c)
			}
		}
		got, rest, ok := cutQuoted(string(b) + " rest")
		if !ok || got != s || string(rest) != " rest" {
			t.Fatalf("%q became %q, %q, %v", s, got, rest, ok)
		}
		// Whatever is not quoted is read without harm.
		_, _, _ = cutQuoted(s)
		if field := reasonField(s, reasonSize); len(field) > reasonSize {
			t.Fatalf("%d bytes", len(field))
		}
	})
}

func FuzzTable(f *testing.F) {
	t := table{counted: newClock().now}
	t.add(33, 2, 4096)
	one := append(t.headLine(), t.users[0].line()...)
	t.add(33, 1, 1)
	t.add(34, 1, 1)
	f.Add(one, slices.Concat(t.headLine(), t.users[0].line(), t.users[1].line()))
	f.Add([]byte{}, one)
	f.Fuzz(func(t *testing.T, b, earlier []byte) {
		tab, ok := parseTable(b, nil, nil)
		before, _ := parseTable(earlier, nil, nil)
		if again, same := parseTable(b, earlier, before.users); same != ok || !slices.Equal(again.users, tab.users) {
			t.Fatalf("%v %+v, by itself %v %+v", same, again.users, ok, tab.users)
		}
		if !ok && len(tab.users) > 0 {
			t.Fatalf("%+v", tab)
		}
		for _, u := range tab.users {
			if u.messages < 0 || u.bytes < 0 {
				t.Fatalf("%+v", u)
			}
		}
	})
}

func TestQuotedRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "a", `"`, `"a`, `"\`, `"\"`, `"\x`, `"\x4"`, `"\x4g"`, `"\xAB"`, `"\n"`, "\"\n\"",
		"\"ü\"", `"\\` + "\x7f\""} {
		if got, _, ok := cutQuoted(s); ok {
			t.Errorf("%q gave %q", s, got)
		}
	}
}

func TestParseRecipientRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "a@b", `"a@b" `, `"a@b" x`, `"a@b" notify=`, `"a@b" notify=MAYBE`, `"a@b" orcpt=x`,
		`"a@b" orcpt="x" notify=NEVER`, `"a@b" notify=NEVER orcpt="x" y`} {
		if got, ok := parseRecipient(s); ok {
			t.Errorf("%q gave %+v", s, got)
		}
	}
	r, ok := parseRecipient(`"a@b" notify=SUCCESS,DELAY orcpt="x"`)
	if want := (envelope.Recipient{Address: "a@b", Notify: envelope.NotifySuccess | envelope.NotifyDelay,
		ORcpt: "x"}); !ok || r != want {
		t.Errorf("%+v, %v", r, ok)
	}
}
