package commands

import (
	"context"
	"errors"

	"github.com/disgoorg/disgo/discord"

	"gatecamp/audit"
	"gatecamp/i18n"
	"gatecamp/storage"
)

// pauseCommand stops everything that changes Discord. Whoever may manage the server may stop it, also while Auth is away.
func pauseCommand() command {
	return command{name: "pause", hidden: discord.PermissionManageGuild, alone: &deed{
		name: "pause", need: need{sort: stops, all: []audit.Right{audit.RightPause}}, do: pause, options: []option{reasonOption()},
	}}
}

func pause(ctx context.Context, x *call) (*answer, error) {
	p, err := x.cfg.Store.Pause(ctx, x.guild, x.author(x.str("reason")))
	if errors.Is(err, storage.ErrConflict) {
		if p, err = x.cfg.Store.Paused(ctx, x.guild); err != nil {
			return nil, err
		}
		return &answer{tone: toneWarn, title: x.T(i18n.PauseAlready), text: x.pauseWords(p)}, nil
	}
	if err != nil {
		return nil, err
	}
	if err := x.accept(ctx, x.find(x.path), 0); err != nil {
		return nil, err
	}
	return &answer{tone: toneDone, title: x.T(i18n.PauseDone), text: joinLines(x.T(i18n.PauseEffect), x.pauseWords(p))}, nil
}

func (x *call) pauseWords(p storage.Pause) string {
	return x.T(i18n.PauseBy, i18n.Args{"By": whoWords(p.Actor), "At": stamp(p.At), "Reason": plain(p.Reason)})
}

// unpauseCommand lets everything go on. That loosens, so it waits for Auth, and Discord's own permissions are not enough.
func unpauseCommand() command {
	return command{name: "unpause", hidden: discord.PermissionManageGuild, alone: &deed{
		name: "unpause", need: need{sort: loosens, all: []audit.Right{audit.RightPause}}, do: unpause, options: []option{reasonOption()},
	}}
}

func unpause(ctx context.Context, x *call) (*answer, error) {
	p, err := x.cfg.Store.Unpause(ctx, x.guild, x.author(x.str("reason")))
	if errors.Is(err, storage.ErrNotFound) {
		return &answer{tone: toneInfo, text: x.T(i18n.UnpauseNot)}, nil
	}
	if err != nil {
		return nil, err
	}
	if err := x.accept(ctx, x.find(x.path), 0); err != nil {
		return nil, err
	}
	if x.house.Marked != nil {
		x.house.Marked(ctx)
	}
	return &answer{tone: toneDone, title: x.T(i18n.UnpauseDone), text: joinLines(x.T(i18n.UnpauseEffect), x.pauseWords(p))}, nil
}
