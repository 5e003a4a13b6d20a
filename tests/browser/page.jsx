// A page as a user of the platform's hooks would write one: the runs of a tag
// and of a batch, and two runs by themselves, as tables. The server of the page
// fills window.spec in.

import { createRoot } from "react-dom/client";
import { TriggerAuthContext, useRealtimeBatch, useRealtimeRun, useRealtimeRunsWithTag } from "@trigger.dev/react-hooks";

const { auth, tag, batch, runs } = window.spec;

function Tag() {
  return <Feed name={tag} {...useRealtimeRunsWithTag(tag)} />;
}

function Batch() {
  return <Feed name={batch} {...useRealtimeBatch(batch)} />;
}

function Run({ id }) {
  const { run, error } = useRealtimeRun(id);
  return <Feed name={id} runs={run ? [run] : []} error={error} />;
}

function Feed({ name, runs, error }) {
  return (
    <table data-feed={name}>
      <caption>{name}</caption>
      <thead>
        <tr><th>run</th><th>task</th><th>status</th><th>output</th></tr>
      </thead>
      <tbody>
        {runs.map((run) => (
          <tr key={run.id}>
            <td data-is="id">{run.id}</td>
            <td data-is="task">{run.taskIdentifier}</td>
            <td data-is="status">{run.status}</td>
            <td data-is="output">{JSON.stringify(run.output)}</td>
          </tr>
        ))}
      </tbody>
      {error && <tfoot><tr><td data-is="error" colSpan="4">{String(error)}</td></tr></tfoot>}
    </table>
  );
}

createRoot(document.getElementById("root")).render(
  <TriggerAuthContext.Provider value={auth}>
    <Tag />
    {batch && <Batch />}
    {runs.map((id) => <Run key={id} id={id} />)}
  </TriggerAuthContext.Provider>,
);
