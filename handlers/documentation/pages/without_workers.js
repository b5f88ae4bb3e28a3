// ReDoc tries eval, which the policy forbids, to see whether it can search in a worker. Without workers it searches in
// the page at once.
delete globalThis.Worker;
