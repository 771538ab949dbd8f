// Package completion holds the shells' halves of completion for o365-sendmail(8). The program's half is
// "o365-sendmail completion words": the scripts hand it what has been typed, and it prints what may follow.
package completion

import "embed"

//go:embed o365-sendmail.bash _o365-sendmail o365-sendmail.fish
var scripts embed.FS

// files are the scripts by the names that the shells look for.
var files = map[string]string{
	"bash": "o365-sendmail.bash", "zsh": "_o365-sendmail", "fish": "o365-sendmail.fish",
}

// Shells returns the shells that have a script.
func Shells() []string { return []string{"bash", "zsh", "fish"} }

// Script returns the completion script of a shell, "" for a shell that has none.
func Script(shell string) string {
	name, ok := files[shell]
	if !ok {
		return ""
	}
	text, err := scripts.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(text)
}
