// Package scenario tells stories about the whole system: the real program, as a process of its own, on SQLite, with real disgo, against
// the local Discord. Each file in testdata is one promise made to users.
//
// What must stay true: a story can fail. What it claims is read from Discord's side or from the record, never from the program's mouth
// alone; it waits for signals, never for time.
//
// A number such as (A13) in a story's first lines is a weakness of aa-discord-audit, the peer, as docs/coming-from-aa-discord-audit.md
// counts them: the peer fails that story. Every fault of the local Discord happens in a story or in discord/faults_test.go and its
// neighbours; TestEveryFaultHappensInAStoryOrToTheEdge lists where (go test -v), and fails for one that happens nowhere.
//
// What goes wrong while gatecamp serves stands as (fault: NAME) in the first lines of a story, or before a test of another package;
// lists_test.go has the list, and fails for one that nothing tells.
//
// A story is a txtar archive: words, a world (guild.json, auth.json, policy.yaml, channels.json), further files that it names, what is
// expected (want-requests and the like; `go test ./scenario -update` writes them), and story, one step a line:
//
//	setup                          bind, set the policy, a report, and its acknowledgement
//	$ audit run --yes => 4         run the program; it must exit with 4 (0 without =>, or killed)
//	says "text" · silent "text"    of the last answer
//	before METHOD PATH : STEP      when the program's next such call arrives, do that first; a * in PATH is any one part
//	after METHOD PATH : STEP       likewise, when Discord has answered and the program has not heard it yet
//	each METHOD PATH N : STEP      before every N-th such call
//	kill · cut · shorten                   end the program at once, by SIGKILL · the call does not go on · half of the list that is answered is missing
//	refuse STATUS CODE                     answer every such call in Discord's place
//	awaits NAME · let NAME                 a call waits until the story lets it go on
//	auth FILE|missing              what Auth says from now on
//	fault NAME at=1 count=1 method=DELETE route=/…
//	kicks ID MEMBER…                       a moderator removes members by hand
//	give, take ID ROLE · join ID NAME · leave ID · delete-role ROLE · raise ROLE POSITION · permissions ROLE BITS · down · up · advance 1s
//	auth-writes ID ROLE…           Alliance Auth writes the member's whole array
//	two-factor · intents none · token TOKEN · guild ID     the bot, or its settings, are not as they should be
//	dead                           the last sign of life of the run is a minute old
//	holds ID ROLE… · gone ID · here ID
//	calls METHOD PATH N            the program made exactly N such calls so far (at-most N, at-least N); calls 429 0: so many answers of 429
//	posted "text" · unposted "text"     of all that came to the webhook
//	told ID "text" · untold ID "text"   of all that was written to a person alone · heard ID N: so many messages
//	serve [NAME] [SETTING=VALUE…]      start `gatecamp serve` as a process · owner [NAME] · waits NAME: until it acts and is ready, or waits
//	crash [NAME] · stop [NAME] · ends [NAME] CODE    SIGKILL · SIGTERM, and it must end as a stopped one · it ends by itself
//	logs [NAME] "text" · metric 'name{labels}' VALUE, or VALUE+ for so much or more
//	newest                             asks for the number of the newest run, which stands for {run} from then on
//	goes-by RUN VERSION                the run keeps which version of the policy it went by
//	begin NAME ARGS… · signal NAME int|term|stop|cont    a command of the program beside the story; ends NAME CODE waits for it
//	released                           beside serve: bind, set live.yaml, a report, and its acknowledgement
//	finds ID "text"                    in the member's findings
//	within SECONDS                     every look so far ended so soon after its event
//	found ID ROLE SECONDS              the member's finding is so much younger than Discord's entry about the grant, by both records
//	canaries                           no secret is in the log, the data folder, the last answer, or behind the HTTP port
//	aa start · aa group NAME · aa user NAME ID GROUP… [superuser] · aa groups NAME +GROUP -GROUP · aa update-all · aa idle    a real Alliance Auth
//	database postgres · database cut|mend · redis start|stop
//	disk SIZE · disk full · disk freed         a small disk below the data folder
//	auth mariadb · auth dies after=BYTES · auth died · auth mended     a real Auth's database, which ends in the middle of an answer
//	gateway cut|CODE · sessions N      the program's sockets
//	shards N · in 2 STEP               the world has second/guild.json, and a step happens there
//	eventually STEP                    again and again until it succeeds
//	settled STEP                       likewise, also past the two minutes in which a row that changed in Auth is left to settle
//	slash USER "name sub" option=value… · menu USER "name" TARGET · press USER LABEL · press-board USER LABEL · submit USER TEXT…
//	                                   what people do in Discord
//	press-twice USER LABEL · forged USER made-up|moved|verb    two presses at once · a button that is not what it seems
//	answers "text" · conceals "text"   of the last answer to a person · shows "text" · hides "text": of the admin channel
//	setting NAME VALUE
//	world NAME                         what the archive leaves out is as in testdata/worlds/NAME.txtar
//	want NAME                      the record is as in want-NAME: requests, trail, actions, findings, runs
package scenario
