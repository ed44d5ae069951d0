// Package schedule decides when a guild is audited, and does what must not get lost: summaries to webhooks, messages to people,
// pruning, alarms, on a durable queue (River).
//
// What must stay true: the record of runs is the truth, and the clock only asks it. A slot is one run of a guild however many processes
// see it pass; nothing that is late or lost here hurts, since what is due is found again from the record. No secret is ever handed to
// the queue: a job names its webhook, and an error that the queue stores is a code.
package schedule
