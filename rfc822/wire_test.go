package rfc822

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"flag"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// Each testdata/x.eml gives x.8bit.golden for a server with 8BITMIME and
// x.7bit.golden for one without.
func TestWireGolden(t *testing.T) {
	t.Parallel()
	inputs, err := filepath.Glob("testdata/*.eml")
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no test data: %v", err)
	}
	for _, name := range inputs {
		input, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for suffix, o := range map[string]WireOptions{"8bit": {AllowEightBit: true}, "7bit": {}} {
			t.Run(filepath.Base(name)+"/"+suffix, func(t *testing.T) {
				t.Parallel()
				m := mustRead(t, string(input), ReadOptions{Memory: 100})
				got := wireText(t, m, o)
				compareGolden(t, strings.TrimSuffix(name, "eml")+suffix+".golden", got)
				checkContent(t, m, got)
				if suffix == "7bit" {
					checkLater(t, m, got)
				}
			})
		}
	}
}

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update writes it again):\n%s", name, got)
	}
}

// checkContent checks that readers find the same content before and after.
func checkContent(t testing.TB, m *Message, wire string) {
	t.Helper()
	var before bytes.Buffer
	for _, f := range m.Header.Fields() {
		before.Write(f.Raw())
	}
	before.WriteString("\r\n")
	if _, err := io.Copy(&before, io.NewSectionReader(m.body, 0, m.info.Size)); err != nil {
		t.Fatal(err)
	}
	want, ok := leaves(before.Bytes())
	if !ok {
		return
	}
	got, ok := leaves([]byte(wire))
	if !ok {
		t.Errorf("standard parsers no longer understand the message: %q", wire)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the content changed:\ngot  %.3000q\nwant %.3000q", got, want)
	}
}

// checkLater checks that a stored 8-bit wire form, sent to a server without 8BITMIME,
// gives the same as the message did.
func checkLater(t testing.TB, m *Message, sevenBit string) {
	t.Helper()
	eightBit := wireText(t, m, WireOptions{AllowEightBit: true})
	again, err := FromWire(strings.NewReader(eightBit), int64(len(eightBit)))
	if err != nil {
		t.Fatalf("FromWire: %v", err)
	}
	if got := wireText(t, again, WireOptions{AllowEightBit: true}); got != eightBit {
		t.Errorf("FromWire changes a message:\ngot  %q\nwant %q", got, eightBit)
	}
	later := wireText(t, again, WireOptions{})
	want, ok := leaves([]byte(sevenBit))
	if got, fine := leaves([]byte(later)); ok && (!fine || !slices.Equal(got, want)) {
		t.Errorf("re-encoding later gives other content:\ngot  %.2000q\nwant %.2000q", got, want)
	}
}

// oldNames finds names with blanks before their colon.
var oldNames = regexp.MustCompile(`(?m)^([^\x00- \x7f:]+)[ \t]+:`)

// leaves returns the decoded content of a message's parts, as the standard library's
// parsers see it; ok is false if they do not understand it. They would pass over fields with
// blanks before the colon, which a reader has to take (RFC 5322 4.5), so it writes those plainly.
func leaves(message []byte) (content []string, ok bool) {
	if end := bytes.Index(message, []byte("\r\n\r\n")); end > 0 && !bytes.HasPrefix(message, []byte("\r\n")) {
		message = slices.Concat(oldNames.ReplaceAll(message[:end], []byte("$1:")), message[end:])
	}
	m, err := mail.ReadMessage(bytes.NewReader(message))
	if err != nil {
		return nil, false
	}
	return entityLeaves(textproto.MIMEHeader(m.Header), m.Body, 0)
}

func entityLeaves(h textproto.MIMEHeader, body io.Reader, depth int) (content []string, ok bool) {
	media, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if h.Get("Content-Type") == "" {
		media, err = "text/plain", nil
	}
	if err != nil || depth > 5 {
		return nil, false
	}
	switch {
	case strings.HasPrefix(media, "multipart/"):
		return partLeaves(media, params["boundary"], body, depth)
	case media == "message/rfc822":
		raw, err := io.ReadAll(body)
		if err != nil {
			return nil, false
		}
		return leaves(raw)
	}
	switch strings.ToLower(h.Get("Content-Transfer-Encoding")) {
	case "quoted-printable":
		body = quotedprintable.NewReader(bufio.NewReaderSize(body, 1<<20)) // its lines must fit
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "", "7bit", "8bit", "binary":
	default:
		return nil, false
	}
	raw, err := io.ReadAll(body)
	return []string{strings.TrimRight(string(raw), "\r\n")}, err == nil
}

func partLeaves(media, boundary string, body io.Reader, depth int) (content []string, ok bool) {
	if boundary == "" {
		return nil, false
	}
	r := multipart.NewReader(body, boundary)
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return content, true
		}
		if err != nil {
			return nil, false
		}
		if media == "multipart/digest" && p.Header.Get("Content-Type") == "" {
			p.Header.Set("Content-Type", "message/rfc822")
		}
		part, ok := entityLeaves(p.Header, p, depth+1)
		if !ok {
			return nil, false
		}
		content = append(content, part...)
	}
}
