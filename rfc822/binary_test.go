package rfc822

import (
	"encoding/base64"
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
