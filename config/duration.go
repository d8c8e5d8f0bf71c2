package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// longest is the longest duration below Infinity: the sum of a few of them does not
// overflow.
const longest = 100 * 365 * 24 * time.Hour

const durationForms = `write it like "500ms", "1m30s" or 30 (seconds)`

// duration decodes a duration: a string such as "1m30s", or a number of
// seconds. "infinity" is left to the caller to judge.
func duration(v any) (time.Duration, error) {
	switch v := v.(type) {
	case int64:
		return seconds(float64(v))
	case float64:
		return seconds(v)
	case string:
		return parseDuration(v)
	}
	return 0, fmt.Errorf("expected a duration, not %s: %s", typeName(v), durationForms)
}

func parseDuration(s string) (time.Duration, error) {
	if s == "infinity" {
		return Infinity, nil
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil || math.IsInf(n, 0) {
		return seconds(n)
	}

	d, err := time.ParseDuration(s)
	switch {
	case err != nil && strings.Contains(err.Error(), "unknown unit"):
		return 0, fmt.Errorf("unknown unit in duration %q, there are only ms, s, m and h: %s", s, durationForms)
	case err != nil:
		return 0, fmt.Errorf("not a duration: %q: %s", s, durationForms)
	}
	return bounded(d)
}

func seconds(n float64) (time.Duration, error) {
	switch {
	case math.IsNaN(n):
		return 0, fmt.Errorf("nan is not a duration: %s", durationForms)
	case n > longest.Seconds():
		return 0, errTooLong
	case n < 0:
		return 0, errNegative
	}
	return time.Duration(math.Round(n * float64(time.Second))), nil
}

func bounded(d time.Duration) (time.Duration, error) {
	switch {
	case d < 0:
		return 0, errNegative
	case d > longest:
		return 0, errTooLong
	}
	return d, nil
}

var (
	errNegative = fmt.Errorf("a duration cannot be negative")
	errTooLong  = fmt.Errorf(`a duration is 100 years at most; "infinity" is the word for no limit, where there is one`)
)
