// todo-rxdb.ts
import type { RxCollection, WithDeleted } from "rxdb/plugins/core";
import { replicateRxCollection } from "rxdb/plugins/replication";
import { Subject } from "rxjs";
import { difference, inOrder, isGone, send, type Result } from "./todo-send.js";
import type { Changes, Connection, Task } from "./todo.js";

/** Keeps a collection in step with the server. Calls `rejected` for each edit that the server did not accept. */
export function replicate(todo: Connection, collection: RxCollection<Task>, rejected: (problem: Result["problem"], edit: Task) => void) {
  const stream$ = new Subject<"RESYNC">();
  // RxDB skips a task in what it pulls if it has yet to store that the task was pushed, and never asks again. So a pull
  // begins when all that has become of pushes is stored, and no push begins before the pull has been answered.
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(run: () => Promise<T>) => (turn = turn.then(run, run)) as Promise<T>;
  const pushes = (): Promise<unknown> | undefined => replication.internalReplicationState?.streamQueue.up;
  // Nor does it ask again for a task that it skipped because of an edit that then changed nothing on the server.
  const answers = new Map<string, WithDeleted<Task>>();
  async function pull(token: string | undefined, limit: number) {
    const documents = new Map(answers);
    answers.clear();
    let isReset = false, page: Changes | undefined;
    do {
      page = await todo.changes(token, limit);
      isReset ||= !page;
      token = page?.sync_token;
      for (const task of page?.tasks ?? []) documents.set(task.id, { ...task, _deleted: false });
      for (const { id, revision } of page?.deleted ?? []) documents.set(id, { id, revision, _deleted: true } as WithDeleted<Task>);
    } while (!page || (page.has_more && (isReset || documents.size < limit)));
    // After a reset, what the server no longer has is deleted here, but not what has yet to be sent.
    for (const task of isReset ? await collection.find().exec() : [])
      if (task.revision > 0 && !documents.has(task.id)) documents.set(task.id, { ...task.toMutableJSON(), _deleted: true });
    return { documents: [...documents.values()], checkpoint: { sync_token: token } };
  }
  const replication = replicateRxCollection<Task, { sync_token: string | undefined }>({
    collection,
    replicationIdentifier: `todo ${todo.path.user_id}`,
    pull: {
      batchSize: 500,
      stream$,
      async handler(checkpoint, limit) {
        for (let stored, pulled; ; ) {
          await (stored = pushes());
          pulled = await inTurn(async () => (stored === pushes() ? pull(checkpoint?.sync_token, limit) : undefined));
          if (pulled) return pulled;
        }
      },
    },
    push: {
      batchSize: 10_000, // All unsent edits at once, so that no subtask is pushed before its parent.
      async handler(rows) {
        const local = await collection.findByIds(rows.map(({ newDocumentState: { id } }) => id)).exec();
        // RxDB may also push what a pull has replaced since. That is no edit: sent, it would undo what was pulled.
        const replaced: WithDeleted<Task>[] = [];
        const edits = inOrder(rows, (row) => row.newDocumentState).flatMap(({ newDocumentState: mine, assumedMasterState: seen }) => {
          if (seen && !mine._deleted && (local.get(mine.id)?.revision ?? Infinity) > mine.revision) return (replaced.push(seen), []);
          const operation = difference(seen?._deleted ? undefined : seen, mine._deleted ? undefined : mine);
          return operation ? [{ mine, seen, operation }] : [];
        });
        const results = edits.length > 0 ? await inTurn(() => send(todo, edits.map(({ operation }) => operation))) : [];
        const refused = edits.flatMap(({ mine, seen }, index): WithDeleted<Task>[] => {
          const { task, problem } = results[index] ?? {};
          const known = answers.get(mine.id) ?? seen;
          if (task) answers.set(task.id, { ...task, _deleted: false });
          else answers.delete(mine.id);
          if (!problem || (mine._deleted && problem.status === 404)) return [];
          // What an interrupted push has done already is not refused.
          if (!problem.task || difference(problem.task, mine._deleted ? undefined : mine)) rejected(problem, mine);
          if (problem.task) return [{ ...problem.task, _deleted: false }];
          // A task that was there stays as last known, unless the server says that it is not there. A new one goes.
          return [known && !isGone(problem) ? known : { ...mine, _deleted: true }];
        });
        if (answers.size > 0) stream$.next("RESYNC");
        return [...replaced, ...refused];
      },
    },
  });
  todo.watch(() => stream$.next("RESYNC"));
  todo.signal.addEventListener("abort", () => void replication.cancel());
  return replication;
}
