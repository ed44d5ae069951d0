package discordtest

import (
	"fmt"
	"net/http"
)

// APIError is an answer that says no: what REST sends as status and body, and what the methods of a Server return.
type APIError struct {
	Status  int    `json:"-"`                // HTTP status
	Code    int    `json:"code"`             // Discord's JSON error code; 0 where Discord has none
	Message string `json:"message"`          // Discord's words for the code
	Errors  any    `json:"errors,omitempty"` // which field is wrong, for code 50035
}

// Error is code and message.
func (e *APIError) Error() string { return fmt.Sprintf("%d: %s (%d)", e.Code, e.Message, e.Status) }

func notFound(code int, what string) error {
	return &APIError{Status: http.StatusNotFound, Code: code, Message: "Unknown " + what}
}

func unknownChannel() error     { return notFound(10003, "Channel") }
func unknownGuild() error       { return notFound(10004, "Guild") }
func unknownMember() error      { return notFound(10007, "Member") }
func unknownMessage() error     { return notFound(10008, "Message") }
func unknownRole() error        { return notFound(10011, "Role") }
func unknownUser() error        { return notFound(10013, "User") }
func unknownWebhook() error     { return notFound(10015, "Webhook") }
func unknownBan() error         { return notFound(10026, "Ban") }
func unknownInteraction() error { return notFound(10062, "interaction") }
func unknownCommand() error     { return notFound(10063, "application command") }

func missingAccess() error {
	return &APIError{Status: http.StatusForbidden, Code: 50001, Message: "Missing Access"}
}

func missingPermissions() error {
	return &APIError{Status: http.StatusForbidden, Code: 50013, Message: "Missing Permissions"}
}

func invalidRole() error {
	return &APIError{Status: http.StatusBadRequest, Code: 50028, Message: "Invalid Role"}
}

func unauthorized() error {
	return &APIError{Status: http.StatusUnauthorized, Message: "401: Unauthorized"}
}

func badRequest(code int, message string) error {
	return &APIError{Status: http.StatusBadRequest, Code: code, Message: message}
}

// invalidForm is 50035 with the place of the fault, as Discord nests it: a.b.0 → {"a": {"b": {"0": {"_errors": […]}}}}.
func invalidForm(code, message string, path ...string) error {
	var errs any = map[string]any{"_errors": []map[string]string{{"code": code, "message": message}}}
	for i := len(path) - 1; i >= 0; i-- {
		errs = map[string]any{path[i]: errs}
	}
	return &APIError{Status: http.StatusBadRequest, Code: 50035, Message: "Invalid Form Body", Errors: errs}
}
