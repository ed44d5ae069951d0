package commands

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/disgoorg/snowflake/v2"

	"gatecamp/audit"
	"gatecamp/audit/reconcile"
	"gatecamp/enforcement"
	"gatecamp/enforcement/guard"
	"gatecamp/i18n"
	"gatecamp/internal/problem"
	"gatecamp/storage"
)

func asProblem(err error) (*problem.Problem, bool) { return errors.AsType[*problem.Problem](err) }

// blockRemove lets people in again.
func blockRemove(ctx context.Context, x *call) (*answer, error) {
	found, err := x.chosen(ctx)
	if err != nil {
		return nil, err
	}
	if err := x.mayAll(ctx, loosens, found); err != nil {
		return nil, err
	}
	b := &blocks{call: x}
	for i := range found {
		one := &found[i]
		to, err := targetOf(one)
		if err == nil {
			err = x.cfg.Blocks.Unblock(ctx, to.ns, to.sub, x.author(x.str("reason")))
		}
		if errors.Is(err, storage.ErrNotFound) { // it ended, or somebody was faster
			b.lines = append(b.lines, "▫️ "+x.T(i18n.BlockGone, i18n.Args{"Who": x.subjectWords(one)}))
			continue
		}
		if err != nil {
			b.failed(x.subjectWords(one), err)
			continue
		}
		b.made++
		b.lines = append(b.lines, "✅ "+x.T(i18n.BlockLifted, i18n.Args{"Who": x.subjectWords(one), "Where": x.whereWords(to), "Block": code(blockNumber(one.ID))}))
	}
	a, err := b.told(ctx, i18n.BlockRemoved)
	if err != nil {
		return nil, err
	}
	a.footer = x.T(i18n.BlockLiftedNote)
	return a, nil
}

// blockExtend makes blocks end later.
func blockExtend(ctx context.Context, x *call) (*answer, error) {
	now := x.now()
	by, err := x.blockEnd(now)
	if err != nil {
		return nil, err
	}
	found, err := x.chosen(ctx)
	if err != nil {
		return nil, err
	}
	b := &blocks{call: x}
	sort := guards
	for i := range found {
		if by.IsZero() || (!found[i].End.IsZero() && found[i].End.Add(by.Sub(now)).After(now.Add(briefly))) {
			sort = orders
		}
	}
	if err := x.mayAll(ctx, sort, found); err != nil {
		return nil, err
	}
	for i := range found {
		one := &found[i]
		who := x.subjectWords(one)
		if one.End.IsZero() {
			b.lines = append(b.lines, "▫️ "+x.T(i18n.BlockForGood, i18n.Args{"Who": who}))
			continue
		}
		to, err := targetOf(one)
		if err != nil {
			return nil, err
		}
		o := guard.Order{Namespace: to.ns, Subject: to.sub, Also: one.Also, By: x.author(x.str("reason"))}
		if !by.IsZero() {
			o.TTL = one.End.Add(by.Sub(now)).Sub(o.By.At)
		}
		c, err := x.cfg.Blocks.Block(ctx, o)
		if err != nil {
			b.failed(who, err)
			continue
		}
		b.made++
		b.lines = append(b.lines, "🚫 "+x.T(i18n.BlockLonger, i18n.Args{"Who": who, "Until": x.untilWords(c.Block.End), "Before": stamp(one.End), "Block": code(blockNumber(one.ID))}))
	}
	return b.told(ctx, i18n.BlockExtendedTitle)
}

// mayAll refuses what reaches beyond this guild to whoever may only block here.
func (x *call) mayAll(ctx context.Context, sort reconcile.Deed, found []storage.Block) error {
	n := blocking(sort)
	if slices.ContainsFunc(found, func(b storage.Block) bool { return b.Guild == 0 }) {
		n.all = append(n.all, audit.RightBlockGlobal)
	}
	return x.may(ctx, n)
}

// chosen are the blocks in force that a command names: by number, or by whom they are about.
func (x *call) chosen(ctx context.Context) (found []storage.Block, err error) {
	ids, err := x.people()
	if err != nil {
		return nil, err
	}
	if n, err := x.numbered("block"); err != nil {
		return nil, err
	} else if n != 0 {
		b, err := x.blockByNumber(ctx, n)
		if err != nil {
			return nil, err
		}
		if !b.InForce(x.now()) {
			return nil, problem.New(problem.Usage, x.T(i18n.BlockOver, i18n.Args{"Block": code(blockNumber(n))}), x.T(i18n.BlockSeeList))
		}
		found = append(found, b)
	}
	var without []string
	for _, id := range ids {
		of, err := x.blocksOf(ctx, id)
		if err != nil {
			return nil, err
		}
		if len(of) == 0 {
			without = append(without, mentionMember(id))
		}
		for _, b := range of {
			if !slices.ContainsFunc(found, func(other storage.Block) bool { return other.ID == b.ID }) {
				found = append(found, b)
			}
		}
	}
	if len(found) == 0 {
		return nil, problem.New(problem.Usage, x.T(i18n.BlockNone, i18n.Args{"Who": strings.Join(without, ", ")}), x.T(i18n.BlockSeeList))
	}
	return found, nil
}

// blocksOf are the blocks in force about somebody that hold here, of the scope that was given if one was.
func (x *call) blocksOf(ctx context.Context, id snowflake.ID) (found []storage.Block, err error) {
	wanted := x.str("scope")
	for _, to := range x.subjectsOf(id) {
		if wanted != "" && to.sub.Scope.String() != wanted {
			continue
		}
		guild := snowflake.ID(to.ns)
		rows, err := x.cfg.Store.Blocks(ctx, storage.BlockFilter{Guild: &guild, Scope: to.sub.Scope.String(), Value: to.sub.Value(), InForce: x.now()})
		if err != nil {
			return nil, err
		}
		found = append(found, rows...)
	}
	return found, nil
}

// blockByNumber is a block that holds here or everywhere. What is another guild's is not told from what is not there.
func (x *call) blockByNumber(ctx context.Context, n int64) (storage.Block, error) {
	for _, guild := range []snowflake.ID{x.guild, 0} {
		rows, err := x.cfg.Store.Blocks(ctx, storage.BlockFilter{Guild: &guild, Page: storage.Page{Before: n + 1, Limit: 1}})
		if err != nil {
			return storage.Block{}, err
		}
		if len(rows) == 1 && rows[0].ID == n {
			return rows[0], nil
		}
	}
	return storage.Block{}, problem.New(problem.Usage, x.T(i18n.BlockNoNumber, i18n.Args{"Block": code(blockNumber(n))}), x.T(i18n.BlockSeeList))
}

// blocksHere are the blocks that hold in this guild, of it and of everywhere, newest first.
func (x *call) blocksHere(ctx context.Context, f storage.BlockFilter, most int) (found []storage.Block, err error) {
	for _, guild := range []snowflake.ID{x.guild, 0} {
		part := f
		part.Guild, part.Page = &guild, storage.Page{Limit: 1000}
		for n := 0; n < most; {
			rows, err := x.cfg.Store.Blocks(ctx, part)
			if err != nil {
				return nil, err
			}
			found, n = append(found, rows...), n+len(rows)
			if len(rows) < part.Limit {
				break
			}
			part.Before = rows[len(rows)-1].ID
		}
	}
	slices.SortFunc(found, func(a, b storage.Block) int { return int(b.ID - a.ID) })
	return found, nil
}

// offerBlocks offers the blocks in force, by number, name or id of whom they are about.
func offerBlocks(ctx context.Context, x *call, typed string) ([]choice, error) {
	found, err := x.blocksHere(ctx, storage.BlockFilter{InForce: x.now()}, 200)
	if err != nil {
		return nil, err
	}
	var ids []snowflake.ID
	for i := range found {
		if id := personOf(&found[i]); id != 0 {
			ids = append(ids, id)
		}
	}
	names := x.house.names(ctx, ids[:min(len(ids), 100)])
	typed = strings.ToLower(strings.TrimPrefix(typed, "#"))
	var list []choice
	for i := range found {
		b := &found[i]
		id := personOf(b)
		name := joinWith(" / ", names[id].Name, names[id].Main)
		if name == "" {
			name = b.Scope + " " + b.Value
		}
		number := strconv.FormatInt(b.ID, 10)
		if typed != "" && !strings.HasPrefix(number, typed) && !strings.Contains(strings.ToLower(name+" "+b.Value), typed) {
			continue
		}
		until := x.T(i18n.BlockForever)
		if !b.End.IsZero() {
			until = eveTime(b.End)
		}
		if list = append(list, choice{oneLine(blockNumber(b.ID) + " " + name + " · " + until + " · " + b.Reason), number}); len(list) == mostChoices {
			break
		}
	}
	return list, nil
}

// scopeOf is a stored scope as a value; what another version stored is none.
func scopeOf(name string) enforcement.Scope {
	s, err := enforcement.ParseScope(name)
	if err != nil {
		return 0
	}
	return s
}
