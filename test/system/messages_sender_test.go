//go:build system

package system

// author is a message to a@example.org with a From field.
func author(from string) string {
	return "To: a@example.org\nFrom: " + from + "\nSubject: x\n\nx\n"
}

// from is a message with a From field that is written as nobody should, and what a reader sees of it.
func from(name, field, shown, reply string) messageCase {
	c := messageCase{name: "from/" + name, args: "-t -i", stdin: author(field),
		want: []string{"From: " + shown + " <noreply@contoso.test>"}}
	if reply == "" {
		c.absent = []string{"Reply-To:"}
		return c
	}
	c.want = append(c.want, "Reply-To: "+reply)
	return c
}

// guessed is from, and the log says so.
func guessed(name, field, shown, reply string) messageCase {
	c := from(name, field, shown, reply)
	c.log = "the From field: "
	return c
}

// address is a message whose To field, as -t reads it, goes to some recipients.
func address(name, field string, to []string, want ...string) messageCase {
	return messageCase{name: "addr/" + name, args: "-t -i", stdin: "To: " + field + "\nSubject: x\n\nx\n",
		to: to, want: want}
}

// none is one whose To field has no address, for a reason that is printed.
func none(name, field, reason string) messageCase {
	return messageCase{name: "addr/" + name, args: "-t -i", stdin: "To: " + field + "\nSubject: x\n\nx\n", exit: 65,
		stderr: reason}
}

const shopReply = "My Shop <a@shop.example>"

// senderCases are messages with odd authors, recipients and options.
var senderCases = []messageCase{
	guessed("comma", "Doe, John <john@shop.example>", "Doe, John", "Doe, John <john@shop.example>"),
	guessed("commas", "Doe, John, Dr. <john@shop.example>", "Doe, John, Dr.", "Doe, John, Dr. <john@shop.example>"),
	guessed("comma-8bit", "M\xc3\xbcller, J\xc3\xb6rg <j@shop.example>", "Müller, Jörg",
		"Müller, Jörg <j@shop.example>"),
	guessed("comma-latin1", "M\xfcller, Ann <ann@shop.example>", "Müller, Ann", "Müller, Ann <ann@shop.example>"),
	from("blank-at", "My Shop <a @ shop.example>", "My Shop", shopReply),
	from("blank-dots", "My Shop <a@ shop . example>", "My Shop", shopReply),
	from("comment-at", "My Shop <a (x) @ (y) shop.example>", "My Shop", shopReply),
	from("route", "My Shop <@relay.example,@b.example:a@shop.example>", "My Shop", shopReply),
	from("folded", "My Shop\n <a\n @shop.example>", "My Shop", shopReply),
	guessed("no-close", "My Shop <a@shop.example", "My Shop", shopReply),
	guessed("no-open", "My Shop a@shop.example>", "My Shop", shopReply),
	guessed("no-brackets", "My Shop a@shop.example", "My Shop", shopReply),
	guessed("double-brackets", "My Shop <<a@shop.example>>", "My Shop", shopReply),
	guessed("open-quote", "\"My Shop <a@shop.example>", "My Shop", shopReply),
	from("open-comment", "My (Shop <a@shop.example>", "My (Shop", "My (Shop <a@shop.example>"),
	guessed("single-quotes", "'a@shop.example'", "a@shop.example", "a@shop.example"),
	from("mailto", "My Shop <mailto:a@shop.example>", "My Shop", shopReply),
	from("trailing-comma", "My Shop <a@shop.example>,", "My Shop", shopReply),
	from("at-in-name", "a@home <a@shop.example>", "a@home", "a@home <a@shop.example>"),
	from("two", "Ann <ann@shop.example>, bob@shop.example", "Ann, bob@shop.example",
		"Ann <ann@shop.example>, bob@shop.example"),
	from("semicolons", "Ann <ann@shop.example>; Bob <bob@shop.example>;", "Ann, Bob",
		"Ann <ann@shop.example>, Bob <bob@shop.example>"),
	guessed("two-angles", "Ann <ann@shop.example> <bob@shop.example>", "Ann, bob@shop.example",
		"Ann <ann@shop.example>, bob@shop.example"),
	guessed("group", "Sales: Ann <ann@shop.example>, bob@shop.example;", "Sales: Ann, bob@shop.example",
		"Sales: Ann <ann@shop.example>, bob@shop.example"),
	guessed("name-only", "My Shop", "My Shop (root@web1.example)", ""),
	from("mailer-daemon", "MAILER-DAEMON@mx.shop.example (Mail Delivery)",
		"Mail Delivery (MAILER-DAEMON@mx.shop.example)", ""),
	from("idn", "Ann <ann@m\xc3\xbcller.example>", "Ann", "Ann <ann@xn--mller-kva.example>"),
	from("blanks-of-scripts", "My Shop\xc2\xa0<\xe2\x80\x8ba@shop.example\xe3\x80\x80>", "My Shop", shopReply),

	{
		name: "addr/idn", args: "-i info@müller.example", stdin: "To: info@m\xc3\xbcller.example\nSubject: x\n\nx\n",
		to: []string{"info@xn--mller-kva.example"}, want: []string{"To: info@xn--mller-kva.example"},
	},
	address("idn-t", "Info <info@M\xc3\x9cLLER.example>, b@\xd0\xbf\xd0\xbe\xd1\x87\xd1\x82\xd0\xb0.example",
		[]string{"info@xn--mller-kva.example", "b@xn--80a1acny.example"}),
	address("idn-dot", "info@b\xc3\xbccher.example.", []string{"info@xn--bcher-kva.example"}),
	none("idn-bad", "info@\xc3\xbc--\xcc\x81.example", "no internationalized domain name"),
	{name: "addr/local-8bit", args: "-i jörg@example.org", stdin: "Subject: x\n\nx\n", to: []string{"jörg@example.org"},
		utf8: true},
	{
		name: "addr/bare-name-8bit", args: "-i a@example.org",
		stdin: "To: Gesch\xc3\xa4ftsf\xc3\xbchrung\nSubject: x\n\nx\n",
		want:  []string{"To: =?utf-8?B?R2VzY2jDpGZ0c2bDvGhydW5n?="}, // for Python it is an address
	},
	{
		name: "addr/bare-names-8bit", args: "-i a@example.org",
		stdin: "To: a@example.org\nCc: Gesch\xc3\xa4ft, Caf\xe9\nSubject: x\n\nx\n",
	},
	{
		name: "addr/broken-8bit", args: "-i a@example.org", stdin: "To: J\xc3\xb6rg <j\xc3\xb6rg@ex ample.org\n" +
			"Subject: x\n\nx\n",
	},
	none("name-8bit", "Gesch\xc3\xa4ftsf\xc3\xbchrung", "a name without an address"),
	address("blank", "Mary <mary @ example.org>", []string{"mary@example.org"}, "To: Mary <mary@example.org>"),
	address("blank-dots", "mary . ann@example . org, b\xc2\xa0@\xe3\x80\x80example.org",
		[]string{"mary.ann@example.org", "b@example.org"}),
	address("blanks-of-scripts", "\xe3\x80\x80a@example.org\xe2\x80\x8b,\xc2\xa0b@example.org\xef\xbb\xbf",
		[]string{"a@example.org", "b@example.org"}, "To: a@example.org, b@example.org"),
	none("blank-in-word", "a\xe2\x80\x8bb@example.org", "U+200B"),
	{name: "addr/blank-argument", args: "-i a@example.org\u00a0", stdin: "Subject: x\n\nx\n"},
	none("merge", "\"test\"test@example.org", "quotes around a part of a word"),
	none("merge-behind", "test\"test\"@example.org", "quotes around a part of a word"),
	none("merge-comment", "te(x)st@example.org", "comment in the middle of a word"),
	none("merge-domain", "test@exam (x) ple.org", "space outside quotes"),
	none("quoted-at", "\"test@example.org\"", "no domain"),
	{name: "addr/merge-argument", args: "-i \"test\"test@example.org", stdin: "Subject: x\n\nx\n", exit: 65,
		stderr: "quotes around a part of a word"},
	{name: "addr/bom", args: "-t -i", stdin: "\xef\xbb\xbfTo: a@example.org\nSubject: bom\n\nhi\n",
		want: []string{"To: a@example.org", "Subject: bom"}},
	{name: "addr/bom-mbox", args: "-t -i", stdin: "\xef\xbb\xbfFrom joe Mon Nov 30 10:00:00 2026\nTo: " +
		"a@example.org\n\nhi\n"},
	{name: "addr/bom-argument", args: "-i a@example.org", stdin: "\xef\xbb\xbfSubject: bom\r\n\r\nhi\r\n",
		want: []string{"Subject: bom"}},
	address("list-in-angle", "<a@example.org,b@example.org>", []string{"a@example.org", "b@example.org"},
		"To: a@example.org, b@example.org"),
	{name: "addr/list-in-angle-argument", args: "-i <a@example.org,b@example.org>", stdin: "Subject: x\n\nx\n",
		to: []string{"a@example.org", "b@example.org"}},

	{name: "addr/oMr", args: "-oMr spam-scanned a@example.org", stdin: "Subject: x\n\nx\n"},
	{name: "addr/oMa", args: "-i -oMa 192.0.2.1 -oMs client.example -oMt ident a@example.org",
		stdin: "Subject: x\n\nx\n"},
	{name: "addr/oMi", args: "-ioMi 192.0.2.1 -oMm 1aBcDe-000001-XX -oMrsmtp a@example.org",
		stdin: "Subject: x\n\nx\n"},
	{name: "addr/values", args: "-oX 25 -oP /run/x -os 5m -d 0.1 -p SMTP:x -x a@example.org",
		stdin: "Subject: x\n\nx\n"},

	{name: "dot/log", args: "-t", stdin: "To: a@example.org\n\nx\n.\nlost\n", log: "a line with a single dot"},
	{name: "null/forwarded", args: "-i -f <> a@example.org", stdin: "Received: from x\nTo: a@example.org\nFrom: " +
		"ann@shop.example\n\nx\n", absent: []string{"Auto-Submitted"}},
	{name: "null/own", args: "-i -f <> a@example.org", stdin: author("ann@shop.example"),
		want: []string{"Auto-Submitted: auto-generated"}},
}
