package discord

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
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
