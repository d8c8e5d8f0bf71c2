package probe

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"hupwatch/services/visible"
)

// judge says why an answer is no success.
func judge(resp *http.Response, sent http.Header) error {
	if resp.StatusCode/100 == 2 {
		return nil
	}
	return errors.New(says(resp, sent))
}

// says is what an answer says: its status, and where it leads to or how its body
// begins.
func says(resp *http.Response, sent http.Header) string {
	_, reason, _ := strings.Cut(resp.Status, " ")
	text := strconv.Itoa(resp.StatusCode) + " " + cmp.Or(reason, http.StatusText(resp.StatusCode))
	if to := resp.Header.Get("Location"); resp.StatusCode/100 == 3 && to != "" {
		text += ": redirects are not followed, this one leads to " + to
	} else if line := firstLine(resp); line != "" {
		text += ": " + line
	}
	return presentable(text, sent)
}

// firstLine is the first line of the body that has a letter in it, 100 bytes of it at
// most. For a page of HTML it is that of the title.
func firstLine(resp *http.Response) string {
	if resp.Header.Get("Content-Encoding") != "" {
		return ""
	}
	const most, longest = 4 << 10, 100
	body, _ := io.ReadAll(io.LimitReader(resp.Body, most)) // what came in time
	text := string(body)
	if strings.Contains(resp.Header.Get("Content-Type"), "html") {
		text = title(text)
	}
	for line := range strings.Lines(text) {
		if !strings.ContainsFunc(line, unicode.IsLetter) {
			continue
		}
		if line = strings.TrimSpace(line); len(line) > longest {
			line = strings.ToValidUTF8(line[:longest], "") + "..."
		}
		return line
	}
	return ""
}

// title is that of a page of HTML; empty if it has none.
func title(page string) string {
	lower := strings.ToLower(page)
	begin := strings.Index(lower, "<title>")
	if begin < 0 || len(lower) != len(page) {
		return ""
	}
	begin += len("<title>")
	end := strings.Index(lower[begin:], "</title>")
	if end < 0 {
		return ""
	}
	return page[begin : begin+end]
}

// secrets hides the words of the headers that were sent.
func secrets(sent http.Header) *strings.Replacer {
	const shortest = 4
	var words []string
	for name, values := range sent {
		if name == "User-Agent" {
			continue
		}
		for word := range strings.FieldsFuncSeq(values[0], func(r rune) bool { return strings.ContainsRune(` ,;="`, r) }) {
			if len(word) >= shortest {
				words = append(words, word)
			}
		}
	}
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) }) // else part of one may stay
	var pairs []string
	for _, word := range words {
		pairs = append(pairs, word, "***")
	}
	return strings.NewReplacer(pairs...)
}

// presentable makes what a server says fit for a terminal: one line that is not too
// long, without what was sent to the server, which it may quote.
func presentable(text string, sent http.Header) string {
	const most = 160
	text = visible.String(secrets(sent).Replace(text))
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
