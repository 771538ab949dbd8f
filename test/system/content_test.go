//go:build system

package system

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestAttachments sends a message with parts that can't all travel as they are
// to servers with and without 8BITMIME and CHUNKING: each part has to be the
// same after transfer decoding.
func TestAttachments(t *testing.T) {
	t.Parallel()
	text := trickyBody + "\n" + strings.Repeat("sehr lange Zeile, größer ", 100) + "\n"
	binary := make([]byte, 100_000)
	for i := range binary {
		binary[i] = byte(i * i >> 3)
	}
	wrapped := base64.StdEncoding.EncodeToString(binary)
	var lines []string
	for chunk := range slices.Chunk([]byte(wrapped), 76) {
		lines = append(lines, string(chunk))
	}
	message := func(marker string) string {
		return "From: app@web1.example\nTo: you@example.org\nSubject: " + marker + "\nMIME-Version: 1.0\n" +
			"Content-Type: multipart/mixed; boundary=\"=_b\"\n\npreamble\n--=_b\n" +
			"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n" + text + "\n--=_b\n" +
			"Content-Type: application/octet-stream; name=data.bin\nContent-Transfer-Encoding: " +
			"base64\nContent-Disposition: attachment; filename=data.bin\n\n" +
			strings.Join(lines, "\n") + "\n--=_b--\nepilogue\n"
	}
	for name, port := range map[string]int{"chunking": lab.postfix.port, "plain": lab.postfix.plainPort} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			marker := newMarker("attachments")
			c := newCall(t, lab.postfix, "www-data", "/usr/sbin/sendmail", "-t", "-i")
			c.config = lab.postfix.configFor(port, c.cache)
			c.stdin = strings.NewReader(message(marker))
			succeed(t, c)
			d := one(t, lab.postfix, marker)
			checkLines(t, d.Data)
			if name == "plain" && slices.ContainsFunc(d.Data, func(b byte) bool { return b > 127 }) {
				t.Error("bytes over 127 were sent to a server without 8BITMIME")
			}
			parts := decodeParts(t, d.Data)
			if len(parts) != 2 {
				t.Fatalf("%d parts, want 2", len(parts))
			}
			if got := strings.ReplaceAll(string(parts[0]), "\r\n", "\n"); got != text {
				t.Errorf("text part:\n%q\nwant\n%q", got, text)
			}
			if !bytes.Equal(parts[1], binary) {
				t.Errorf("the attachment of %d bytes is not the one that was sent", len(parts[1]))
			}
		})
	}
}

// decodeParts undoes the transfer encodings of a multipart message.
func decodeParts(t *testing.T, data []byte) (parts [][]byte) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		var body io.Reader = p
		switch strings.ToLower(p.Header.Get("Content-Transfer-Encoding")) {
		case "quoted-printable":
			body = quotedprintable.NewReader(p)
		case "base64":
			body = base64.NewDecoder(base64.StdEncoding, p)
		}
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, text)
	}
}

// TestManyRecipients: 300 addresses in the header and as arguments, many of them
// more than once, make one message with each of them once.
func TestManyRecipients(t *testing.T) {
	t.Parallel()
	marker := newMarker("many")
	var to, want, args []string
	for i := range 300 {
		address := fmt.Sprintf("user%d@example.org", i)
		to = append(to, address, strings.ToUpper("user")+fmt.Sprint(i)+"@Example.ORG")
		want = append(want, address)
		if i%10 == 0 {
			args = append(args, address)
		}
	}
	message := "To: " + strings.Join(to, ",\n ") + "\nSubject: " + marker + "\n\nhello\n"
	if r := sendmail(t, lab.postfix, message, append([]string{"-t", "-i"}, args...)...); r.code != 0 {
		t.Fatal(r)
	}
	d := one(t, lab.postfix, marker)
	got := make([]string, 0, len(d.To))
	for _, a := range d.To {
		got = append(got, strings.ToLower(a))
	}
	slices.Sort(got)
	slices.Sort(want)
	// Local parts may differ by case, domains may not.
	if got := slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("%d recipients, want %d", len(got), len(want))
	}
	if len(d.To) > 2*len(want) {
		t.Errorf("%d recipients were sent for %d different ones", len(d.To), len(want))
	}
}

// TestUnsafeConfig: a file with a secret that others can read or change is refused.
func TestUnsafeConfig(t *testing.T) {
	t.Parallel()
	good := lab.postfix.config(filepath.Join(lab.userDir(t, ""), "cache"))
	cases := map[string]func(t *testing.T, file string){
		"others can read":  func(t *testing.T, file string) { must(t, os.Chmod(file, 0o644)) },
		"others can write": func(t *testing.T, file string) { must(t, os.Chmod(file, 0o602)) },
		"group can write":  func(t *testing.T, file string) { must(t, os.Chmod(file, 0o660)) },
		"another's file":   func(t *testing.T, file string) { must(t, chown(file, "www-data", "www-data")) },
		"a link to another's file": func(t *testing.T, file string) {
			must(t, chown(file, "www-data", "www-data"))
			must(t, os.Rename(file, file+".real"))
			must(t, os.Symlink(file+".real", file))
		},
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			marker := newMarker("unsafe")
			file := filepath.Join(lab.dir(t), "config.toml")
			must(t, os.WriteFile(file, []byte(good), 0o600))
			spoil(t, file)
			r := sendmail(t, lab.postfix, simple(marker), "-C", file, "-t", "-i")
			if r.code != 78 || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, file) {
				t.Errorf("%v, want exit 78 and one line with the file's name", r)
			}
			if delivered(t, marker) {
				t.Error("the message was delivered")
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
