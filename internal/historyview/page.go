package historyview

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"o365-sendmail/internal/history"
	"o365-sendmail/internal/printable"
)

//go:embed page.css
var style string

// markup is what stands in the page as it is; every other text is escaped.
type markup string

// escape makes text of a page or of an attribute of it. Package html would be initialised for each message.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;").Replace(s)
}

type page struct{ b bytes.Buffer }

func (p *page) put(parts ...any) {
	for _, part := range parts {
		switch v := part.(type) {
		case markup:
			p.b.WriteString(string(v))
		case string:
			p.b.WriteString(escape(printable.Clean(v)))
		case int64:
			p.b.WriteString(grouped(v))
		case int:
			fmt.Fprint(&p.b, v)
		}
	}
}

// Page writes the sums as a page in HTML of a host. It needs no script, no other file and no network, and forbids
// itself all of them.
func Page(w io.Writer, s *history.Stats, host string) error {
	p := new(page)
	sum := sha256.Sum256([]byte(style))
	p.put(markup("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"+
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-"+
		base64.StdEncoding.EncodeToString(sum[:])+"'; base-uri 'none'; form-action 'none'\">\n"+
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"+
		"<meta name=\"referrer\" content=\"no-referrer\">\n<title>"), "Mail of "+host, markup("</title>\n<style>"),
		markup(style), markup("</style>\n</head>\n<body>\n<h1>"), "Mail of "+host, markup("</h1>\n<p>"),
		"Recipients by what became of them, "+s.Since.Format("2006-01-02")+" to "+s.Until.Format("2006-01-02 15:04")+
			" UTC.", markup("</p>\n<main>\n"))
	p.outcomes(s)
	p.table("Sent within", "Time", delays(s))
	p.chart("By day", "Day", days(s), "row")
	p.chart("Today by hour (UTC)", "Hour", hours(s), "row")
	p.users(s)
	if s.Damaged > 0 {
		p.put(markup("<p>"), int64(s.Damaged), " damaged lines were passed over.", markup("</p>\n"))
	}
	p.put(markup("</main>\n</body>\n</html>\n"))
	_, err := w.Write(p.b.Bytes())
	return err
}

// outcomes is the table of the outcomes.
func (p *page) outcomes(s *history.Stats) {
	p.section("Outcome", "")
	p.put(markup("<table>\n"))
	for i, row := range outcomes(s) {
		switch i {
		case 0:
			p.put(markup("<thead><tr>"))
		case 1:
			p.put(markup("<tbody>\n<tr>"))
		default:
			p.put(markup("<tr>"))
		}
		for k, cell := range row {
			switch {
			case i == 0:
				p.put(markup("<th scope=\"col\">"), cell, markup("</th>"))
			case k == 0:
				p.put(markup("<th scope=\"row\">"), cell, markup("</th>"))
			default:
				p.put(markup("<td>"), cell, markup("</td>"))
			}
		}
		if p.put(markup("</tr>")); i == 0 {
			p.put(markup("</thead>"))
		}
		p.put(markup("\n"))
	}
	p.put(markup("</tbody>\n</table>\n</section>\n"))
}

func (p *page) section(title, class string) {
	p.put(markup("<section class=\""), class, markup("\">\n<h2>"), title, markup("</h2>\n"))
}

// chart draws columns, with a table of the same numbers. The letters stand beside the picture, so that they keep their
// size on a narrow screen.
func (p *page) chart(title, what string, bars []bar, class string) {
	p.section(title, class)
	top := most(bars)
	p.put(markup("<div class=\"plot\">\n<div class=\"scale\" aria-hidden=\"true\"><span>"), top,
		markup("</span><span>0</span></div>\n"), markup("<svg viewBox=\"0 0 "), len(bars)*10,
		markup(" 100\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\""),
		title+": the numbers are in the table below", markup("\">\n"))
	for i, b := range bars {
		sent, not := height(b.sent, top), height(b.not, top)
		p.put(markup("<g><title>"), b.label+": "+counted(b), markup("</title>"))
		p.rect("sent", i*10+1, 100-sent, 8, sent)
		p.rect("not", i*10+1, max(100-sent-not, 0), 8, not)
		p.put(markup("</g>\n"))
	}
	p.put(markup("</svg>\n<div class=\"axis\" aria-hidden=\"true\">"))
	for _, i := range [...]int{0, len(bars) / 2, len(bars) - 1} {
		p.put(markup("<span>"), bars[i].label, markup("</span>"))
	}
	p.put(markup("</div>\n</div>\n"))
	p.legend()
	p.put(markup("<details>\n<summary>"), "Numbers", markup("</summary>\n"))
	p.rows(what, bars, false)
	p.put(markup("</details>\n</section>\n"))
}

// height is a part of 100, at least 1 for what is more than nothing.
func height(n, top int64) int {
	if n == 0 {
		return 0
	}
	return max(1, int(n*100/top))
}

func (p *page) rect(class string, x, y, width, height int) {
	if width > 0 && height > 0 {
		p.put(markup("<rect class=\""), class, markup("\" x=\""), x, markup("\" y=\""), y, markup("\" width=\""), width,
			markup("\" height=\""), height, markup("\"/>"))
	}
}

func (p *page) legend() {
	p.put(markup("<div class=\"legend\">"))
	for _, k := range [...]struct{ class, text string }{{"sent", "sent"}, {"not", "not sent"}} {
		p.put(markup("<span><svg class=\"key\" viewBox=\"0 0 8 8\" aria-hidden=\"true\">"))
		p.rect(k.class, 0, 0, 8, 8)
		p.put(markup("</svg>"), k.text, markup("</span>"))
	}
	p.put(markup("</div>\n"))
}

func (p *page) users(s *history.Stats) {
	p.section("By user, "+of(len(s.Days)), "row")
	p.rows("User", users(s), true)
	p.put(markup("</section>\n"))
}

func (p *page) table(title, what string, bars []bar) {
	p.section(title, "")
	p.rows(what, bars, true)
	p.put(markup("</section>\n"))
}

// rows is a table of bars, drawn or not. A column that is empty is left out.
func (p *page) rows(what string, bars []bar, drawn bool) {
	top, not := most(bars), false
	for _, b := range bars {
		not = not || b.not > 0
	}
	p.put(markup("<table>\n<thead><tr><th scope=\"col\">"), what, markup("</th>"))
	if drawn {
		p.put(markup("<td class=\"bar\"></td>"))
	}
	p.put(markup("<th scope=\"col\">"), "Sent", markup("</th>"))
	if not {
		p.put(markup("<th scope=\"col\">"), "Not sent", markup("</th>"))
	}
	p.put(markup("</tr></thead>\n<tbody>\n"))
	for _, b := range bars {
		p.put(markup("<tr><th scope=\"row\">"), b.label, markup("</th>"))
		if drawn {
			sent := height(b.sent, top)
			p.put(markup("<td class=\"bar\"><svg viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"))
			p.rect("track", 0, 0, 100, 8)
			p.rect("sent", 0, 0, sent, 8)
			p.rect("not", sent, 0, min(height(b.not, top), 100-sent), 8)
			p.put(markup("</svg></td>"))
		}
		p.put(markup("<td>"), b.sent, markup("</td>"))
		if not {
			p.put(markup("<td>"), b.not, markup("</td>"))
		}
		p.put(markup("</tr>\n"))
	}
	p.put(markup("</tbody>\n</table>\n"))
}
