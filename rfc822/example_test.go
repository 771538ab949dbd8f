package rfc822_test

import (
	"fmt"
	"io"
	"strings"
	"time"

	"o365-sendmail/internal/envelope"
	"o365-sendmail/rfc822"
)

var _ envelope.Message = (*rfc822.Wire)(nil)

func Example() {
	input := "From: root (Cron Daemon)\nTo: it@example.com, Jörg <joerg@example.com>\nBcc: " +
		"boss@example.com\nSubject: Müll\n\nPrüfung\n"
	m, err := rfc822.Read(strings.NewReader(input), rfc822.ReadOptions{MaxSize: 150 << 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()

	recipients, bad := m.Header.Recipients()
	fmt.Println(recipients, bad)

	m.Header.Set("Message-ID", "<1@example.com>")
	m.Complete(rfc822.CompleteOptions{
		Now: time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC), Host: "web1.example.com", MailDomain: "example.com",
	})
	m.Header.RemoveBcc()

	w, err := m.Wire(rfc822.WireOptions{AllowEightBit: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := w.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	fmt.Println(w.EightBit(), w.SMTPUTF8())
	text, err := io.ReadAll(r)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(strings.ReplaceAll(string(text), "\r\n", "\n"))

	// Output:
	// [it@example.com =?utf-8?B?SsO2cmc=?= <joerg@example.com> boss@example.com] []
	// true false
	// From: root@example.com (Cron Daemon)
	// To: it@example.com, =?utf-8?B?SsO2cmc=?= <joerg@example.com>
	// Subject: =?utf-8?B?TcO8bGw=?=
	// Message-ID: <1@example.com>
	// Date: Wed, 25 Nov 2026 08:00:00 +0000
	// Content-Type: text/plain; charset=utf-8
	// Content-Transfer-Encoding: 8bit
	// MIME-Version: 1.0
	//
	// Prüfung
}
