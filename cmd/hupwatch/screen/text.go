package screen

import (
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"hupwatch/services/visible"
)

// Safe makes text from elsewhere harmless to a terminal: what is not plainly
// visible is escaped, and a tab is four blanks.
func Safe(text string) string { return visible.String(ends.Replace(text)) }

// ends are the ends of lines as programmers write them, and tabs as they look.
var ends = strings.NewReplacer("\t", "    ", "\n", `\n`, "\r", `\r`)

// cells counts the cells of a terminal that the text takes. Colours take none.
func cells(text string) int {
	n := 0
	for rest := text; rest != ""; {
		if c := leadingColour(rest); c != "" {
			rest = rest[len(c):]
			continue
		}
		r, size := utf8.DecodeRuneInString(rest)
		n += runewidth.RuneWidth(r)
		rest = rest[size:]
	}
	return n
}

// leadingColour returns the sequence that sets a colour at the beginning of a
// text, if there is one.
func leadingColour(text string) string {
	if !strings.HasPrefix(text, "\x1b[") {
		return ""
	}
	end := strings.IndexByte(text, 'm')
	return text[:end+1]
}

// fit cuts a line to the width, its colours left whole.
func fit(line string, most int) string {
	if most <= 0 || cells(line) <= most {
		return line
	}
	var b strings.Builder
	n, dots := 0, min(3, most)
	for rest := line; rest != ""; {
		if c := leadingColour(rest); c != "" {
			b.WriteString(c)
			rest = rest[len(c):]
			continue
		}
		r, size := utf8.DecodeRuneInString(rest)
		wide := runewidth.RuneWidth(r)
		if n+wide > most-dots {
			break
		}
		b.WriteRune(r)
		n += wide
		rest = rest[size:]
	}
	b.WriteString(strings.Repeat(".", dots))
	if strings.Contains(line, "\x1b[") {
		b.WriteString("\x1b[0m")
	}
	return b.String()
}

// keepEnd cuts a text without colours from the left.
func keepEnd(text string, most int) string {
	if cells(text) <= most {
		return text
	}
	dots := min(3, most)
	for cells(text) > most-dots {
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
	}
	return strings.Repeat(".", dots) + text
}

// keepLast cuts a path without colours from the left, between its elements if
// that leaves the last one whole.
func keepLast(path string, most int) string {
	if cells(path) <= most {
		return path
	}
	for i, r := range path {
		if rest := path[i:]; r == '/' && cells(rest) <= most-3 {
			return "..." + rest
		}
	}
	return keepEnd(lastElement(path), most)
}

func lastElement(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// pad fills a text up with blanks.
func pad(text string, to int) string {
	return text + strings.Repeat(" ", max(to-cells(text), 0))
}

// Wrap breaks a text into lines of at most so many cells, between words if it can.
// Without a width it is one line.
func Wrap(text string, most int) []string {
	if most <= 0 || cells(text) <= most {
		return []string{text}
	}
	var lines []string
	for cells(text) > most {
		end := lineEnd(text, most)
		lines = append(lines, strings.TrimRight(text[:end], " "))
		text = strings.TrimLeft(text[end:], " ")
	}
	if text != "" {
		lines = append(lines, text)
	}
	return lines
}

// lineEnd returns where the first line of a text that is too long ends.
func lineEnd(text string, most int) int {
	n, blank := 0, 0
	for i, r := range text {
		if n += runewidth.RuneWidth(r); n > most && i > 0 {
			if blank > 0 {
				return blank
			}
			return i
		}
		if r == ' ' && i > 0 && strings.TrimLeft(text[:i], " ") != "" {
			blank = i + 1
		}
	}
	return len(text)
}

// indent puts the same before every line.
func indent(by string, lines []string) []string {
	indented := make([]string, len(lines))
	for i, line := range lines {
		indented[i] = by + line
	}
	return indented
}
