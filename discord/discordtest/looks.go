package discordtest

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/disgoorg/snowflake/v2"
)

// The methods of this file show what became of things, for tests in Go; the control port answers with the same.

// Messages is what stands in a channel, oldest first, as Discord's objects with files and edits.
func (s *Server) Messages(channel snowflake.ID) ([]json.RawMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.dms[channel]
	for _, g := range s.guildOrder {
		if ch == nil {
			ch = g.channel(channel)
		}
	}
	if ch == nil {
		return nil, unknownChannel()
	}
	out := []json.RawMessage{}
	for _, m := range ch.messages {
		o := m.view()
		edits := []Edit{}
		for _, e := range m.edits {
			edits = append(edits, Edit{At: e.at.UnixMicro(), Message: e.message})
		}
		o["edits"] = edits
		out = append(out, encode(o))
	}
	return out, nil
}

// DirectMessages is what bots wrote to a person alone, as Messages tells it, one channel after the other.
func (s *Server) DirectMessages(user snowflake.ID) ([]json.RawMessage, error) {
	s.mu.Lock()
	var channels []snowflake.ID
	for id, ch := range s.dms {
		if ch.recipient.id == user {
			channels = append(channels, id)
		}
	}
	s.mu.Unlock()
	slices.Sort(channels)
	var all []json.RawMessage
	for _, id := range channels {
		messages, err := s.Messages(id)
		if err != nil {
			return nil, err
		}
		all = append(all, messages...)
	}
	return all, nil
}

// Interaction is what became of an interaction.
func (s *Server) Interaction(id snowflake.ID) (Interaction, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.interactions[id]
	if i == nil {
		return Interaction{}, unknownInteraction()
	}
	return i.view(), nil
}

// Deliveries is every call to a webhook's URL, oldest first.
func (s *Server) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Delivery{}, s.deliveries...)
}

// Requests is every REST call with a number above since, oldest first. The newest 200,000 are kept.
func (s *Server) Requests(since int) []Request { return s.requests.since(since) }

// AwaitRequest waits for the first REST call with a number above since that fits.
func (s *Server) AwaitRequest(ctx context.Context, since int, fits func(Request) bool) (Request, error) {
	for {
		s.requests.mu.Lock()
		more := s.requests.more
		s.requests.mu.Unlock()
		for _, r := range s.requests.since(since) {
			if since = r.Number; fits(r) {
				return r, nil
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			return Request{}, ctx.Err()
		}
	}
}

// Connections is every socket, oldest first.
func (s *Server) Connections() []Connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Connection{}
	for _, id := range sortedKeys(s.conns) {
		if c := s.conns[id]; !c.closing {
			out = append(out, c.view())
		}
	}
	return out
}
