package discord

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/rest"
)

func TestTokensInAddressesDoNotReachTheLog(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(quietHandler{slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug})})
	const address = "https://discord.com/api/v10/webhooks/123/canary-TOKEN_1?wait=true"
	log.Debug(address)
	log.With("at", address).Error("answer of "+address, "endpoint", address, "err", errors.New(`Post "`+address+`": EOF`),
		slog.Group("more", "also", "/interactions/9/canary2/callback"), "status", 500)
	if got := text.String(); strings.Contains(got, "canary") || !strings.Contains(got, "webhooks/123/[hidden]") || !strings.Contains(got, "status=500") {
		t.Errorf("the log: %s", got)
	}
}

// brokenLine is a client whose connections fail as those of net/http do.
type brokenLine struct{ rest.Client }

func (brokenLine) Do(e *rest.CompiledEndpoint, _, _ any, _ ...rest.RequestOpt) error {
	return fmt.Errorf("error doing request in rest client: %w", &url.Error{Op: "Post", URL: "https://discord.com/api/v10" + e.URL, Err: errors.ErrUnsupported})
}

func TestTokensInAddressesDoNotReachErrors(t *testing.T) {
	r := rest.New(discreetClient{brokenLine{}})
	for name, err := range map[string]error{
		"interaction": r.CreateInteractionResponse(9, "canary", discord.InteractionResponse{}),
		"followup":    r.DeleteFollowupMessage(42, "canary", 5),
		"webhook":     r.DeleteWebhookWithToken(9, "canary"),
	} {
		if err == nil || strings.Contains(err.Error(), "canary") || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
