//go:build system

package system

// contentCases are messages whose body says something of itself that is not so, and what they are made into.
var contentCases = []messageCase{
	{
		name: "label/true", args: "-t -i",
		stdin: "To: a@example.org\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGr\xc3\xbc\xc3\x9fe\n",
		want:  []string{`part text/plain utf-8 8bit 'Grüße\n'`},
	},
}
