/** One value of LibreOffice's registry. */
interface Setting {
  path: string;
  name: string;
  value: string;
}

// A document is someone else's: it may hold macros, pictures that lie elsewhere on this machine or at an address, and links
// that are brought up to date when it is opened. None of it may happen, and nothing may be written beside the original.
const SETTINGS: readonly Setting[] = [
  { path: 'org.openoffice.Office.Common/Security/Scripting', name: 'MacroSecurityLevel', value: '3' },
  { path: 'org.openoffice.Office.Common/Security/Scripting', name: 'DisableMacrosExecution', value: 'true' },
  { path: 'org.openoffice.Office.Common/Security/Scripting', name: 'DisableActiveContent', value: 'true' },
  { path: 'org.openoffice.Office.Common/Security/Scripting', name: 'BlockUntrustedRefererLinks', value: 'true' },
  { path: 'org.openoffice.Office.Common/Misc', name: 'UseDocumentOOoLockFile', value: 'false' },
  { path: 'org.openoffice.Office.Common/Misc', name: 'UseDocumentSystemFileLocking', value: 'false' },
  { path: 'org.openoffice.Office.Writer/Content/Update', name: 'Link', value: '0' },
  { path: 'org.openoffice.Office.Calc/Content/Update', name: 'Link', value: '1' },
  // Whatever asks for an address nevertheless is sent to a port on which nobody listens.
  { path: 'org.openoffice.Inet/Settings', name: 'ooInetProxyType', value: '2' },
  { path: 'org.openoffice.Inet/Settings', name: 'ooInetHTTPProxyName', value: '127.0.0.1' },
  { path: 'org.openoffice.Inet/Settings', name: 'ooInetHTTPProxyPort', value: '9' },
  { path: 'org.openoffice.Inet/Settings', name: 'ooInetHTTPSProxyName', value: '127.0.0.1' },
  { path: 'org.openoffice.Inet/Settings', name: 'ooInetHTTPSProxyPort', value: '9' },
  { path: 'org.openoffice.Inet/Settings', name: 'ooInetNoProxy', value: '' },
];

/** The registry file of a profile in which documents are opened. */
export function officeSettings(): string {
  const items = SETTINGS.map(
    ({ path, name, value }) =>
      `<item oor:path="/${path}"><prop oor:name="${name}" oor:op="fuse"><value>${value}</value></prop></item>`,
  );
  const open =
    '<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">';
  return ['<?xml version="1.0" encoding="UTF-8"?>', open, ...items, '</oor:items>', ''].join('\n');
}
