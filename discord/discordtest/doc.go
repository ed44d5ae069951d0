// Package discordtest is a local Discord: in-memory guilds behind REST and gateway on real loopback sockets, so that everything can be built,
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
// Other people's libraries were tried against it (discord.py 2.7, discord.js 14.28, discordgo 0.29, Alliance Auth 5.5). What they need, API being
// Server.APIURL:
//   - discord.py: discord.http.Route.BASE = API + "/v10" and discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway). It does not know
//     RATE_LIMITED: when a guild comes back within 30 s of a full read, it waits for members in vain, and says so, as it would at Discord.
//   - discord.js: new Client({rest: {api: API}}); a WebhookClient by id and token with {rest: {api: API}}, since it takes URLs of discord.com only.
//   - discordgo: speaks v9; every variable Endpoint… that is derived from EndpointAPI must be set. After op 9 it identifies anew, resumable or not. Its
//     bans and kicks carry the reason in the query, which v9 takes and v10 ignores.
//   - Alliance Auth: DISCORD_API_BASE_URL = API + "/". The slash matters: without it Auth drops "/api", which is served too.
//
// The page of 429_cloudflare: discord.js waits and tries again, discord.py gives up with an error of status 429, discordgo and Auth stumble over the HTML.
//
// What the reference only believes, it believes too: equal positions are ranked by the lower id; an unknown role id in a PATCH is 400 with 10011;
// a role that is there or gone already is 204 without event or entry; null for roles leaves them alone; a guild that the bot is not in is 10004 for
// GET guild and 50001 elsewhere; channel messages have 5 posts and 5 edits in 5 s; 5xx_before is a 502 page, 5xx_after a JSON 500.
package discordtest
