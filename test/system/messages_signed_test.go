//go:build system

package system

// dkim is a header that a signature covers.
const dkim = "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=shop.example; s=x; h=From:To:Subject; " +
	"bh=x; b=y\n" +
	"From: noreply@contoso.test\nTo: a@example.org\nSubject: x\n"

// dkimLost is what the log says of it.
const dkimLost = "the DKIM-Signature of shop.example does not hold after the change of "

// signedCases are messages whose signature can't hold: the log says so.
var signedCases = []messageCase{
	{
		name: "signed/from", args: "-t -i", log: dkimLost + "From",
		stdin: "DKIM-Signature: v=1; d=shop.example; h=From:Subject; bh=x; b=y\nFrom: joe@shop.example\n" + toA +
			"\nx\n",
	},
	{
		name: "signed/joined-to", args: "-t -i", log: dkimLost + "To", stdin: dkim + "To: b@example.org\n\nx\n",
		to: []string{"a@example.org", "b@example.org"},
	},
	{name: "signed/nul", args: "-t -i", log: dkimLost + "the body", stdin: dkim + "\nx\x00y\n"},
	{name: "signed/bare-cr", args: "-t -i", log: dkimLost + "the body", stdin: dkim + "\nx\ry\n"},
	{
		name: "signed/part-label", args: "-t -i", log: dkimLost + "the body",
		stdin: dkim + "MIME-Version: 1.0\nContent-Type: multipart/mixed; " +
			"boundary=b\n\n--b\n\nGr\xc3\xbc\xc3\x9fe\n--b--\n",
		want: []string{`part text/plain utf-8 8bit 'Grüße'`},
	},
	{
		name: "signed/raw-subject", args: "-t -i", log: dkimLost + "Subject",
		stdin: "DKIM-Signature: v=1; d=shop.example; h=From:Subject; bh=x; b=y\nFrom: noreply@contoso.test\n" + toA +
			"Subject: Gr\xc3\xbc\xc3\x9fe\n\nx\n",
	},
}
