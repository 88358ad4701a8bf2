/** What can be switched on from outside a process of ours, and must not be: it holds the account's token. */

/**
 * Call first in each program of the agent. Certificates are verified whatever the environment says (libraries read it at each
 * connection, and children inherit it), and a diagnostic report, should somebody have asked Node for one, tells neither
 * environment nor connections.
 */
export function closeProcess(env: NodeJS.ProcessEnv = process.env): void {
  delete env.NODE_TLS_REJECT_UNAUTHORIZED;
  // Electron's Node may have none.
  const report: NodeJS.ProcessReport | undefined = process.report;
  if (report === undefined) return;
  report.reportOnFatalError = false;
  report.reportOnSignal = false;
  report.reportOnUncaughtException = false;
  report.excludeEnv = true;
  // Newer than Node's types.
  Object.assign(report, { excludeNetwork: true });
}
