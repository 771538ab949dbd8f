//go:build system

package system

import (
	"strings"
	"unicode/utf16"
)

// oddCases are messages as scanners, fax gateways, shell and Perl scripts, jobs of mainframes and programs of Windows
// write them, and what a reader is to see of them.
var oddCases = []messageCase{
	{
		name: "odd/utf16-all", args: "-t -i",
		stdin: wide("\ufeff"+toA+"Subject: Gr\u00fc\u00dfe\r\n\r\nZeile \u00fc \U0001f600\r\n", 0),
		want:  []string{"Subject: Grüße", `part text/plain utf-8 8bit 'Zeile ü 😀\n'`},
	},
	{
		name: "odd/utf16-all-big", args: "-t -i",
		stdin: wide("\ufeff"+toA+"Subject: Gr\u00fc\u00dfe\n\nZeile \u00fc\n", 1),
		want:  []string{"Subject: Grüße", `part text/plain utf-8 8bit 'Zeile ü\n'`},
	},
	{
		name: "odd/utf16-mark", args: "-t -i", stdin: toA + "Subject: x\n\n" + wide("\ufeffGr\u00fc\u00dfe\n", 0),
		want: []string{"MIME-Version: 1.0", `part text/plain utf-8 8bit 'Grüße\n'`},
	},
	{
		name: "odd/utf16-label", args: "-t -i", stdin: mimeA + "Content-Type: text/html; charset=\"utf-16le\"\n\n" +
			wide("<p>\u00fc</p>\r\n", 0),
		want: []string{`part text/html utf-8 8bit '<p>ü</p>\n'`},
	},
	{
		name: "odd/utf16-label-big", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=utf-16\n\n" +
			wide("\u0a0a \u0d0a\n", 1),
		want: []string{`part text/plain utf-8 8bit 'ਊ ഊ\n'`},
	},
	{
		name: "odd/utf16-label-ascii", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=utf-16\n\n" +
			wide("plain\n", 0),
		want: []string{`part text/plain utf-8 7bit 'plain\n'`},
	},
	{
		name: "odd/utf16-label-wrong", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=utf-16\n\n" +
			"Gr\xc3\xbc\xc3\x9fe\n",
		want: []string{`part text/plain utf-8 8bit 'Grüße\n'`},
	},
	{
		name: "odd/utf16-part", args: "-t -i", stdin: mixed + "--b\nContent-Type: text/plain;\n charset=utf-16le\n" +
			"Content-Transfer-Encoding: 8bit\n\n" + wide("Gr\u00fc\u00dfe\r\nzwei\n\u0d0a", 0) +
			"\n--b\nContent-Type: text/plain; charset=utf-8\n\n\xc3\xbc\n--b--\n",
		want: []string{`part text/plain utf-16le base64 'Grüße\r\nzwei\nഊ'`, `part text/plain utf-8 base64 'ü'`},
	},
	{
		name: "odd/utf16-part-mark", args: "-t -i",
		stdin: mixed + "--b\nContent-Type: text/plain; charset=\"UTF-16\"\n\n" +
			wide("\ufeffa\nb", 1) + "\n--b--\n",
		want: []string{`part text/plain utf-16 base64 'a\nb'`},
	},
	{
		name: "odd/utf16-part-encoding-first", args: "-t -i", stdin: mixed + "--b\nContent-Transfer-Encoding: 8bit\n" +
			"Content-Type: text/plain; charset=utf-16be\n\n" + wide("Gr\u00fc\u00dfe", 1) + "\n--b--\n",
		want: []string{`part text/plain utf-16be base64 'Grüße'`},
	},
	{
		name: "odd/utf16-part-wrong", args: "-t -i",
		stdin: mixed + "--b\nContent-Type: text/plain; charset=utf-16\n\n" +
			"Gr\xc3\xbc\xc3\x9fe\n--b\nContent-Type: application/x\n\na\x00b\n--b--\n",
		want: []string{`part text/plain utf-8 base64 'Grüße'`},
	},
	{
		name: "odd/comma-for-semicolon", args: "-t -i", stdin: mimeA + "Content-Type: multipart/mixed, boundary=b\n\n" +
			"--b\nContent-Type: text/plain, charset=utf-8\n\n\xc3\xbc\n--b--\n",
		want: []string{"Content-Type: multipart/mixed; boundary=b", `part text/plain utf-8 base64 'ü'`},
	},
	{
		name: "odd/comma-in-word", args: "-t -i", stdin: toA + "Cc: =?koi8-r?Q?=D4,_J?= <c@example.org>\n" +
			"From: a@shop.example\nReply-To: =?utf-8?Q?Doe,_J?= <a@shop.example>\n\nx\n",
		to:   []string{"a@example.org", "c@example.org"},
		want: []string{"Cc: т, J <c@example.org>", "Reply-To: Doe, J <a@shop.example>"},
	},
	boundary("equals", `----=_Part_1`, "----=_Part_1"),
	boundary("colon", `a:b?c=d/e`, "a:b?c=d/e"),
	boundary("blank", `a b`, "a b"),
	boundary("comment", `b (made by hand)`, "b"),
	boundary("brackets", `[b]@{c}`, "[b]@{c}"),
	{ // Shift JIS has backslashes in its characters
		name: "odd/sjis-name", args: "-t -i", stdin: named("shift_jis", "\x95\\\x8e\xa6\x83\\.pdf"),
		want: []string{`part application/pdf base64 b'\x00\x00\x00' 表示ソ.pdf`},
	},
	{
		name: "odd/big5-name", args: "-t -i", stdin: named("big5", "\xb3\\\xa5\\\xbb\\.pdf"),
		want: []string{`part application/pdf base64 b'\x00\x00\x00' 許功蓋.pdf`},
	},
	{
		name: "odd/gb18030-name", args: "-t -i", stdin: named("gb18030", "\xd5\\\xad\\.pdf"),
		want: []string{`part application/pdf base64 b'\x00\x00\x00' 誠璡.pdf`},
	},
	{
		name: "odd/sjis-from", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=shift_jis\n" +
			"From: \"\x95\\\x8e\xa6\x83\\\" <s@shop.example>\nSubject: \x95\\\x8e\xa6\n\n\x95\\\x8e\xa6\n",
		want: []string{"From: 表示ソ <noreply@contoso.test>", "Reply-To: 表示ソ <s@shop.example>", "Subject: 表示"},
	},
	{
		name: "odd/big5-to", args: "-t -i", stdin: "To: \xb3\\\xa5\\ <a@example.org>\nMIME-Version: 1.0\n" +
			"Content-Type: text/plain; charset=big5\n\n\xb3\\\n",
		want: []string{"To: 許功 <a@example.org>", `part text/plain big5 8bit '許\n'`},
	},
	{
		name: "odd/koi8-from-comma", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=koi8-r\n" +
			"From: \xe9\xd7\xc1\xce\xcf\xd7, \xe9\xd7\xc1\xce <i@shop.example>\n\n\xd4\xc5\xd3\xd4\n",
		want: []string{"From: Иванов , Иван <noreply@contoso.test>", "Reply-To: Иванов , Иван <i@shop.example>"},
		log:  "the From field: ",
	},
	guessed("blank-in-local", "Shop <j doe@shop.example>", "Shop <j doe@shop.example (root@web1.example)", ""),
	address("route", "Joe <@a.example,@b.example:user@example.org>", []string{"user@example.org"},
		"To: Joe <user@example.org>"),
	address("mailto-angle", "Joe <mailto:user@example.org>", []string{"user@example.org"},
		"To: Joe <user@example.org>"),
	address("mailto-bare", "mailto:a@example.org, MAILTO:b@example.org", []string{"a@example.org", "b@example.org"},
		"To: a@example.org, b@example.org"),
	address("smtp-scheme", "SMTP:user@example.org", []string{"user@example.org"}, "To: user@example.org"),
	address("semicolons", "a@example.org; b@example.org;", []string{"a@example.org", "b@example.org"},
		"To: a@example.org, b@example.org"),
	address("name-with-at", "a@example.org <a@example.org>", nil, "To: a@example.org <a@example.org>"),
	address("name-with-brackets", "[Team] <a@example.org>", nil, "To: [Team] <a@example.org>"),
	address("name-with-open-quote", "\"Joe <a@example.org>, b@example.org", []string{"a@example.org", "b@example.org"},
		"To: Joe <a@example.org>, b@example.org"),
	{
		name: "odd/charset-twice", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=us-ascii; " +
			"charset=utf-8\n\n" +
			"Gr\xc3\xbc\xc3\x9fe\n",
		want: []string{`part text/plain utf-8 8bit 'Grüße\n'`, "Content-Type: text/plain; charset=utf-8"},
	},
	address("last-dot", "a@example.org., b@example.org", []string{"a@example.org", "b@example.org"},
		"To: a@example.org, b@example.org"),
	{
		name: "odd/blank-before-colon", args: "-t -i", stdin: "To : a@example.org\nSubject : x\n\nx\n",
		want: []string{"To: a@example.org", "Subject: x"},
	},
	{
		name: "odd/leading-lines", args: "-t -i", stdin: "\n \r\n\xef\xbb\xbf" + toA + "Subject: x\n\nbody\n",
		exit: 64, stderr: "no recipients",
	},
	{
		name: "odd/leading-blank-lines", args: "-t -i", stdin: "\n \t\n" + toA + "Subject: x\n\nbody\n",
		want: []string{"Subject: x", `part text/plain us-ascii 7bit 'body\n'`},
	},
	{
		name: "odd/leading-from-line", args: "-t -i", stdin: "\r\nFrom joe Mon Nov 30 10:00:00 2026\r\n" +
			toA + "\nbody\n",
		want: []string{`part text/plain us-ascii 7bit 'body\n'`},
	},
	{
		name: "odd/8bit-line-with-colon", args: "-i a@example.org", stdin: "\xc3\x9cbersicht: alles gut\nzweite\n",
		want: []string{`part text/plain utf-8 8bit 'Übersicht: alles gut\nzweite\n'`},
	},
	{
		name: "odd/cr-only", args: "-t -i", stdin: strings.ReplaceAll(toA+"Subject: Gr\xfc\n\nGr\xfc one\ntwo\n",
			"\n", "\r"),
		want: []string{"Subject: Grü", `part text/plain iso-8859-1 8bit 'Grü one\ntwo\n'`},
	},
	id("brackets-twice", "<<1@b.example>>", "<1@b.example>"), id("half-open", "1@b.example>", "<1@b.example>"),
	id("square", "[1@b.example]", "<1@b.example>"), id("two", "<1@b.example> <2@b.example>", "<1@b.example>"),
	date("weekday", "Tue, 30 Nov 2026 10:00:00 +0100", "30 Nov 2026 10:00:00 +0100"),
	date("month", "Mon, 30 November 2026 10:00:00 +0100", "Mon, 30 Nov 2026 10:00:00 +0100"),
	date("zone-colon", "Mon, 30 Nov 2026 10:00:00 +01:00", "Mon, 30 Nov 2026 10:00:00 +0100"),
}

// wide writes text in UTF-16; low is where in a pair of bytes the low one stands.
func wide(text string, low int) string {
	var b strings.Builder
	for _, c := range utf16.Encode([]rune(text)) {
		pair := [2]byte{}
		pair[low], pair[1-low] = byte(c), byte(c>>8)
		b.Write(pair[:])
	}
	return b.String()
}

// boundary is a message whose boundary is written without the quotes that it needs.
func boundary(name, written, meant string) messageCase {
	return messageCase{
		name: "odd/boundary-" + name, args: "-t -i",
		stdin: mimeA + "Content-Type: multipart/mixed; boundary=" + written +
			"\n\n--" + meant + "\n\n\xc3\xbc\n--" + meant + "--\n",
		want: []string{`part text/plain utf-8 base64 'ü'`},
	}
}

// named is a message with a file whose name is raw text in the charset of the text before it.
func named(charset, file string) string {
	return mixed + "--b\nContent-Type: text/plain; charset=" + charset + "\n\nx\n--b\nContent-Type: " +
		"application/pdf; name=\"" +
		file + "\"\nContent-Disposition: attachment; filename=\"" + file + "\"\nContent-Transfer-Encoding: base64\n\n" +
		"AAAA\n--b--\n"
}

func id(name, written, sent string) messageCase {
	return messageCase{name: "odd/id-" + name, args: "-t -i", stdin: toA + "Message-ID: " + written + "\n\nx\n",
		want: []string{"Message-ID: " + sent}}
}

func date(name, written, sent string) messageCase {
	return messageCase{name: "odd/date-" + name, args: "-t -i", stdin: toA + "Date: " + written + "\n\nx\n",
		want: []string{"Date: " + sent, "X-Original-Date: " + written}}
}
