//go:build system

package system

import "strings"

// fieldCases are messages with odd header fields, and what they are made into.
var fieldCases = []messageCase{
	{
		name: "once/one", args: "-t -i", stdin: toA + "Subject: x\n\nx\n",
		want: []string{"To: a@example.org", "Subject: x", `part text/plain us-ascii 7bit 'x\n'`},
	},
	{
		name: "once/two-to", args: "-t -i", to: []string{"jd@example.org"},
		stdin: "To: jd@example.org\nTo: John Doe <jd@example.org>\nSubject: x\n\nx\n",
		want:  []string{"To: jd@example.org, John Doe <jd@example.org>"},
	},
	{
		name: "once/cc-reply-to", args: "-t -i", to: []string{"a@example.org", "b@example.org", "c@example.org"},
		stdin: toA + "Cc: b@example.org,\nCC: c@example.org\nReply-To: r@example.org\nReply-To: s@example.org\n\nx\n",
		want:  []string{"Cc: b@example.org, c@example.org", "Reply-To: r@example.org, s@example.org"},
	},
	{
		name: "once/first", args: "-t -i",
		stdin: mimeA + "Subject: first\nSubject: second\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n" +
			"Content-Type: text/html\nMessage-ID: <1@example.org>\nMessage-ID: <2@example.org>\nDate: " +
			"Mon, 30 Nov 2026 10:00:00 +0100\nDate: Tue, 01 Dec 2026 10:00:00 +0100\n\n\xc3\xbc\n",
		want: []string{"Subject: first", "Message-ID: <1@example.org>", "Date: Mon, 30 Nov 2026 10:00:00 +0100",
			`part text/plain utf-8 8bit 'ü\n'`},
	},
	{
		name: "once/empty-first", args: "-t -i", stdin: toA + "Subject:\nSubject: second\nIn-Reply-To:\nIn-Reply-To: " +
			"<1@example.org>\n\nx\n",
		want: []string{"Subject: second", "In-Reply-To: <1@example.org>"},
	},
	{
		name: "once/references", args: "-t -i", stdin: toA + "References: <1@example.org>\nReferences: " +
			"<2@example.org>\n <3@example.org>\n\nx\n",
		want: []string{"References: <1@example.org> <2@example.org> <3@example.org>"},
	},
	{
		name: "once/repeating", args: "-t -i", stdin: toA + "X-A: 1\nX-A: 2\nDKIM-Signature: v=1\nDKIM-Signature: " +
			"v=2\nComments: a\nComments: b\n\nx\n",
		want: []string{"X-A: 1", "X-A: 2", "DKIM-Signature: v=1", "DKIM-Signature: v=2", "Comments: a", "Comments: b"},
	},
	{
		name: "once/too-long", args: "-i a@example.org", stdin: "To: " + many + "\nTo: last@example.org\n\nx\n",
		absent: []string{"last@example.org"},
	},
	{
		name: "empty/to-arg", args: "-i -f list@web1.example -- a@example.org", stdin: "To: \nSubject: x\n\nx\n",
		want: []string{"To: undisclosed-recipients:;"},
	},
	{
		name: "empty/many", args: "-i a@example.org", stdin: "To: ,\nCc:\nReply-To: <>\nSender:\nReferences:\n" +
			"In-Reply-To: <>\nMessage-ID:\n\nx\n",
		want: []string{"To: undisclosed-recipients:;"}, absent: []string{"Cc:", "Reply-To:", "References",
			"In-Reply-To"},
	},
	{
		name: "empty/comment", args: "-i a@example.org", stdin: "To: (nobody)\n\nx\n",
		want: []string{"To: undisclosed-recipients:;"},
	},
	{
		name: "empty/bcc-only", args: "-t -i", stdin: "Bcc: a@example.org\nCc: \n\nx\n",
		want: []string{"To: undisclosed-recipients:;"}, absent: []string{"Bcc", "Cc"},
	},
	{
		name: "empty/cc-left", args: "-t -i", stdin: "To:\nCc: a@example.org\n\nx\n",
		want: []string{"Cc: a@example.org"}, absent: []string{"undisclosed"},
	},
	{
		name: "field/date-local", args: "-t -i", stdin: toA + "Date: \xc3\x9at, 1 pro 2026 10:00:00 +0100\n" +
			"Subject: x\n\nx\n",
		want: []string{"X-Original-Date: Út, 1 pro 2026 10:00:00 +0100"},
	},
	{
		name: "field/date-ctime", args: "-t -i", stdin: toA + "Date: Mon Nov 30 10:00:00 2026\n\nx\n",
		want: []string{"X-Original-Date: Mon Nov 30 10:00:00 2026"},
	},
	{
		name: "field/date-iso", args: "-t -i", stdin: toA + "Date: 2026-11-30T10:00:00Z\n\nx\n",
		want: []string{"X-Original-Date: 2026-11-30T10:00:00Z"},
	},
	{
		name: "field/date-day", args: "-t -i", stdin: toA + "Date: Mon, 31 Feb 2026 10:00:00 +0100\n\nx\n",
		want: []string{"X-Original-Date: Mon, 31 Feb 2026 10:00:00 +0100"},
	},
	{
		name: "field/date-obsolete", args: "-t -i", stdin: toA + "Date: Mon, 30 Nov 26 10:00 GMT\n\nx\n",
		want: []string{"Date: Mon, 30 Nov 26 10:00 GMT"}, absent: []string{"X-Original-Date"},
	},
	{
		name: "field/id-bare", args: "-t -i", stdin: toA + "Message-ID: 1@example.org\n\nx\n",
		want: []string{"Message-ID: <1@example.org>"},
	},
	{
		name: "field/id-blanks", args: "-t -i", stdin: toA + "Message-ID: < 1 . 2 @example.org > (mine)\n\nx\n",
		want: []string{"Message-ID: <1.2@example.org>"},
	},
	{
		name: "field/id-no-host", args: "-t -i", stdin: toA + "Message-ID: <job-17>\n\nx\n",
		want: []string{"Message-ID: <job-17@web1.example>"},
	},
	{
		name: "field/id-dots", args: "-t -i", stdin: toA + "Message-ID: <.1..2@example.org.>\n\nx\n",
		want: []string{"Message-ID: <1.2@example.org>"},
	},
	{
		name: "field/id-8bit", args: "-t -i", stdin: toA + "Message-ID: <gr\xc3\xbc\xc3\x9f@example.org>\n\nx\n",
		want: []string{"Message-ID: <gr_C3_BC_C3_9F@example.org>"},
	},
	{
		name: "field/id-two", args: "-t -i", stdin: toA + "Message-ID: <1@example.org> <2@example.org>\n\nx\n",
		want: []string{"Message-ID: <1@example.org>"},
	},
	{
		name: "name/iso2022jp", args: "-t -i",
		stdin: toA + "From: =?ISO-2022-JP?B?GyRCRnxLXBsoQg==?= <a@shop.example>\nSubject: x\n\nx\n",
		want:  []string{"From: 日本 <noreply@contoso.test>"},
	},
	{
		name: "name/koi8-and-name", args: "-t -i",
		stdin: toA + "From: =?koi8-r?Q?=D4=C5=D3=D4?= Shop <root@web1>\n\nx\n",
		want:  []string{"From: тест Shop (root@web1) <noreply@contoso.test>"},
	},
	{
		name: "name/gb2312-two", args: "-t -i",
		stdin: toA + "From: =?gb2312?B?1tA=?= =?gb2312?B?zsQ=?= <a@shop.example>\n\nx\n",
		want:  []string{"From: 中文 <noreply@contoso.test>"},
	},
	{
		name: "name/quoted-word", args: "-t -i", stdin: toA + "From: \"=?UTF-8?B?SsO2cm4=?=\" <a@shop.example>\n" +
			"Subject: x\n\nx\n",
		want: []string{"From: Jörn <noreply@contoso.test>"},
	},
	{
		name: "name/no-padding", args: "-t -i", stdin: toA + "From: =?UTF-8?B?SsO2cm4?= <a@shop.example>\n\nx\n",
		want: []string{"From: Jörn <noreply@contoso.test>"},
	},
	{
		name: "name/blank-in-word", args: "-t -i",
		stdin: toA + "From: =?UTF-8?Q?J=C3=B6rn Doe?= <a@shop.example>\n\nx\n",
		want:  []string{"From: Jörn Doe <noreply@contoso.test>"},
	},
	{
		name: "name/raw-in-word", args: "-t -i", stdin: toA + "Subject: =?UTF-8?Q?Gr\xc3\xbc\xc3\x9fe?=\n\nx\n",
		want: []string{"Subject: Grüße"},
	},
	{
		name: "name/raw-in-word-blanks", args: "-t -i",
		stdin: toA + "Subject: Re: =?utf-8?q?Gr\xc3\xbc\xc3\x9fe aus=20K=C3=B6ln?= x\n\nx\n",
		want:  []string{"Subject: Re: Grüße aus Köln x"},
	},
	{
		name: "name/raw-in-word-from", args: "-t -i",
		stdin: toA + "From: =?UTF-8?Q?J\xc3\xb6rn?= <a@shop.example>\n\nx\n",
		want:  []string{"From: Jörn <noreply@contoso.test>"},
	},
	{
		name: "name/raw-in-word-latin1", args: "-t -i", stdin: toA + "Subject: =?iso-8859-1?Q?Gr\xfc\xdfe?=\n\nx\n",
		want: []string{"Subject: Grüße"},
	},
	{
		name: "name/word-and-raw", args: "-t -i",
		stdin: toA + "Subject: =?koi8-r?Q?=D4=C5=D3=D4?= gr\xc3\xbc\xc3\x9fe\n\nx\n",
		want:  []string{"Subject: тест grüße"},
	},
	{
		name: "name/whole-encoded", args: "-t -i",
		stdin: toA + "From: =?UTF-8?B?RmxvIEV4IDxmbG9Ad2ViMS5leGFtcGxlLm5ldD4=?=\nSubject: x\n\nx\n",
		want:  []string{"From: Flo Ex <noreply@contoso.test>", "Reply-To: Flo Ex <flo@web1.example.net>"},
	},
	{
		name: "name/koi8-subject", args: "-t -i",
		stdin: mimeA + "Content-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: 8bit\nSubject: " +
			"\xd4\xc5\xd3\xd4\n\n\xd4\xc5\xd3\xd4\n",
		want: []string{"Subject: тест", `part text/plain koi8-r 8bit 'тест\n'`},
	},
	{
		name: "name/koi8-from", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=koi8-r\nFrom: " +
			"\xd4\xc5\xd3\xd4 <a@shop.example>\n\nx\n",
		want: []string{"From: тест <noreply@contoso.test>"},
	},
	{
		name: "name/gbk-subject", args: "-t -i", stdin: mimeA + "Content-Type: text/plain; charset=gbk\nSubject: " +
			"\xd6\xd0\xce\xc4" + strings.Repeat("\xd6\xd0", 60) + "\n\nx\n",
		want: []string{"Subject: 中文" + strings.Repeat("中", 60)},
	},
	{
		name: "name/koi8-of-part", args: "-t -i", stdin: "Subject: \xd4\xc5\xd3\xd4\n" + mixed + "--b\nContent-Type: " +
			"text/plain; charset=koi8-r\n\n\xd4\xc5\xd3\xd4\n--b--\n",
		want: []string{"Subject: тест", `part text/plain koi8-r base64 'тест'`},
	},
	{
		name: "name/utf8-subject-latin1-body", args: "-t -i",
		stdin: mimeA + "Content-Type: text/plain; charset=iso-8859-1\nSubject: Gr\xc3\xbc\xc3\x9fe\n\n" +
			"Gr\xfc\xdfe\n",
		want: []string{"Subject: Grüße", `part text/plain iso-8859-1 8bit 'Grüße\n'`},
	},
	{
		name: "name/windows-subject", args: "-t -i", stdin: toA + "Subject: \x80 5 \x96 gr\xfcn\n\nx\n",
		want: []string{"Subject: € 5 – grün"},
	},
	{
		name: "name/part-filename", args: "-t -i",
		stdin: mixed + "--b\nContent-Type: text/plain\n\nx\n--b\nContent-Type: application/pdf\nContent-Disposition: " +
			"attachment; filename=\"\xc3\x9cbersicht.pdf\"\nContent-Transfer-Encoding: base64\n\nAAAA\n--b--\n",
		want: []string{`part application/pdf base64 b'\x00\x00\x00' Übersicht.pdf`},
	},
	{
		name: "name/jis-raw", args: "-t -i",
		stdin: toA + "Subject: Re:\x1b$BF|K\\\x1b(B x\nFrom: \x1b$BF|K\\\x1b(B <a@shop.example>\nReply-To: " +
			"\"\x1b$BF|K\\\x1b(B\" <b@shop.example>\n\nx\n",
		want: []string{"Subject: Re: 日本 x", "From: 日本 <noreply@contoso.test>", "Reply-To: 日本 <b@shop.example>"},
	},
	{
		name: "name/jis-raw-long", args: "-t -i", stdin: toA + "Subject: \x1b$B" + strings.Repeat("F|K\\", 300) +
			"\x1b(B\n\nx\n",
		want: []string{"Subject: " + strings.Repeat("日本", 300)},
	},
	{
		name: "name/part-filename-word", args: "-t -i",
		stdin: mixed + "--b\nContent-Type: application/pdf\nContent-Disposition: attachment; " +
			"filename=\"=?utf-8?Q?\xc3\x9c x.pdf?=\"\nContent-Transfer-Encoding: base64\n\nAAAA\n--b--\n",
		want: []string{`part application/pdf base64 b'\x00\x00\x00' Ü x.pdf`},
	},
	{
		name: "name/part-filename-both", args: "-t -i",
		stdin: mixed + "--b\nContent-Type: application/pdf\nContent-Disposition: attachment; " +
			"filename=\"\xc3\x9c x.pdf\"; filename*=utf-8''%C3%9C%20x.pdf\nContent-Transfer-Encoding: base64\n\n" +
			"AAAA\n--b--\n",
		want: []string{`part application/pdf base64 b'\x00\x00\x00' Ü x.pdf`},
	},
	{
		name: "name/part-name", args: "-t -i",
		stdin: mixed + "--b\nContent-Type: application/pdf; name=\xc3\x9cbersicht 2026.pdf\nContent-Description: " +
			"\xc3\x9cbersicht\nContent-Transfer-Encoding: base64\n\nAAAA\n--b--\n",
		want: []string{`part application/pdf base64 b'\x00\x00\x00' Übersicht 2026.pdf`},
	},
	{
		name: "name/part-filename-koi8", args: "-t -i",
		stdin: mixed + "--b\nContent-Type: text/plain; charset=koi8-r; name=\"\xd4\xc5\xd3\xd4.txt\"\n" +
			"Content-Transfer-Encoding: 8bit\n\n\xd4\xc5\xd3\xd4\n--b\nContent-Type: application/pdf\n" +
			"Content-Disposition: attachment; filename*=utf-8''\xc3\x9c%20x.pdf\nContent-Transfer-Encoding: " +
			"base64\n\nAAAA\n--b--\n",
		want: []string{`part text/plain koi8-r base64 'тест'`, `part application/pdf base64 b'\x00\x00\x00' Ü x.pdf`},
	},
	{
		name: "name/part-filename-signed", args: "-t -i",
		stdin: mimeA + "Content-Type: multipart/mixed; boundary=b\nSubject: x\n\n--b\nContent-Type: message/rfc822\n" +
			"\nTo: x@example.org\nSubject: \xc3\xbc\n\n" +
			"x\n--b--\n",
		want: []string{"part message/rfc822", `part text/plain us-ascii 7bit 'x'`},
	},
}

// many is a list of addresses that fills the field that Exchange takes all but for a few bytes.
var many = strings.Repeat("someone.with.a.name@example.org,\n ", 1000) + "someone@example.org"
