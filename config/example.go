package config

import (
	"fmt"
	"strings"
)

// Example returns a complete configuration: every key that is supported, with
// its documentation as a comment and a sensible value. Keys that exclude others are
// commented out.
func Example() []byte {
	var b strings.Builder
	b.WriteString("# Every key that hupwatch knows, with a sensible value. A service needs no more than\n# a command; where a key is left out, its default holds.\n# What is commented out, like #overlap, cannot stand beside another key, or only with it.\n")

	for _, s := range []struct{ section, intro, header string }{
		{sectionTop, "", ""},
		{sectionDaemon, "", "[daemon]\n"},
		{sectionService, "", "[services.web]\n"},
		{sectionListen, "The addresses of listen can be tables of their own too.", "[services.api]\ncommand = [\"./api\"]\n\n[[services.api.listen]]\n"},
		{sectionReady, readyDoc, "[services.api.ready]\n"},
	} {
		b.WriteString("\n")
		if s.intro != "" {
			comment(&b, s.intro)
		}
		b.WriteString(s.header)
		for _, k := range Keys() {
			if k.Section == s.section && k.Supported() && k.Type != "table" {
				k.write(&b)
			}
		}
	}
	return []byte(b.String())
}

func (k Key) write(b *strings.Builder) {
	facts := k.Type
	if k.Default != "" {
		facts += ", default " + k.Default
	}
	comment(b, fmt.Sprintf("%s (%s)", k.Doc, facts))
	if k.aside {
		b.WriteByte('#')
	}
	fmt.Fprintf(b, "%s = %s\n", k.Name, k.Example())
}

// comment writes text as lines of a comment.
func comment(b *strings.Builder, text string) {
	const width = 96

	line := "#"
	for w := range strings.FieldsSeq(text) {
		if len(line)+1+len(w) > width {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + w
	}
	b.WriteString(line + "\n")
}
