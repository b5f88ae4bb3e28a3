// Two devices with RxDB.
import { createRxDatabase } from "rxdb/plugins/core";
import { getRxStorageMemory } from "rxdb/plugins/storage-memory";
import { check } from "./random-edits.js";
import { creator } from "./tasks-database.js";
import { replicate } from "./todo-rxdb.js";

let devices = 0;
await check(150, async (todo) => {
  devices += 1;
  const database = await createRxDatabase({ name: `device${devices}`, storage: getRxStorageMemory() });
  const { tasks } = await database.addCollections({ tasks: creator });
  let rejected = 0;
  const replication = replicate(todo, tasks, (problem) => (console.log(problem), void (rejected += 1)));
  replication.error$.subscribe((error) => console.log(error));
  await replication.awaitInitialReplication();
  return {
    tasks: async () => (await tasks.find().exec()).map((task) => task.toMutableJSON()),
    unsent: async () => (await replication.awaitInSync(), 0),
    rejected: () => rejected,
    create: async (task) => void (await tasks.insert(task)),
    edit: async (id, changes) => void (await (await tasks.findOne(id).exec(true)).incrementalPatch(changes)),
    remove: async (id) => void (await (await tasks.findOne(id).exec(true)).incrementalRemove()),
  };
});
