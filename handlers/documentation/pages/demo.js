// The server adds this button in development only, and only for a browser on the same machine.
const demo = document.getElementById("demo");

function enterUserId() {
  for (const { path, method } of ui.specSelectors.operations().toJS()) {
    if (!path.includes("{user_id}")) continue;
    ui.specActions.changeParam([path, method], "user_id", "path", "demo");
    // Swagger UI stores the values of an operation that has been open under another key, which takes precedence.
    const opened = ui.specSelectors.specResolvedSubtree(["paths", path, method, "parameters"]);
    const parameter = opened?.find((one) => one.get("name") === "user_id");
    if (parameter) ui.specActions.changeParamByIdentity([path, method], parameter, "demo");
  }
}

async function authorize() {
  const response = await fetch("docs/demo-token", { method: "POST" });
  if (!response.ok) {
    demo.textContent = "The server returned no token";
    return;
  }
  ui.preauthorizeApiKey("bearerAuth", (await response.json()).token);
  enterUserId();
  ui.layoutActions.show(["operations", "tasks", "create_task"], true);
  keepInView("#operations-tasks-create_task .execute");
}

// Swagger UI renders the operation, and what is above it, piece by piece.
function keepInView(selector) {
  const observer = new ResizeObserver(() => document.querySelector(selector)?.scrollIntoView({ block: "center" }));
  observer.observe(document.body);
  const stop = () => observer.disconnect();
  setTimeout(stop, 3000);
  // The page must not move under a user who has begun to use it.
  for (const begun of ["pointerdown", "wheel", "keydown"]) addEventListener(begun, stop, { once: true });
}

function enable() {
  demo.disabled = ui.specSelectors.operations().isEmpty();
}

demo.addEventListener("click", authorize);
ui.getStore().subscribe(enable);
enable();
