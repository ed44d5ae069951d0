// Package discordtest is a local Discord: one in-memory guild behind REST and gateway on real loopback sockets, so that everything can be built,
// tested and shown without an account. `gatecamp local-discord` serves the same to programs in other languages.
//
// What must stay true: it says what Discord says. Answers, events, audit-log entries and limits are held against the facts of the reference by a
// test (honest_test.go); where it makes things up, this comment says so. Nothing here ever leaves the machine.
//
// Two doors lead in. Bots use REST (v9, v10, and the unversioned paths as Alliance Auth expects them: 204 for PATCH member, waits in milliseconds)
// and the gateway. People and the world act through the methods of Server or, from other programs, through its control port.
//
// It does not imitate:
//   - voice, threads, forums, reactions, stickers, emojis, invites, templates, events, stages, polls, soundboards, monetisation, auto moderation;
//   - presences: GUILD_CREATE holds the bot alone of all members, and op 8 never answers with presences;
//   - user accounts, user-installed applications, OAuth2 consent: an access token that is a user's id in digits stands for that user, and any
//     access token brings a user into a guild;
//   - command permissions that server administrators set per role or channel: there are none, only default_member_permissions;
//   - attachments as command options and in modals; the address of an attachment leads nowhere;
//   - prune, members-search (the indexed one), role-connection metadata;
//   - encoding etf, and compression by the socket itself;
//   - sliding windows: all buckets are fixed windows, and the global limit is one second long;
//   - the identify interval of 5 s, unless Config.StrictIdentify asks for it;
//   - interactions in direct messages;
//   - Discord's speed: answers come at once, chunks as fast as they are read. Chunks are numbered like every dispatch, but a resume does not bring
//     them back.
//
// What the reference only believes, it believes too: equal positions are ranked by the lower id; an unknown role id in a PATCH is 400 with 10011;
// a role that is there or gone already is 204 without event or entry; null for roles leaves them alone; a guild that the bot is not in is 10004 for
// GET guild and 50001 elsewhere; channel messages have 5 posts and 5 edits in 5 s; 5xx_before is a 502 page, 5xx_after a JSON 500.
package discordtest
