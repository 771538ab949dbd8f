package rfc822

import (
	"strings"
	"testing"
)

// Encoded words that name no charset, or one that can't be theirs, name UTF-8 if they are that.
func TestNameWords(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Subject: =?unknown-8bit?B?R3LDtsOfZQ==?=\r\n":    "Subject: =?utf-8?B?R3LDtsOfZQ==?=\r\n",
		"Subject: a =?us-ascii?Q?Gr=C3=B6=C3=9Fe?= b\r\n": "Subject: a =?utf-8?B?R3LDtsOfZQ==?= b\r\n",
		"Subject: =?UNKNOWN-8BIT?Q?Gr=C3?=\r\n" +
			" =?unknown-8bit?Q?=B6=C3=9Fe?=\r\n": "Subject: =?utf-8?B?R3LDtsOfZQ==?=\r\n",
		"To: =?x-unknown?Q?Gr=C3=B6=C3=9Fe?= <a@b.example>\r\n": "To: =?utf-8?B?R3LDtsOfZQ==?= " +
			"<a@b.example>\r\n",
		// Left alone: it is not UTF-8, the charset may be right, there is nothing to name.
		"Subject: =?unknown-8bit?Q?Gr=F6=DFe?=\r\n":     "Subject: =?unknown-8bit?Q?Gr=F6=DFe?=\r\n",
		"Subject: =?iso-8859-1?Q?Gr=C3=B6=C3=9Fe?=\r\n": "Subject: =?iso-8859-1?Q?Gr=C3=B6=C3=9Fe?=\r\n",
		"Subject: =?us-ascii?Q?plain?= =?unknown-8bit?Q?=F6?=\r\n": "Subject: =?us-ascii?Q?plain?= " +
			"=?unknown-8bit?Q?=F6?=\r\n",
		"Message-ID: <=?unknown-8bit?Q?Gr=C3=B6=C3=9Fe?=@b.example>\r\n": "Message-ID: <=?unknown-8bit?Q?Gr=C3=B6=C3=9Fe?=@b.example>\r\n",
	} {
		f := Field{raw: []byte(in), name: strings.IndexByte(in, ':')}
		if got := string(f.nameWords().raw); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}
