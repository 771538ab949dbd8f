package rfc822

import (
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestBinaryIsExact reads content that is declared binary, whatever its last line ends in and however it comes.
func TestBinaryIsExact(t *testing.T) {
	const label = "Content-Type: image/png\nContent-Transfer-Encoding: binary\n\n"
	heads := map[string]string{
		"message": label,
		"part":    "Content-Type: multipart/mixed; boundary=b\n\n--b\n" + label,
	}
	for name, head := range heads {
		for _, content := range []string{"", "a", "a\n", "\n", "\r", "a\r\n", "a\r\n\n", "\x89PNG\r\n\x1a\n\x00\xff\n",
			strings.Repeat("\xff\n", 40_000)} {
			for way, read := range map[string]func(string) (*Message, error){
				"whole": func(s string) (*Message, error) { return Read(strings.NewReader(s), ReadOptions{}) },
				"byte": func(s string) (*Message, error) {
					return Read(iotest.OneByteReader(strings.NewReader(s)), ReadOptions{})
				},
				"at EOF": func(s string) (*Message, error) {
					return Read(iotest.DataErrReader(strings.NewReader(s)), ReadOptions{})
				},
			} {
				m, err := read(head + content)
				if err != nil {
					t.Fatalf("%s, %s, %.20q: %v", name, way, content, err)
				}
				text := wireText(t, m, WireOptions{})
				_ = m.Close()
				_, got, _ := strings.Cut(text[strings.Index(text, "base64"):], "\r\n\r\n")
				plain, err := base64.StdEncoding.DecodeString(got)
				if err != nil || string(plain) != content {
					t.Errorf("%s, %s, %.20q: arrived as %.20q (%v)", name, way, content, plain, err)
				}
			}
		}
	}
}

// TestWidePartIsExact reads a part in UTF-16, in whatever pieces it comes.
func TestWidePartIsExact(t *testing.T) {
	t.Parallel()
	const head = "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain;\n charset=utf-16le\n" +
		"Content-Transfer-Encoding: 8bit\n\n"
	for _, content := range []string{"a\x00\n\x00b\x00", "\r\x00\n\x00", "\x0a\x0d\x0d\x0aa\x00\r\x00",
		strings.Repeat("x\x00\n\x00", 40_000)} {
		for _, end := range []string{"", "\n--b--\n"} {
			for i, r := range []io.Reader{strings.NewReader(head + content + end),
				iotest.OneByteReader(strings.NewReader(head + content + end))} {
				m, err := Read(r, ReadOptions{})
				if err != nil {
					t.Fatal(err)
				}
				text := wireText(t, m, WireOptions{})
				_ = m.Close()
				_, got, _ := strings.Cut(text, "charset=utf-16le\r\nContent-Transfer-Encoding: base64\r\n\r\n")
				got, _, _ = strings.Cut(got, "\r\n--b--")
				plain, err := base64.StdEncoding.DecodeString(got)
				if err != nil || string(plain) != content {
					t.Errorf("%.20q %q, way %d: arrived as %.20q (%v)", content, end, i, plain, err)
				}
			}
		}
	}
}
