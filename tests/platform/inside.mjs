// Runs a function as the platform's worker runs a task's: inside a run, so that
// what it triggers are that run's children, and tags and metadata are its own. As in
// a worker it has to be there before the SDK is.

import { apiClientManager, runMetadata, taskContext } from "@trigger.dev/core/v3";
import { StandardMetadataManager } from "@trigger.dev/core/v3/workers";

const manager = new StandardMetadataManager(apiClientManager.clientOrThrow());
runMetadata.setGlobalManager(manager);

export async function inside(run, fn) {
  manager.runId = run.id;
  manager.enterWithMetadata(run.metadata);
  taskContext.setGlobalTaskContext({ ctx: context(run), worker: { version: "20260301.1" }, isWarmStart: false });
  try {
    return await fn();
  } finally {
    await runMetadata.flush();
    manager.reset();
    taskContext.setGlobalTaskContext(undefined);
  }
}

function context({ id, tags }) {
  return {
    run: { id, tags, isTest: false, isReplay: false },
    attempt: { number: 1 },
    task: { id: "task", filePath: "task.ts" },
    queue: { id: "queue_1", name: "task/task" },
    environment: { id: "env_1", type: "DEVELOPMENT", slug: "dev" },
    organization: { id: "org_1", slug: "demo", name: "Demo" },
    project: { id: "proj_1", ref: "proj_demo", slug: "demo", name: "Demo" },
  };
}
