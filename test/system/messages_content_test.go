//go:build system

package system

import "strings"

// Headers that the rows of contentCases begin with.
const (
	toA   = "To: a@example.org\n"
	mimeA = toA + "MIME-Version: 1.0\n"
	mixed = mimeA + "Content-Type: multipart/mixed; boundary=b\n\n"
)

// contentCases are messages whose body says something of itself that is not so, and what they are made into.
var contentCases = []messageCase{
	{
		name: "label/true", args: "-t -i",
		stdin: mimeA + "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n" +
			"Gr\xc3\xbc\xc3\x9fe\n",
		want: []string{`part text/plain utf-8 8bit 'Grüße\n'`},
	},
	{
		name: "label/nomime", args: "-t -i", stdin: toA + "Subject: x\n\nGr\xc3\xbc\xc3\x9fe\n",
		want: []string{"MIME-Version: 1.0", `part text/plain utf-8 8bit 'Grüße\n'`},
	},
	{
		name: "label/nomime-windows", args: "-t -i", stdin: toA + "\n\x80 5 \x96 \x84Gr\xfc\xdfe\x93\n",
		want: []string{"MIME-Version: 1.0", `part text/plain windows-1252 8bit '€ 5 – „Grüße“\n'`},
	},
	{
		name: "label/nomime-latin1", args: "-t -i", stdin: toA + "\nGr\xfc\xdfe\n",
		want: []string{"MIME-Version: 1.0", `part text/plain iso-8859-1 8bit 'Grüße\n'`},
	},
	{
		name: "label/ct-no-cte", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=utf-8\n\n" +
			"Gr\xc3\xbc\xc3\x9fe\n",
		want: []string{`part text/plain utf-8 8bit 'Grüße\n'`},
	},
	{
		name: "label/ct-no-cte-koi8", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=\"KOI8-R\"; " +
			"format=flowed\n\n\xd4\xc5\xd3\xd4\n",
		want: []string{`part text/plain koi8-r 8bit 'тест\n'`,
			`Content-Type: text/plain; charset="KOI8-R"; format=flowed`},
	},
	{
		name: "label/ct-no-mime", args: "-t -i", stdin: toA + "Content-Type: text/html; charset=utf-8\n\n" +
			"<p>\xc3\xbc</p>\n",
		want: []string{"MIME-Version: 1.0", `part text/html utf-8 8bit '<p>ü</p>\n'`},
	},
	{
		name: "label/ct-no-charset", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; format=flowed\n" +
			"Content-Transfer-Encoding: 8bit\n\nGr\xc3\xbc\xc3\x9fe\n",
		want: []string{`part text/plain utf-8 8bit 'Grüße\n'`,
			"Content-Type: text/plain; format=flowed; charset=utf-8"},
	},
	{
		name: "label/ct-semicolon", args: "-t -i", stdin: mimeA + "Content-Type: text/plain;\n\nGr\xc3\xbc\xc3\x9fe\n",
		want: []string{`part text/plain utf-8 8bit 'Grüße\n'`},
	},
	{
		name: "label/ct-nonsense", args: "-t -i", stdin: mimeA + "Content-Type: text\n\nGr\xc3\xbc\xc3\x9fe\n",
		want: []string{`part text/plain utf-8 8bit 'Grüße\n'`},
	},
	{
		name: "label/ascii", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=US-ASCII\n" +
			"Content-Transfer-Encoding: 7bit\n\nGr\xc3\xbc\xc3\x9fe\n",
		want: []string{`part text/plain utf-8 8bit 'Grüße\n'`},
	},
	{
		name: "label/not-utf8", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=utf-8\n\n" +
			"Gr\xfc\xdfe\n",
		want: []string{`part text/plain iso-8859-1 8bit 'Grüße\n'`},
	},
	{
		name: "label/unknown-charset", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=x-unknown\n\n" +
			"Gr\xc3\xbc\xc3\x9fe\n",
		want: []string{`part text/plain utf-8 8bit 'Grüße\n'`},
	},
	{
		name: "label/jis-with-8bit", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=iso-2022-jp\n\n" +
			"Gr\xc3\xbc\xc3\x9fe\n",
		want: []string{`part text/plain utf-8 8bit 'Grüße\n'`},
	},
	{
		name: "label/cte-7bit", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=utf-8\n" +
			"Content-Transfer-Encoding: 7bit\n\nGr\xc3\xbc\xc3\x9fe\n",
		want: []string{`part text/plain utf-8 8bit 'Grüße\n'`},
	},
	{
		name: "label/cte-unknown", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=utf-8\n" +
			"Content-Transfer-Encoding: utf-8\n\nGr\xc3\xbc\xc3\x9fe\n",
		want: []string{`part text/plain utf-8 8bit 'Grüße\n'`},
	},
	{
		name: "label/cte-unknown-ascii", args: "-t -i",
		stdin: mimeA + "Content-Type: text/plain\nContent-Transfer-Encoding: 8-bit\n\nhello\n",
		want:  []string{`part text/plain us-ascii 7bit 'hello\n'`},
	},
	{
		name: "label/cte-binary", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=utf-8\n" +
			"Content-Transfer-Encoding: binary\n\nGr\xc3\xbc\xc3\x9fe\n",
		want: []string{`part text/plain utf-8 8bit 'Grüße\n'`},
	},
	{
		name: "label/cte-qp", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=utf-8\n" +
			"Content-Transfer-Encoding: quoted-printable\n\nGr\xc3\xbc\xc3\x9fe =3D x\n",
		want: []string{`part text/plain utf-8 quoted-printable 'Grüße = x\n'`},
	},
	{
		name: "label/cte-base64", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=utf-8\n" +
			"Content-Transfer-Encoding: base64\n\nHallo,\nGr\xc3\xbc\xc3\x9fe\n",
		want: []string{`part text/plain utf-8 8bit 'Hallo,\nGrüße\n'`},
	},
	{
		name: "label/cte-base64-ascii", args: "-t -i",
		stdin: mimeA + "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\nThe backup is done.\n",
		want:  []string{`part text/plain us-ascii 7bit 'The backup is done.\n'`},
	},
	{
		name: "label/part", args: "-t -i",
		stdin: mixed + "--b\nContent-Type: text/plain; charset=utf-8\n\nGr\xc3\xbc\xc3\x9fe\n--b\nContent-Type: " +
			"text/html\n\n<p>\xc3\xbc</p>\n--b--\n",
		want: []string{`part text/plain utf-8 base64 'Grüße'`, `part text/html utf-8 base64 '<p>ü</p>'`},
	},
	{
		name: "label/part-bare", args: "-t -i", stdin: mixed + "--b\n\nGr\xc3\xbc\xc3\x9fe\n--b\nContent-Type: " +
			"application/json\n\n{\"x\": \"\xc3\xbc\"}\n--b--\n",
		want: []string{`part text/plain utf-8 base64 'Grüße'`, `part application/json 8bit b'{"x": "\xc3\xbc"}' `},
	},
	{
		name: "label/part-encodings", args: "-t -i",
		stdin: mixed + "--b\nContent-Transfer-Encoding: base64\n\nnot that\n--b\nContent-Transfer-Encoding: binary\n" +
			"\nx\n--b\nContent-Type: text/plain; charset=ascii\nContent-Transfer-Encoding: 7bit\n\n\xfc\n--b--\n",
		want: []string{`part text/plain us-ascii 7bit 'not that'`, `part text/plain us-ascii 7bit 'x'`,
			`part text/plain iso-8859-1 base64 'ü'`},
	},
	{
		name: "label/nested", args: "-t -i",
		stdin: mixed + "--b\n\nhello\n--b\nContent-Type: multipart/alternative; boundary=c\n" +
			"Content-Transfer-Encoding: 7bit\n\n--c\nContent-Type: text/plain; charset=utf-8\n\n" +
			"Gr\xc3\xbc\xc3\x9fe\n--c\nContent-Type: text/html; charset=us-ascii\n\n<p>\xe2\x82\xac</p>\n" +
			"--c--\n--b--\n",
		want: []string{`part text/plain utf-8 base64 'Grüße'`, `part text/html utf-8 base64 '<p>€</p>'`},
	},
	{
		// the outer label is wrong for what comes behind a part that was changed
		name: "label/nested-late", args: "-t -i",
		stdin: mixed + "--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\nContent-Transfer-Encoding: " +
			"binary\n\nx\n--c\n\nGr\xc3\xbc\xc3\x9fe\n--c--\n--b--\n",
		want: []string{`part text/plain us-ascii 7bit 'x'`, `part text/plain utf-8 base64 'Grüße'`},
	},
	{
		name: "label/forwarded", args: "-t -i",
		stdin: mixed + "--b\nContent-Type: message/rfc822\n\nTo: b@example.org\nFrom: c@example.org\nSubject: " +
			"\xc3\xbc\nDate: Mon, 30 Nov 2026 10:00:00 +0100\nMessage-ID: <1@example.org>\n\n" +
			"Gr\xc3\xbc\xc3\x9fe\n--b--\n",
		want: []string{"within: Subject: ü", `part text/plain utf-8 base64 'Grüße'`},
	},
	{
		name: "label/no-boundary", args: "-t -i",
		stdin: mimeA + "Content-Type: multipart/mixed\n\nGr\xc3\xbc\xc3\x9fe\n",
		want:  []string{`part text/plain utf-8 8bit 'Grüße\n'`},
	},
	{
		name: "label/long-line", args: "-t -i", stdin: toA + "\n" + "Gr\xc3\xbc\xc3\x9fe " + spaces999 + "x\n",
		want: []string{`part text/plain utf-8 quoted-printable 'Grüße ` + spaces999 + `x\n'`},
	},
	{
		name: "label/signed", args: "-t -i",
		stdin: mimeA + "Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; micalg=pgp-sha256; " +
			"boundary=b\n\n--b\nContent-Type: text/plain\n\nGr\xc3\xbc\xc3\x9fe\n--b\nContent-Type: " +
			"application/pgp-signature\n\nAAAA\n--b--\n",
		want: []string{"Content-Transfer-Encoding: 8bit", `part application/pgp-signature 7bit b'AAAA' `},
	},
	{
		name: "label/ct-comments", args: "-t -i",
		stdin: mimeA + "Content-Type: text/plain (plain); charset=\"utf-8\" (Unicode)\n\nGr\xc3\xbc\xc3\x9fe\n",
		want:  []string{"Content-Type: text/plain; charset=utf-8", `part text/plain utf-8 8bit 'Grüße\n'`},
	},
	{
		name: "label/ct-semicolons", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=utf-8 ;; \n\n" +
			"Gr\xc3\xbc\xc3\x9fe\n",
		want: []string{"Content-Type: text/plain; charset=utf-8"},
	},
	{
		name: "label/ct-no-semicolon", args: "-t -i", stdin: mimeA + "Content-Type: text/html charset=utf-8\n\n" +
			"Gr\xc3\xbc\xc3\x9fe\n",
		want: []string{"Content-Type: text/html; charset=utf-8"},
	},
	{
		name: "label/ct-colon", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset: utf-8; " +
			"format=flowed\n\nGr\xc3\xbc\xc3\x9fe\n",
		want: []string{"Content-Type: text/plain; format=flowed; charset=utf-8"},
	},
	{
		name: "label/ct-apostrophes", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset='koi8-r'\n\n" +
			"\xd4\xc5\xd3\xd4\n",
		want: []string{"Content-Type: text/plain; charset=koi8-r"},
	},
	{
		name: "label/ct-no-subtype", args: "-t -i", stdin: mimeA + "Content-Type: text/\n\nGr\xc3\xbc\xc3\x9fe\n",
		want: []string{"Content-Type: text/plain; charset=utf-8"},
	},
	{
		name: "label/mime-version", args: "-t -i", stdin: toA + "MIME-Version:\nContent-Type: text/plain; " +
			"charset=utf-8\n\nGr\xc3\xbc\xc3\x9fe\n",
		want: []string{"MIME-Version: 1.0"},
	},
	{
		name: "label/cte-quotes", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=utf-8\n" +
			"Content-Transfer-Encoding: \"quoted-printable\"\n\nGr=C3=BC\n",
		want: []string{`part text/plain utf-8 quoted-printable 'Grü\n'`},
	},
	{
		name: "label/cte-comment", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=utf-8\n" +
			"Content-Transfer-Encoding: Quoted-Printable (yes)\n\nGr=C3=BC\n",
		want: []string{`part text/plain utf-8 quoted-printable 'Grü\n'`},
	},
	{
		name: "label/cte-underscore", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=utf-8\n" +
			"Content-Transfer-Encoding: quoted_printable\n\nGr=C3=BC\n",
		want: []string{`part text/plain utf-8 quoted-printable 'Grü\n'`},
	},
	{
		name: "label/cte-blank-behind", args: "-t -i",
		stdin: mixed + "--b\nContent-Type: application/x\nContent-Transfer-Encoding: base64 \n\nQUJD\n--b--\n",
		want:  []string{`part application/x base64 b'ABC' `},
	},
	{
		name: "label/cte-uuencode", args: "-t -i",
		stdin: mixed + "--b\nContent-Type: application/x\nContent-Transfer-Encoding: x-uuencode\n\nbegin 644 x\n" +
			"#86)C\n`\nend\n--b--\n",
		want: []string{`part application/x x-uuencode b'abc' `},
	},
	{
		name: "label/cte-of-multipart", args: "-t -i",
		stdin: mimeA + "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: quoted-printable\n\n" +
			"--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n" +
			"Gr=C3=BC\n--b--\n",
		want: []string{`part text/plain utf-8 quoted-printable 'Grü'`},
	},
	{
		name: "label/part-comments", args: "-t -i",
		stdin: mixed + "--b\nContent-Type: text/html; charset=\"utf-8\" (x)\nContent-Transfer-Encoding: " +
			"8bit (y)\n\n<p>Gr\xc3\xbc\xc3\x9fe\n--b--\n",
		want: []string{`part text/html utf-8 base64 '<p>Grüße'`},
	},
	{
		name: "label/forwarded-version", args: "-t -i", stdin: mixed + "--b\nContent-Type: message/rfc822\n\nFrom: " +
			"c@example.org\n\nGr\xc3\xbc\xc3\x9fe\n--b--\n",
		want: []string{"within: MIME-Version: 1.0"},
	},
	{
		name: "part/signed-nul", args: "-t -i", exit: 65, stderr: "signature",
		stdin: mimeA + "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; " +
			"boundary=b\n\n--b\nContent-Type: text/plain\n\nx\x00y\n--b\n" +
			"Content-Type: application/pkcs7-signature\nContent-Transfer-Encoding: base64\n\nAAAA\n--b--\n",
	},
	{
		name: "part/signed-nul-inside", args: "-t -i", exit: 65, stderr: "signature",
		stdin: mixed + "--b\nContent-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=c\n\n" +
			"--c\nContent-Type: multipart/mixed; boundary=d\n\n--d\n\nx\x00y\n--d--\n--c\n" +
			"Content-Type: application/pgp-signature\n\nAAAA\n--c--\n--b--\n",
	},
	{
		name: "part/delivery-status", args: "-t -i",
		stdin: mimeA + "Content-Type: multipart/report; report-type=delivery-status; boundary=b\nSubject: x\n\n--b\n" +
			"Content-Type: text/plain\n\nx\n--b\nContent-Type: message/delivery-status\n\n" +
			"Reporting-MTA: dns; x.example\n\nFinal-Recipient: rfc822; a@example.org\nAction: failed\nStatus: 5.0.0\n" +
			"Diagnostic-Code: smtp; 550" + words300 + "\n\n--b--\n",
		want: []string{"part message/delivery-status", "within: Diagnostic-Code: smtp; 550" + words300},
	},
	{
		name: "part/partial", args: "-t -i",
		stdin: mimeA + "Content-Type: message/partial; id=\"x@example.org\"; number=1; total=2\n\nSubject: y\nX-Long:" +
			words300 + "\n\nhello\n",
		want: []string{"part message/partial"},
	},
	{
		name: "part/external-body", args: "-t -i",
		stdin: mixed + "--b\nContent-Type: message/external-body; access-type=local-file; name=\"/x\"\n\n" +
			"Content-Type: text/plain\nContent-ID: <1@example.org>\nX-Long:" + words300 + "\n\n--b--\n",
		want: []string{"part message/external-body"},
	},
	{
		name: "part/feedback-report", args: "-t -i",
		stdin: mixed + "--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\nX-Note:" +
			words300 + "\n--b--\n",
		want: []string{"part message/feedback-report"},
	},
	{
		name: "part/binary", args: "-t -i",
		stdin: mixed + "--b\nContent-Type: application/octet-stream; name=x\nContent-Transfer-Encoding: binary\n\n" +
			"\x00\x01\n\r\n\r\xff\n.\n--b\n\nhello\n--b--\n",
		want: []string{`part application/octet-stream base64 b'\x00\x01\n\r\n\r\xff\n.' x`,
			`part text/plain us-ascii 7bit 'hello'`},
	},
	{
		name: "part/binary-crlf", args: "-t -i",
		stdin: "To: a@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" +
			"Content-Transfer-Encoding: BINARY\r\nContent-Type: image/png\r\n\r\n\x89PNG\r\n\x1a\n\x00\r\r\n--b--\r\n",
		want: []string{`part image/png base64 b'\x89PNG\r\n\x1a\n\x00\r' `},
	},
	{
		name: "part/binary-message", args: "-t -i", stdin: mimeA + "Content-Type: application/pkcs7-mime; " +
			"name=smime.p7m\nContent-Transfer-Encoding: binary\n\n0\x82\x01\n\r\n--b\n\r",
		want: []string{`part application/pkcs7-mime base64 b'0\x82\x01\n\r\n--b\n\r' smime.p7m`},
	},
	{
		name: "part/binary-message-line", args: "-t -i",
		stdin: mimeA + "Content-Type: image/png\nContent-Transfer-Encoding: binary\n\n\x89PNG\r\n\x1a\n\x00\xff\n",
		want:  []string{`part image/png base64 b'\x89PNG\r\n\x1a\n\x00\xff\n' `},
	},
	{
		name: "part/binary-empty", args: "-t -i",
		stdin: mixed + "--b\nContent-Type: application/x\nContent-Transfer-Encoding: binary\n\n--b--\n",
		want:  []string{`part application/x base64 b'' `},
	},
}

// Texts of 999 spaces, and of 300 words with a space before each.
var (
	spaces999 = strings.Repeat(" ", 999)
	words300  = strings.Repeat(" word", 300)
)

// asTheyAre returns the cases in which text of a part is encoded, as they are when it is not: the labels of the parts
// and of what is around them have to be true then, too.
func asTheyAre(cases []messageCase) (all []messageCase) {
	for _, c := range cases {
		encoded := false
		var want []string
		for _, line := range c.want {
			text := strings.HasPrefix(line, "part text/") && strings.Contains(line, " base64 ")
			if text {
				line = strings.Replace(line, " base64 ", " 8bit ", 1)
			}
			encoded, want = encoded || text, append(want, line)
		}
		if encoded {
			c.name, c.want, c.asIs = c.name+"-on", append(want, "Content-Transfer-Encoding: 8bit"), true
			all = append(all, c)
		}
	}
	return all
}
