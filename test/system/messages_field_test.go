//go:build system

package system

// fieldCases are messages with odd header fields, and what they are made into.
var fieldCases = []messageCase{
	{
		name: "once/one", args: "-t -i", stdin: "To: a@example.org\nSubject: x\n\nx\n",
		want: []string{"To: a@example.org", "Subject: x", "part text/plain us-ascii 7bit 'x\\n'"},
	},
}
