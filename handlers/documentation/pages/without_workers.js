// ReDoc uses eval to set up a worker for its search, and the Content-Security-Policy forbids eval. Where there are no
// workers, ReDoc searches in the page itself.
delete globalThis.Worker;
