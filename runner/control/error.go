package control

import "net/http"

// Error is a request that was refused: it changed nothing.
type Error struct {
	// Message says why, and the remedy.
	Message string `json:"error"`
	// Reason says why, for programs.
	Reason Reason `json:"reason"`
	// Problems are those of the configuration file.
	Problems []string `json:"problems,omitempty"`
}

// Reason is why a request was refused.
type Reason string

// The reasons.
const (
	ReasonUsage     Reason = "usage"     // it makes no sense
	ReasonForbidden Reason = "forbidden" // the peer may not ask for it
	ReasonUnknown   Reason = "unknown"   // no such service, reload or path
	ReasonConfig    Reason = "config"    // the configuration file has problems
	ReasonDown      Reason = "down"      // the service is wanted down, or nothing of it runs
	ReasonConflict  Reason = "conflict"  // the key stands for another request
	ReasonFailed    Reason = "failed"    // hupwatch itself went wrong
	ReasonEnding    Reason = "ending"    // hupwatch ends, or has too many clients
)

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Status is the HTTP status that goes with the reason.
func (e *Error) Status() int {
	switch e.Reason {
	case ReasonForbidden:
		return http.StatusForbidden
	case ReasonUnknown:
		return http.StatusNotFound
	case ReasonConfig, ReasonDown, ReasonConflict:
		return http.StatusConflict
	case ReasonEnding:
		return http.StatusServiceUnavailable
	case ReasonFailed:
		return http.StatusInternalServerError
	case ReasonUsage:
	}
	return http.StatusBadRequest
}
