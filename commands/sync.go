package commands

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/disgoorg/disgo/discord"
	"github.com/disgoorg/disgo/rest"
	"github.com/disgoorg/snowflake/v2"

	"gatecamp/internal/wrap"
	"gatecamp/storage"
)

// digestName is where it is remembered which definitions a guild was given.
const digestName = "commands.digest"

const (
	syncTries = 3
	syncAgain = time.Second
)

// Sync tells Discord which commands the guild has, if it does not know: one request, and none where nothing differs. What goes wrong on the
// way is tried again; whether it had arrived is looked up then.
func (c *Commands) Sync(ctx context.Context, guild snowflake.ID, application snowflake.ID, api Definitions) (pushed bool, err error) {
	defer wrap.Err(&err, "commands of guild %d", guild)
	for try := 1; ; try++ {
		now, err := c.sync(ctx, guild, application, api)
		pushed = pushed || now
		if try == syncTries || !onTheWay(ctx, err) {
			return pushed, err
		}
		t := time.NewTimer(syncAgain)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return pushed, context.Cause(ctx)
		}
	}
}

func (c *Commands) sync(ctx context.Context, guild snowflake.ID, application snowflake.ID, api Definitions) (pushed bool, err error) {
	ours := c.definitions()
	document, err := json.Marshal(ours)
	if err != nil {
		return false, err
	}
	sum := sha256.Sum256(document)
	digest := []byte(hex.EncodeToString(sum[:]))
	before, _, err := c.cfg.Store.Recall(ctx, guild, digestName)
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return false, err
	}
	theirs, err := api.GetGuildCommands(application, guild, true, rest.WithCtx(ctx))
	if err != nil {
		return false, err
	}
	same, err := known(ours, theirs)
	if err != nil {
		return false, err
	}
	if !same {
		if _, err := api.SetGuildCommands(application, guild, ours, rest.WithCtx(ctx)); err != nil {
			return false, err
		}
	}
	if same && bytes.Equal(before, digest) {
		return false, nil
	}
	return !same, c.cfg.Store.Remember(ctx, guild, digestName, digest, c.now())
}

// known reports whether Discord has exactly these commands. It adds things of its own, which do not count.
func known(ours []discord.ApplicationCommandCreate, theirs []discord.ApplicationCommand) (bool, error) {
	if len(ours) != len(theirs) {
		return false, nil
	}
	for _, o := range ours {
		found := false
		for _, t := range theirs {
			if t.Name() != o.CommandName() || t.Type() != o.Type() {
				continue
			}
			a, err := loose(o)
			if err != nil {
				return false, err
			}
			b, err := loose(t)
			if err != nil {
				return false, err
			}
			found = covers(a, b)
		}
		if !found {
			return false, nil
		}
	}
	return true, nil
}

func loose(v any) (out any, err error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return out, json.Unmarshal(data, &out)
}

// covers reports whether all that ours says is said by theirs. Empty and absent are the same, and what only theirs says is ignored where
// it is Discord's own.
func covers(ours, theirs any) bool {
	switch o := ours.(type) {
	case map[string]any:
		t, ok := theirs.(map[string]any)
		if !ok {
			return false
		}
		for key, v := range o {
			if !covers(v, t[key]) && !(empty(v) && empty(t[key])) {
				return false
			}
		}
		for _, key := range []string{"options", "choices", "name_localizations", "description_localizations", "default_member_permissions", "autocomplete", "required"} {
			if empty(o[key]) && !empty(t[key]) {
				return false
			}
		}
		return true
	case []any:
		t, ok := theirs.([]any)
		if !ok || len(o) != len(t) {
			return false
		}
		for i := range o {
			if !covers(o[i], t[i]) {
				return false
			}
		}
		return true
	}
	return ours == theirs
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == "" || v == "0" // permissions
	case float64:
		return v == 0
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}
