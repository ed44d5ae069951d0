package audit

import "slices"

// Right is something that a person may do. The list is closed. Rights that aa-discord-audit gave names in Auth keep them, so that
// whoever holds them there holds them here; the others are ours, and Auth knows nothing of them.
type Right int

// The rights, in the order in which a person reads them.
const (
	RightRun              Right = iota + 1 // order a report, look at a run's progress, cancel, resume and abandon it
	RightAcknowledge                       // release the first-run lock
	RightViewRuns                          // read runs, their findings and why one member got the verdict they got
	RightViewFindings                      // read findings
	RightViewInvocations                   // read who tried to do what
	RightViewChanges                       // read who changed what gatecamp goes by
	RightManageExemptions                  // say which roles are never managed
	RightManageProtected                   // say which members are never acted on
	RightManageBots                        // say which accounts are bots
	RightManageOverrides                   // decide about one member instead of the policy
	RightManageIdentities                  // say which Discord account belongs to which Auth user
	RightApply                             // take roles away: order an acting run, apply a stored plan
	RightRemove                            // remove members from the guild, together with RightApply
	RightOnce                              // let one plan through the brakes once
	RightBrake                             // reset a brake that tripped
	RightSource                            // accept what Auth looks like now, and set the thresholds of its health
	RightPolicy                            // change the policy
	RightBind                              // say which role stands for which group or state
	RightPause                             // stop everything that changes Discord, and let it go on
	RightGrant                             // give and take rights
	RightBlock                             // keep somebody out of one guild, and let them in again
	RightBlockGlobal                       // keep somebody out of every guild, together with RightBlock
	rightsEnd
)

const (
	auditApp = "aa_discord_audit." // rights that Auth has, with the app they belong to
	ownApp   = "gatecamp."
)

var rightNames = [...]string{
	RightRun: auditApp + "run_audit", RightAcknowledge: auditApp + "acknowledge_initial_audit",
	RightViewRuns: auditApp + "view_auditrun", RightViewFindings: auditApp + "view_auditfinding",
	RightViewInvocations: auditApp + "view_auditinvocation", RightViewChanges: auditApp + "view_configchangelog",
	RightManageExemptions: auditApp + "manage_role_exception", RightManageProtected: auditApp + "manage_protected_member",
	RightManageBots: auditApp + "manage_bot_account_uid", RightManageOverrides: auditApp + "manage_finding_override",
	RightManageIdentities: auditApp + "manage_discord_identity",
	RightApply:            ownApp + "apply", RightRemove: ownApp + "remove", RightOnce: ownApp + "once", RightBrake: ownApp + "brake",
	RightSource: ownApp + "source", RightPolicy: ownApp + "policy", RightBind: ownApp + "bind", RightPause: ownApp + "pause",
	RightGrant: ownApp + "grant", RightBlock: ownApp + "block", RightBlockGlobal: ownApp + "block.global",
}

// String is the right as grants and Auth write it: "aa_discord_audit.run_audit", "gatecamp.apply".
func (r Right) String() string {
	if r <= 0 || r >= rightsEnd {
		return "unknown"
	}
	return rightNames[r]
}

// ParseRight reads a right's full name.
func ParseRight(name string) (Right, bool) {
	i := slices.Index(rightNames[:], name)
	return Right(max(i, 0)), i > 0
}

// Rights lists them all.
func Rights() []Right {
	all := make([]Right, 0, rightsEnd-1)
	for r := RightRun; r < rightsEnd; r++ {
		all = append(all, r)
	}
	return all
}

// Reads reports whether the right only lets its holder read. Only such a right may go to a Discord role: a role can be handed out by
// every moderator, and handing out roles is what gatecamp watches.
func (r Right) Reads() bool {
	switch r {
	case RightViewRuns, RightViewFindings, RightViewInvocations, RightViewChanges:
		return true
	case RightRun, RightAcknowledge, RightManageExemptions, RightManageProtected, RightManageBots, RightManageOverrides,
		RightManageIdentities, RightApply, RightRemove, RightOnce, RightBrake, RightSource, RightPolicy, RightBind, RightPause, RightGrant,
		RightBlock, RightBlockGlobal, rightsEnd:
	}
	return false
}

// InAuth reports whether the right has its name from an app of Auth, so that Auth's own permissions give it. The others are given by
// grants, and to Auth's superusers if these are trusted.
func (r Right) InAuth() bool { return r > 0 && r <= RightManageIdentities }

// OfOperators reports whether GATECAMP_OPERATORS gives the right: enough to begin, and to give the others to somebody.
func (r Right) OfOperators() bool {
	return r == RightRun || r == RightAcknowledge || r == RightPause || r == RightGrant
}
