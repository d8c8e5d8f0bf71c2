package config

import (
	"fmt"
	"strings"
)

// Example returns a complete configuration: every key that is supported, with
// its documentation as a comment and a sensible value. Keys that exclude others
// are comments themselves.
func Example() []byte {
	var b strings.Builder
	b.WriteString("# Every key that hupwatch knows, with a sensible value. A service needs no more than\n# a command; where a key is left out, its default holds.\n# What is commented out cannot stand beside another key, or only with it.\n")

	for _, s := range []struct{ section, header string }{
		{sectionTop, ""},
		{sectionDaemon, "[daemon]"},
		{sectionService, "[services.web]"},
		{sectionListen, "[[services.api.listen]]"},
		{sectionReady, "[services.api.ready]"},
	} {
		b.WriteString("\n")
		if s.section == sectionListen {
			b.WriteString("# The addresses of listen can be tables of their own too.\n[services.api]\ncommand = [\"./api\"]\n\n")
		}
		if s.section == sectionReady {
			b.WriteString("# Shorter: ready = { http = \"http://127.0.0.1:9000/healthz\" }. There is one of http, tcp, unix, exec, notify and fd.\n")
		}
		if s.header != "" {
			b.WriteString(s.header + "\n")
		}
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
		b.WriteString("# ")
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
