package smtpreply

import (
	"bufio"
	"bytes"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want Reply
		err  string
	}{
		{"250 2.0.0 OK\r\n", Reply{250, "2.0.0", []string{"OK"}}, ""},
		{"250\n", Reply{250, "", []string{""}}, ""},
		{"250-2.0.0 a\r\n250 2.0.0 b\r\n", Reply{250, "2.0.0", []string{"a", "b"}}, ""},
		{"250-a\r\n250 2.0.0 b\r\n", Reply{250, "2.0.0", []string{"a", "b"}}, ""},
		{"550-5.7.1 a\r\n550 5.7.2 b\r\n", Reply{550, "5.7.1", []string{"a", "5.7.2 b"}}, ""},
		{"451 4.7.0 \x1b[31m\xff\r\n", Reply{451, "4.7.0", []string{`\x1b[31m\xff`}}, ""},
		{"220 version 5.7.3x\r\n", Reply{220, "", []string{"version 5.7.3x"}}, ""},
		{"250-a\r\n251 b\r\n", Reply{}, "a reply with two codes, 250 and 251"},
		{"SSH-2.0-x\r\n", Reply{}, `not an SMTP reply: "SSH-2.0-x"`},
		{"199 a\r\n", Reply{}, `not an SMTP reply: "199 a"`},
		{strings.Repeat("250-x\r\n", 101), Reply{}, "the reply has more than 100 lines"},
		{"250 " + strings.Repeat("x", MaxLine) + "\r\n", Reply{}, "a reply line is longer than 4096 bytes"},
		{"250-a\r\n", Reply{}, "EOF"},
	} {
		r, err := Read(bufio.NewReaderSize(strings.NewReader(c.in), MaxLine), 100, nil)
		if !reflect.DeepEqual(r, c.want) || err == nil && c.err != "" || err != nil && err.Error() != c.err {
			t.Errorf("%.40q: %+v, %v", c.in, r, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"250 2.0.0 OK\r\n", "250-a\r\n250 b\r\n", "250\r\n", "354 \n", "535 5.7.3 no\r\n",
		"220 x\x1b[31m\xff\r\n", "250-a\r\n251 b\r\n", "25", "2500\r\n",
		"250-2.1.0 a\r\n250 2.1.5 b\r\n", "599 5.999.999\r\n", "199 a\r\n", strings.Repeat("250-x\r\n", 101),
		"250 " + strings.Repeat("x", 4090) + "\r\n", "\r\n", "abc def\r\n", "250 2.0.0\r\n",
		"451 5.7.3 STARTTLS is required\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		br := bufio.NewReaderSize(bytes.NewReader(in), MaxLine)
		for {
			r, err := Read(br, 100, func(line string) {
				if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
					t.Errorf("unprintable trace %q", line)
				}
			})
			if err != nil {
				return
			}
			if r.Code < 200 || r.Code > 599 || len(r.Lines) == 0 || len(r.Lines) > 100 {
				t.Fatalf("reply %+v", r)
			}
			if s := r.String(); strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) ||
				!utf8.ValidString(s) {
				t.Fatalf("unprintable %q", s)
			}
			if rest, ok := strings.CutPrefix(r.Enhanced, ""); ok && rest != "" {
				if again, tail := CutEnhanced(r.Enhanced); again != r.Enhanced || tail != "" {
					t.Fatalf("enhanced %q", r.Enhanced)
				}
			}
		}
	})
}
