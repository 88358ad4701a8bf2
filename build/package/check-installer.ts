/** `${GetOptions} $R0 "/name=" $R1`: of NSIS's own reading of options. */
const CUT_VALUE = /\$\{(?:un\.)?GetOptionsS?\}[^\r\n]*"\/([^"]*=)"/g;
/** A removal of a folder of application data, and what decides whose it is. */
const CONTEXT_OR_REMOVAL = /SetShellVarContext (current|all)|RMDir \/r "\$APPDATA/g;

const uncommented = (script: string) => script.replaceAll(/^\s*[;#].*$/gm, '');

/** What is wrong with our part of the Windows installer, beyond what makensis finds; empty when nothing is. Pure. */
export function installerProblems(script: string): string[] {
  const code = uncommented(script);
  const cut = [...code.matchAll(CUT_VALUE)].map(
    ([, name]) =>
      `/${name} is read by GetOptions, which ends a value at a slash ("https:"): use StdUtils.GetParameter.`,
  );
  return [...cut, ...contextProblems(code)];
}

// Installed for all users, electron-builder's frame has made $APPDATA the machine's before ours runs, and counts on it after.
function contextProblems(code: string): string[] {
  let context = 'all';
  const removed = new Set<string>();
  for (const [, chosen] of code.matchAll(CONTEXT_OR_REMOVAL)) {
    if (chosen === undefined) removed.add(context);
    else context = chosen;
  }
  const problems: string[] = [];
  if (removed.size > 0 && !removed.has('current')) problems.push('/remove-data leaves the data of the person.');
  if (removed.size > 0 && !removed.has('all')) problems.push('/remove-data leaves the data of the service.');
  if (context !== 'all') problems.push('SetShellVarContext has to be "all" in the end: what follows counts on it.');
  return problems;
}
