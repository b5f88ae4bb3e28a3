// The Web Locks API for Node.js, which has none: one holder of a name at a time, the others wait in order.
const last = new Map<string, Promise<unknown>>();

async function request<T>(name: string, { signal }: { signal: AbortSignal }, run: () => Promise<T>): Promise<T> {
  const mine = Promise.resolve(last.get(name)).then(() => {
    signal.throwIfAborted();
    return run();
  });
  last.set(name, mine.catch(() => {}));
  return mine;
}

Object.defineProperty(globalThis, "navigator", { value: { locks: { request } } });
