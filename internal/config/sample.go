package config

import "strings"

// Sample returns the sample file: every key with its help and default, commented out; those
// that each installation needs with a placeholder.
func Sample() string {
	var b strings.Builder
	b.WriteString(`## The configuration of o365-sendmail, to be put at /etc/o365-sendmail.toml.
## The manual is o365-sendmail.toml(5), and "o365-sendmail config check" is the
## judge of this file.
##
## A file with a secret must not be readable by all:
##   chown root:o365-sendmail /etc/o365-sendmail.toml
##   chmod 0640 /etc/o365-sendmail.toml
##
## A line like "# key = value" shows the default, or an example where that is
## said. The keys at the top stand above the first [table].
`)
	for i := range groups {
		g := &groups[i]
		b.WriteByte('\n')
		comment(&b, g.help)
		if g.name != "" {
			b.WriteString("[" + g.name + "]\n")
		}
		for j := range g.keys {
			k := &g.keys[j]
			if k.isTable() && k.Name != g.name {
				continue
			}
			b.WriteByte('\n')
			sampleKey(&b, k)
		}
		// Tables come last: a key below them would be theirs.
		for j := range g.keys {
			if k := &g.keys[j]; k.isTable() && k.Name != g.name {
				b.WriteByte('\n')
				sampleKey(&b, k)
			}
		}
	}
	return b.String()
}

func sampleKey(b *strings.Builder, k *Key) {
	help := k.Help
	if k.Kind == KindEnum {
		help += " One of " + oneOf(k.Values) + "."
	}
	switch {
	case k.kindDefaults() != "":
		help += " Default: " + k.kindDefaults() + "."
	case k.Derived != "":
		help += " Default: " + k.Derived + "."
	case k.defaultText() == "" && k.Default == nil && !k.Required:
		help += " No default; an example:"
	}
	comment(b, help)
	value := k.defaultText()
	if value == "" {
		value = k.Example
	}
	switch {
	case k.Required:
		b.WriteString(k.base() + " = " + value + "\n")
	case k.isTable():
		if k.Name != "aliases" {
			b.WriteString("# [" + k.Name + "]\n")
		}
		for line := range strings.SplitSeq(value, "\n") {
			b.WriteString("# " + line + "\n")
		}
	default:
		b.WriteString("# " + k.base() + " = " + value + "\n")
	}
}

// comment writes text as comment lines of at most 79 characters.
func comment(b *strings.Builder, text string) {
	line := "##"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > 79 && line != "##" {
			b.WriteString(line + "\n")
			line = "##"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}
