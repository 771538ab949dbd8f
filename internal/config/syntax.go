package config

import (
	"errors"
	"strings"

	"github.com/BurntSushi/toml"
)

// syntaxFault puts the parser's error in words that hold nothing of a secret.
func syntaxFault(src string, lines map[string]int, err error) *Error {
	var pe toml.ParseError
	if !errors.As(err, &pe) {
		return &Error{Problem: "is not TOML"}
	}
	e := &Error{Line: syntaxLine(src, lines, &pe), Problem: "not TOML: " + pe.Message}
	text := strings.Split(src, "\n")[e.Line-1]
	name, _, _ := strings.Cut(text, "=")
	says := func(part string) bool { return strings.Contains(pe.Message, part) }
	switch {
	case says("already been defined"), says("already created"):
		e.Key, e.Problem = strings.Trim(name, "[] \t\r"), "is there twice"
		e.Hint = "a key or a [table] may stand in the file once"
	case strings.Contains(strings.ToLower(text+pe.LastKey), "secret") && strings.TrimSpace(name) != "secret_expires":
		// The message may quote what was found.
		e.Problem, e.Expected = "not TOML", `key = "value" with the value in straight quotes`
	case strings.ContainsAny(text, "\u201c\u201d\u201e\u2018\u2019"):
		e.Problem, e.Expected = "not TOML: curly quotes", `straight quotes: "value"`
	case says("EOF; expected '\"'"), says("EOF; expected \"'"):
		e.Problem, e.Expected = "not TOML: the value has no end", "the closing quotes"
	case says("unexpected EOF"), says("got end of file"):
		e.Problem = "not TOML: the value has no end"
	case says("newlines"):
		e.Problem, e.Expected = "not TOML: the value has no end on this line", "the closing quotes"
	case says("expected value but found"):
		e.Problem, e.Expected = "not TOML: no value", "text in quotes, a number, true or false, a date, an array or a table"
	case says("invalid datetime"):
		e.Problem, e.Expected = "not TOML: no such date", "a date such as 2027-01-31"
	case says("top-level item to end") && strings.Contains(text, "="):
		e.Problem, e.Expected = "not TOML: the value does not end where it should", `text and numbers with units in quotes, such as "10s"`
	case says("expected '.' or '='"):
		e.Problem, e.Expected = "not TOML: no = after the key", `key = "value"`
	case says("to end table name"):
		e.Problem, e.Expected = "not TOML: the table's name has no end", "[table]"
	}
	return e
}

// syntaxLine is the line to fix. The parser's own is behind the line's end at times, and at the
// end of the file for a string without an end.
func syntaxLine(src string, lines map[string]int, pe *toml.ParseError) int {
	line := 1 + strings.Count(src[:min(max(pe.Position.Start, 0), len(src))], "\n")
	ended := strings.Contains(pe.Message, "unexpected EOF") || strings.Contains(pe.Message, "got end of file")
	if ended && pe.LastKey != "" {
		if n := lineOf(lines, pe.LastKey); n > 0 {
			return n
		}
	}
	return line
}
