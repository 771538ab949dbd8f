package spool

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"o365-sendmail/internal/envelope"
)

var update = flag.Bool("update", false, "write the example file again: only with a new version of the format")

// example is the message of docs/spool-format.md.
func example() (head, Status) {
	arrived := newClock().now
	h := head{id: "20260304050607-0123456789abcdef", meta: Meta{UID: 33, Origin: "agent", Arrived: arrived}}
	h.env = envelope.Envelope{Sender: "noreply@contoso.com", Origin: "root@web1", EightBit: true,
		Recipients: []envelope.Recipient{
			{Address: "it@contoso.com"},
			{Address: `"o d"@example.com`, Notify: envelope.NotifySuccess | envelope.NotifyFailure,
				ORcpt: "rfc822;root"},
		}}
	st := newStatus(2)
	st.Recipients[0] = RecipientStatus{Done, 250, "2.1.5"}
	st.Attempts, st.Last, st.Class = 1, arrived.Truncate(time.Second), "temporary"
	st.Next, st.Reason = st.Last.Add(time.Minute), "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded"
	return h, st
}

// TestFormatStays compares with a file that an earlier build wrote: what lies in a
// spool must be readable after an upgrade.
func TestFormatStays(t *testing.T) {
	t.Parallel()
	h, st := example()
	want := file(h, st, string(hello))
	path := filepath.Join("testdata", "version-1.msg")
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the format has changed:\n%s", want)
	}
	h2, st2, err := decodeFile(got, bytes.NewReader(got), int64(len(got)))
	if err != nil || !reflect.DeepEqual(h2.env, h.env) || h2.meta != h.meta || !reflect.DeepEqual(st2, st) {
		t.Errorf("%v: %+v, %+v", err, h2, st2)
	}
}

// TestDocumentShowsTheExample keeps docs/spool-format.md true.
func TestDocumentShowsTheExample(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "spool-format.md"))
	if err != nil {
		t.Fatal(err)
	}
	h, st := example()
	text := string(file(h, st, string(hello)))
	_ = encodeHead(&h) // for its size
	front, _, _ := strings.Cut(text, "\n\n")
	for line := range strings.Lines(front + "\n") {
		if !strings.Contains(string(doc), line) {
			t.Errorf("the document does not have %q", line)
		}
	}
	status := strings.Join(strings.Fields(text[h.headSize:][:recordSize]), " ")
	if !strings.Contains(strings.Join(strings.Fields(string(doc)), " "), status) {
		t.Errorf("the document does not have %q", status)
	}
	if got := checksum(0, []byte("123456789")); got != 0xe3069283 {
		t.Errorf("check value %08x", got)
	}
}
