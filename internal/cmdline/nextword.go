package cmdline

import (
	"slices"
	"strings"
)

// What stands in the word after a flag is its value or the first recipient. Sendmail takes
// values of -o in the same word only, Exim those of some letters in the next one only.

// eximAbout are the -oM options of Exim (specification 5.2): facts about how a message came.
var eximAbout = [...]string{"a", "aa", "ai", "as", "i", "m", "r", "s", "t"}

// eximQueueCommands are the -M options of Exim that act on queued messages.
var eximQueueCommands = [...]string{
	"ar", "C", "eb", "es", "f", "G", "g", "mad", "md", "rm", "set", "t", "vb", "vc", "vh", "vl",
}

// takesNext reports whether the option's value is the word after it.
func takesNext(option string, more []string) bool {
	if about, found := strings.CutPrefix(option, "M"); found {
		return slices.Contains(eximAbout[:], about)
	}
	if len(option) != 1 {
		return false
	}
	for i := range optionTable {
		if opt := &optionTable[i]; opt.letter == option[0] && opt.next != nil {
			return len(more) > 0 && opt.next(more[0])
		}
	}
	return false
}

func anyWord(string) bool { return true }

func isNumber(word string) bool { return word != "" && strings.Trim(word, "0123456789") == "" }

// isTime reports whether word is a time as Exim writes it: 5m, 1h30m; a bare number is seconds.
func isTime(word string) bool {
	return word != "" && '0' <= word[0] && word[0] <= '9' && strings.Trim(word, "0123456789smhdw") == ""
}

func isInterval(word string) bool {
	_, err := queueInterval(word)
	return word != "" && err == nil
}

// isDebugLevel reports whether word is Sendmail's -d value: 0.1, 21-50.8, 99.100,11.2.
func isDebugLevel(word string) bool {
	return word != "" && '0' <= word[0] && word[0] <= '9' && strings.Trim(word, "0123456789.,-") == ""
}

// isEximID reports whether word is the id of a message in Exim's queue: 6, 6 or 11, and 2 or 4
// letters and digits.
func isEximID(word string) bool {
	parts := strings.Split(word, "-")
	return len(parts) == 3 && len(parts[0]) == 6 && (len(parts[1]) == 6 || len(parts[1]) == 11) &&
		(len(parts[2]) == 2 || len(parts[2]) == 4)
}
