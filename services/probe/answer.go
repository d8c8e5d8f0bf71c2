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
)

// judge says why an answer is no success: by its status, and where it leads to or
// the first line of what it says.
func judge(resp *http.Response, sent http.Header) error {
	if resp.StatusCode/100 == 2 {
		return nil
	}
	_, reason, _ := strings.Cut(resp.Status, " ")
	says := strconv.Itoa(resp.StatusCode) + " " + cmp.Or(reason, http.StatusText(resp.StatusCode))
	if to := resp.Header.Get("Location"); resp.StatusCode/100 == 3 && to != "" {
		says += ": redirects are not followed, this one leads to " + to
	} else if line := firstLine(resp); line != "" {
		says += ": " + line
	}
	return errors.New(presentable(says, sent))
}

// firstLine is the first line of the body that has a word in it. A page of HTML
// is not for messages.
func firstLine(resp *http.Response) string {
	if strings.Contains(resp.Header.Get("Content-Type"), "html") || resp.Header.Get("Content-Encoding") != "" {
		return ""
	}
	const most = 1 << 10
	body, _ := io.ReadAll(io.LimitReader(resp.Body, most)) // what came in time
	for line := range strings.Lines(string(body)) {
		if strings.ContainsFunc(line, unicode.IsLetter) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// secrets hides the words of what was sent.
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
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) }) // lest a part of one is left
	var pairs []string
	for _, word := range words {
		pairs = append(pairs, word, "***")
	}
	return strings.NewReplacer(pairs...)
}

// presentable is what a server says as it may go on a terminal: in one line that
// is not too long, without what was sent, which it may quote.
func presentable(text string, sent http.Header) string {
	const most = 160
	var b strings.Builder
	for _, r := range secrets(sent).Replace(text) {
		if b.Len() >= most {
			return b.String() + "..."
		}
		if !unicode.IsPrint(r) {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}
